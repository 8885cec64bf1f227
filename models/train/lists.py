"""What training learns from: queries drawn by chance, their candidates, and what the teacher says of them."""

import re
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from batches import Prompts
from model import CONFIG, Batch
from pairs import Pairs, Words
from sources import WORK
from start import IDF
from teacher import read
from vectors import SEMANTIC
from vocabulary import LONGEST

QUERIES, CANDIDATES = 16, 10
# Texts for the means alone, in each step: so many of each kind, behind so many questions.
TEXTS = {"passages": 12, "shorts": 168, "wordnet": 96, "sequences": 96}
QUESTIONS = 24
WINDOW = 48  # tokens of a document that most lists see
# Natural questions are few; they are what the model is for.
WEIGHTS = {
    "xquad": 6.0,
    "wikipedia questions": 3.0,
    "trivia": 1.0,
    "factbook": 8.0,
    "wordnet": 0.3,
    "foldoc": 0.7,
    "debian": 0.7,
    "phrases": 0.7,
    "dolly": 7.0,
    "nouns": 4.0,
    "crossed": 4.0,
}
# The share of lists that are of shorts; WordNet's phrases are asked of them alone.
SHORTS = {"phrases": 1.0, "trivia": 0.5, "nouns": 0.7, "crossed": 0.7}
SHORTS_ELSE = 0.3
# The share of the lists of shorts whose texts get one to three more of the query's shorts beside them: passages that
# repeat the query's words, of which few hold an answer.
MIXED = 0.5
# Candidates that are drawn at random; that have a word of the query, mostly in another sense or another matter; and that
# have two of its words, of so many texts drawn the ones that MiniLM finds least like the query.
RANDOM, SHARING, LURES, LURED = 1, 1, 2, 12
# What is asked for in "the capital of Florida". Its lures have that word before another: "capital punishment".
NOUN = re.compile(r"(\w+) of ")
TEMPERATURE = 0.05
# The teacher: cosine / TEMPERATURE + MATCHED * static MaxSim + PAIRED * the share of the query's pairs, + ANSWER for what
# holds the answer's words, + KNOWN for what is known to answer.
MATCHED, PAIRED, KNOWN, ANSWER = 10.0, 4.0, 3.5, 1.5


@dataclass
class Step:
    """A batch, the (query, place) of each of its scores, logits and labels (queries, candidates), and where the means of
    queries and documents should point, with weights: 0 for a document of which only a part is seen. Besides, texts of
    which only the means are asked, and where they should point."""

    batch: Batch
    order: torch.Tensor
    logits: torch.Tensor
    labels: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    texts: Batch
    text_targets: torch.Tensor


class Pool:
    """Texts: their ids (tokens), MiniLM's vectors, and, where they are ranked, every query's candidates."""

    def __init__(self, name: str, tokens, candidates: np.ndarray | None = None):
        self.ids, self.starts = tokens[f"{name}_ids"], tokens[f"{name}_starts"]
        self.vectors = np.load(WORK / f"{name}.npy")
        self.texts = [row["text"] for row in read(name)]
        self.candidates = candidates
        if candidates is None:
            return
        texts = np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), np.diff(self.starts))
        order = np.argsort(self.ids, kind="stable")
        self.holders = texts[order]
        self.first = np.searchsorted(self.ids[order], np.arange(CONFIG["vocab_size"] + 1))

    def holding(self, token: int) -> np.ndarray:
        """The texts that hold a token."""
        return self.holders[self.first[token] : self.first[token + 1]]

    def tokens(self, index: int) -> np.ndarray:
        return self.ids[self.starts[index] : self.starts[index + 1]][:LONGEST]


class Lists:
    """Draws queries and their candidates, with the teacher's scores."""

    def __init__(self, seed: list[int]):
        self.chance = np.random.default_rng(seed)
        self.whole = 0.0  # the share of lists that see whole documents
        ids, found = np.load(WORK / "ids.npz"), np.load(WORK / "candidates.npz")
        self.passages = Pool("passages", ids, found["passages"])
        self.shorts = Pool("shorts", ids, found["shorts"])
        self.words = Words()
        self.words.count(self.passages.texts)
        for pool in (self.passages, self.shorts):
            pool.pairs = Pairs(self.words, pool.texts)
            pool.pairs.index(self.words)
        self.phrases = Pool("phrases", ids)
        sources = np.array([row["source"] == "texts" for row in read("phrases")])
        self.sequences, self.wordnet = np.flatnonzero(sources), np.flatnonzero(~sources)
        self.query_vectors = np.load(WORK / "queries.npy")
        self.query_ids, self.query_starts = ids["queries_ids"], ids["queries_starts"]
        learned = np.load(WORK / "vectors.npz")
        self.mean, self.axes = learned["mean"], learned["axes"]
        embedding = torch.load(WORK / "start.pt", weights_only=True)["embed_tokens.weight"]
        self.unit = F.normalize(embedding[:, :SEMANTIC], dim=1).numpy()
        self.heaviness = embedding[:, IDF].numpy()
        self.queries, passages, base = read("queries"), read("passages"), {}
        self.base = np.array([base.setdefault(row["id"].split("#")[0], len(base)) for row in passages])
        number = {row["id"]: index for index, row in enumerate(passages)}
        self.positives = [[number[name] for name in row["positives"]] for row in self.queries]
        usable = np.diff(self.query_starts) < 40
        weights = np.array([WEIGHTS.get(row["source"], 1.0) for row in self.queries]) * usable
        self.weights = weights / weights.sum()

    def signals(self, query: int, pool: Pool, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cosines and the teacher's logits, but for [`KNOWN`], of a query's candidates."""
        cosines = pool.vectors[ids].astype(np.float32) @ self.query_vectors[query].astype(np.float32)
        asked = self.words.pairs(self.queries[query]["text"])
        shared = pool.pairs.shared(asked, self.words.weights(asked), ids)
        logits = cosines / TEMPERATURE + MATCHED * self.maxsim(query, pool, ids) + PAIRED * shared
        return cosines, logits + ANSWER * self.answering(query, pool, ids)

    def sharing(self, query: int, pool: Pool) -> np.ndarray:
        """Texts that have one or two words of the query, the rarer the words the likelier; [`SHARING`] and [`LURES`] of
        them, or random ones."""
        asked = np.unique(self.query_ids[self.query_starts[query] : self.query_starts[query + 1]])
        weights = self.heaviness[asked].clip(0) ** 2 + 1e-9
        weights /= weights.sum()
        found = []
        for _ in range(SHARING):
            own = pool.holding(self.chance.choice(asked, p=weights))
            found.append(self.chance.choice(own) if len(own) else self.chance.integers(len(pool.texts)))
        noun = NOUN.search(self.queries[query]["text"].lower())
        modified = pool.pairs.modified(self.words.number(noun[1])) if noun else []
        for _ in range(LURES):
            own, other = (pool.holding(token) for token in self.chance.choice(asked, 2, replace=False, p=weights))
            if len(modified) and self.chance.random() < 0.7:
                own = modified
            both = np.intersect1d(own, other)
            if len(both) == 0:
                both = own if len(own) else np.arange(len(pool.texts))
            drawn = self.chance.choice(both, LURED)
            cosines = pool.vectors[drawn].astype(np.float32) @ self.query_vectors[query].astype(np.float32)
            found.append(drawn[cosines.argmin()])
        return np.array(found)

    def maxsim(self, query: int, pool: Pool, ids: np.ndarray) -> np.ndarray:
        """Static MaxSim: each query token's best cosine with a text's token, weighted by its IDF: 0 to 1."""
        asked = self.query_ids[self.query_starts[query] : self.query_starts[query + 1]]
        weights = self.heaviness[asked]
        tokens = [pool.tokens(index) for index in ids]
        starts = np.cumsum([0, *[len(own) for own in tokens[:-1]]])
        best = np.maximum.reduceat(self.unit[asked] @ self.unit[np.concatenate(tokens)].T, starts, axis=1)
        return weights @ best / max(weights.sum(), 1e-6)

    def answering(self, query: int, pool: Pool, ids: np.ndarray) -> np.ndarray:
        """1 for texts that hold the words of the query's answer, if that is known, else 0."""
        answer = self.queries[query]["answer"]
        if not answer:
            return np.zeros(len(ids), np.float32)
        words = re.compile(rf"(?<!\w){re.escape(answer)}(?!\w)", re.IGNORECASE)
        return np.array([words.search(pool.texts[index]) is not None for index in ids], np.float32)

    def draw(self, query: int, pool: Pool):
        """(candidates, teacher's logits, labels): the ids of each candidate's texts; labels 1 known, 0 certainly not, -1
        unknown."""
        known = self.positives[query] if pool is self.passages else []
        ids = np.unique(self.chance.permutation(pool.candidates[query])[:18])
        if pool is self.shorts:  # a sentence that is asked for by itself teaches nothing
            text = self.queries[query]["text"]
            ids = ids[[pool.texts[index].rstrip(".,;:") != text for index in ids]]
        if known:
            ids = ids[~np.isin(self.base[ids], self.base[known])]
        _, logits = self.signals(query, pool, ids)
        labels = np.full(len(ids), -1.0, np.float32)
        others_in_all = RANDOM + SHARING + LURES
        if known:
            own = [self.chance.choice(known)]
            _, (logit,) = self.signals(query, pool, np.array(own))
            unlike = logits < logit  # others may answer as well
            ids, logits, labels = ids[unlike], logits[unlike], np.where(logits[unlike] < logit - 3, 0.0, labels[unlike])
            keep = CANDIDATES - 1 - others_in_all
            order = self.chance.permutation(len(ids))[:keep]
            ids, logits, labels = ids[order], logits[order], labels[order]
            ids, logits, labels = np.append(own, ids), np.append(logit + KNOWN, logits), np.append(1.0, labels)
        else:
            order = self.chance.permutation(len(ids))[: CANDIDATES - others_in_all]
            ids, logits, labels = ids[order], logits[order], labels[order]
        others = self.chance.integers(len(pool.texts), size=CANDIDATES - SHARING - LURES - len(ids))
        others = np.append(others, self.sharing(query, pool))
        if known:  # what answers is there already
            own = np.isin(self.base[others], self.base[known])
        else:
            own = np.array([pool.texts[index].rstrip(".,;:") == self.queries[query]["text"] for index in others])
        others[own] = self.chance.integers(len(pool.texts), size=own.sum())
        cosines, apart = self.signals(query, pool, others)
        ids, logits = np.append(ids, others), np.append(logits, apart)
        labels = np.append(labels, np.where(cosines < 0.3, 0.0, -1.0))
        texts = [np.array([index]) for index in ids]
        if pool is self.shorts and self.chance.random() < MIXED:
            near = np.unique(pool.candidates[query])
            near = near[[pool.texts[index].rstrip(".,;:") != self.queries[query]["text"] for index in near]]
            texts, logits = self.mixed(query, ids, near)
            labels[:] = -1
        return texts, logits.astype(np.float32), labels.astype(np.float32)

    def mixed(self, query: int, ids: np.ndarray, near: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Each of some shorts among one to three of `near`, in any order, and the teacher's logits: a passage answers
        as well as the best of its sentences."""
        texts = []
        for index in ids:
            others = self.chance.choice(near[near != index], size=self.chance.integers(1, 4), replace=False)
            texts.append(self.chance.permutation(np.append(index, others)))
        every = np.concatenate(texts)
        _, logits = self.signals(query, self.shorts, every)
        starts = np.cumsum([0, *[len(text) for text in texts[:-1]]])
        return texts, np.maximum.reduceat(logits, starts)

    def window(self, ids: np.ndarray, query: np.ndarray) -> np.ndarray:
        """The part of a document with most of the query's tokens; by chance one, if it has none."""
        if len(ids) <= WINDOW:
            return ids
        sums = np.append(0.0, np.cumsum(np.isin(ids, query) * self.heaviness[ids]))
        found = sums[WINDOW:] - sums[:-WINDOW]
        best = np.flatnonzero(found >= found.max() - 1e-6)
        start = self.chance.choice(best)
        return ids[start : start + WINDOW]

    def reduced(self, vectors: np.ndarray) -> torch.Tensor:
        """MiniLM's vectors as the token vectors' sums should be, to length 1."""
        return F.normalize(torch.from_numpy((vectors.astype(np.float32) - self.mean) @ self.axes), dim=-1)

    def step(self, prompts: Prompts) -> Step:
        rows = self.chance.choice(len(self.queries), QUERIES, p=self.weights)
        short = [self.chance.random() < SHORTS.get(self.queries[row]["source"], SHORTS_ELSE) for row in rows]
        pools = [self.shorts if own else self.passages for own in short]
        drawn = [self.draw(row, pool) for row, pool in zip(rows, pools, strict=True)]
        asked = [self.query_ids[self.query_starts[row] : self.query_starts[row + 1]] for row in rows]
        documents = [
            [np.concatenate([pool.tokens(index) for index in text]) for text in texts]
            for (texts, _, _), pool in zip(drawn, pools, strict=True)
        ]
        whole = np.ones((QUERIES, CANDIDATES), np.float32)
        for row, own in enumerate(documents):
            if not short[row] and self.chance.random() > self.whole:
                whole[row] = [len(ids) <= WINDOW for ids in own]
                documents[row] = [self.window(ids, asked[row]) for ids in own]
        batch, order = prompts.batch(asked, documents)
        logits, labels = (torch.from_numpy(np.stack([entry[place] for entry in drawn])) for place in (1, 2))
        # A mixture's vector is taken to be its sentences' mean.
        vectors = np.stack(
            [
                [pool.vectors[text].astype(np.float32).mean(0) for text in texts]
                for (texts, _, _), pool in zip(drawn, pools, strict=True)
            ]
        )
        targets = self.reduced(np.concatenate([self.query_vectors[rows], vectors[order[:, 0], order[:, 1]]]))
        weights = torch.from_numpy(np.append(np.ones(QUERIES, np.float32), whole[order[:, 0], order[:, 1]]))
        return Step(batch, torch.from_numpy(order), logits, labels, targets, weights, *self.texts(prompts))

    def texts(self, prompts: Prompts) -> tuple[Batch, torch.Tensor]:
        """Texts of all kinds behind questions that have nothing to do with them, and where their means should point."""
        rows = self.chance.choice(len(self.queries), QUESTIONS, p=self.weights)
        asked = [self.query_ids[self.query_starts[row] : self.query_starts[row + 1]] for row in rows]
        ids, vectors = [], []
        for kind, count in TEXTS.items():
            pool = {"passages": self.passages, "shorts": self.shorts}.get(kind, self.phrases)
            among = {"wordnet": self.wordnet, "sequences": self.sequences}.get(kind, len(pool.texts))
            drawn = self.chance.choice(among, count)
            ids += [pool.tokens(index) for index in drawn]
            vectors.append(pool.vectors[drawn])
        order = self.chance.permutation(len(ids))
        behind = [[ids[index] for index in part] for part in np.array_split(order, QUESTIONS)]
        vectors = np.concatenate(vectors)[order]
        starts = np.cumsum([0, *[len(own) for own in behind[:-1]]])
        # The last token alone gathers; the others of the ending would be half of all tokens.
        batch, places = prompts.batch(asked, behind, ending=1)
        targets = np.concatenate([self.query_vectors[rows], vectors[starts[places[:, 0]] + places[:, 1]]])
        return batch, self.reduced(targets)
