"""Step 5, train: all weights, from the compiled start (or wherever the last run stopped).

    python models/train/train.py --pairs 2000000
    python models/train/train.py --pairs 3000 --dev 0        # a trial of a minute or two

Each step takes 16 queries with 10 candidates each: the passage known to answer, neighbours by BM25 and by MiniLM, and
random ones. The loss is listwise, the Kullback-Leibler divergence from the teacher's softmax, and a binary
cross-entropy on passages known to answer and random ones, which makes scores probabilities. The learning rate follows
one cosine over all pairs. Everything needed to go on is in train.pt, written every 100 steps; curve.csv is the learning
curve. models/README.md gives the allocator's settings, which make it several times faster.
"""

import argparse
import math
import threading
import time
from queue import Queue

import numpy as np
import torch
import torch.nn.functional as F

import evaluate
from batches import Prompts
from model import Reranker
from sources import WORK
from teacher import Bm25, read

QUERIES, CANDIDATES = 16, 10
LONGEST = 200
# Natural questions are few; they are what the model is for.
WEIGHTS = {"xquad": 4.0, "wikipedia questions": 2.0, "trivia": 0.7, "wordnet": 0.4, "foldoc": 0.7, "debian": 0.7}
TEMPERATURE = 0.05
# The teacher: cosine / TEMPERATURE + LEXICAL * BM25's share + what is known.
LEXICAL, KNOWN, ANSWER = 10.0, 3.5, 1.5
BINARY = 0.4


class Lists:
    """Draws queries and their candidates, with the teacher's scores."""

    def __init__(self, seed: int):
        self.chance = np.random.default_rng(seed)
        found = np.load(WORK / "candidates.npz")
        self.candidates, self.shares = found["ids"], found["shares"]
        self.query_vectors, self.passage_vectors = np.load(WORK / "queries.npy"), np.load(WORK / "passages.npy")
        ids = np.load(WORK / "ids.npz")
        self.passage_ids, self.passage_starts = ids["passage_ids"], ids["passage_starts"]
        self.query_ids, self.query_starts = ids["query_ids"], ids["query_starts"]
        self.passages, self.queries = read("passages"), read("queries")
        base = {}
        self.base = np.array([base.setdefault(row["id"].split("#")[0], len(base)) for row in self.passages])
        number = {row["id"]: index for index, row in enumerate(self.passages)}
        self.positives = [[number[name] for name in row["positives"]] for row in self.queries]
        usable = np.diff(self.query_starts) < 60
        weights = np.array([WEIGHTS.get(row["source"], 1.0) for row in self.queries]) * usable
        self.weights = weights / weights.sum()

    def draw(self, query: int):
        """(passages, teacher's logits, labels): labels 1 known, 0 certainly not, -1 unknown. None if too few."""
        known = self.positives[query]
        near = self.chance.permutation(np.arange(1, self.candidates.shape[1]))[:18]
        ids, shares = self.candidates[query][near], self.shares[query][near].astype(np.float32)
        _, first = np.unique(ids, return_index=True)
        ids, shares = ids[first], shares[first]
        fresh = ~np.isin(self.base[ids], self.base[known]) if known else np.ones(len(ids), bool)
        ids, shares = ids[fresh], shares[fresh]
        logits = (
            self.passage_vectors[ids].astype(np.float32) @ self.query_vectors[query].astype(np.float32) / TEMPERATURE
        )
        logits += LEXICAL * shares
        answer = self.queries[query]["answer"]
        if answer:
            logits += ANSWER * np.array([answer.lower() in self.passages[index]["text"].lower() for index in ids])
        labels = np.full(len(ids), -1.0, np.float32)
        random_count = 2
        if known:
            # The first is the one whose BM25 share is at hand.
            own = known[0]
            vector = self.passage_vectors[own].astype(np.float32) @ self.query_vectors[query].astype(np.float32)
            logit = vector / TEMPERATURE + LEXICAL * float(self.shares[query][0])
            unlike = logits < logit  # others may answer as well
            ids, logits, labels = ids[unlike], logits[unlike], np.where(logits[unlike] < logit - 3, 0.0, labels[unlike])
            keep = CANDIDATES - 1 - random_count
            order = self.chance.permutation(len(ids))[:keep]
            ids, logits, labels = ids[order], logits[order], labels[order]
            ids, logits, labels = np.append(own, ids), np.append(logit + KNOWN, logits), np.append(1.0, labels)
        else:
            order = self.chance.permutation(len(ids))[: CANDIDATES - random_count]
            ids, logits, labels = ids[order], logits[order], labels[order]
        others = self.chance.integers(len(self.passages), size=CANDIDATES - len(ids))
        cosines = self.passage_vectors[others].astype(np.float32) @ self.query_vectors[query].astype(np.float32)
        ids = np.append(ids, others)
        logits = np.append(logits, cosines / TEMPERATURE)
        labels = np.append(labels, np.where(cosines < 0.3, 0.0, -1.0))
        return ids, logits.astype(np.float32), labels.astype(np.float32)

    def passage(self, index: int) -> np.ndarray:
        return self.passage_ids[self.passage_starts[index] : self.passage_starts[index + 1]][:LONGEST]

    def step(self, prompts: Prompts):
        """A batch, the order of its scores, and (queries, candidates) of logits and labels."""
        rows = self.chance.choice(len(self.queries), QUERIES, p=self.weights)
        drawn = [self.draw(row) for row in rows]
        asked = [self.query_ids[self.query_starts[row] : self.query_starts[row + 1]] for row in rows]
        batch, order = prompts.batch(asked, [[self.passage(index) for index in ids] for ids, _, _ in drawn])
        logits, labels = (torch.from_numpy(np.stack([entry[place] for entry in drawn])) for place in (1, 2))
        return batch, torch.from_numpy(order), logits, labels


def ahead(make, depth: int = 4):
    """Runs `make` in a thread, a few results ahead."""
    queue = Queue(depth)

    def work():
        while True:
            queue.put(make())

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield queue.get()


def loss_of(odds: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Listwise KL divergence, and binary cross-entropy where a label is known. All (queries, candidates)."""
    listwise = F.kl_div(odds.log_softmax(1), logits.softmax(1), reduction="batchmean")
    known = labels >= 0
    # One relevant passage stands against several others: weigh the two kinds alike.
    weight = torch.where(labels > 0.5, (labels == 0).sum() / (labels > 0.5).sum().clamp(min=1), 1.0)
    binary = F.binary_cross_entropy_with_logits(odds[known], labels[known], weight=weight[known], reduction="sum")
    return listwise, binary / weight[known].sum().clamp(min=1)


def optimizer_of(model: Reranker) -> torch.optim.AdamW:
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name and name != "answers"]
    groups = [
        {"params": matrices, "scale": 1.0, "weight_decay": 0.01},
        {"params": [model.embed_tokens.weight], "scale": 0.7, "weight_decay": 0.0},
        {
            "params": [p for p in model.parameters() if p.dim() == 1] + [model.answers],
            "scale": 3.0,
            "weight_decay": 0.0,
        },
    ]
    return torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), fused=True)


class Dev:
    """MRR@10 on XQuAD's training articles, where passages are whole and candidates are BM25's: to see it learn."""

    def __init__(self, prompts: Prompts, queries: int):
        passages, asked, relevant = evaluate.load("dev")
        self.prompts, self.passages = prompts, passages
        self.queries, self.relevant = asked[:queries], relevant[:queries]
        self.candidates = Bm25(passages).nearest(self.queries, 15)

    def measure(self, model: Reranker) -> float:
        scores = evaluate.model_scores(model, self.prompts, self.passages, self.queries, self.candidates)
        return evaluate.metrics(evaluate.by(self.candidates, scores), self.relevant)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, required=True, help="pairs of query and document in all")
    parser.add_argument("--rate", type=float, default=5e-4, help="highest learning rate")
    parser.add_argument("--dev", type=int, default=100, help="queries of the development set; 0 for none")
    parser.add_argument("--fresh", action="store_true", help="from the start, not from train.pt")
    options = parser.parse_args()
    prompts, model = Prompts(), Reranker()
    optimizer = optimizer_of(model)
    saved = WORK / "train.pt"
    step, seconds = 0, 0.0
    if saved.exists() and not options.fresh:
        state = torch.load(saved, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds = state["step"], state["seconds"]
        print(f"goes on at step {step}")
    else:
        model.load_state_dict(torch.load(WORK / "start.pt", weights_only=True))
    lists = Lists(seed=step)
    dev = Dev(prompts, options.dev) if options.dev else None
    steps = options.pairs // (QUERIES * CANDIDATES)
    sums, counted, begun = np.zeros(2), 0, time.time()

    def save():
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        torch.save({**state, "seconds": seconds + time.time() - begun}, WORK / "train.new")
        (WORK / "train.new").replace(saved)

    for batch, order, logits, labels in ahead(lambda: lists.step(prompts)):
        if step >= steps:
            break
        rate = options.rate * min(1, (step + 1) / 60) * (0.04 + 0.96 * (1 + math.cos(math.pi * step / steps)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        with torch.autocast("cpu", torch.bfloat16):
            found = torch.cat([part.float() for part in model(batch)])
        odds = torch.zeros_like(logits).index_put((order[:, 0], order[:, 1]), found)
        listwise, binary = loss_of(odds, logits, labels)
        optimizer.zero_grad()
        (listwise + BINARY * binary).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        sums += [listwise.item(), binary.item()]
        counted += 1
        if step % 20 == 0:
            elapsed = seconds + time.time() - begun
            mrr = dev.measure(model.eval()) if dev and (step % 240 == 0 or step == steps) else math.nan
            row = [step, step * QUERIES * CANDIDATES, *(sums / counted), rate, mrr, elapsed]
            line = ",".join(f"{value:.6g}" for value in row)
            with open(WORK / "curve.csv", "a") as file:
                if file.tell() == 0:
                    file.write("step,pairs,listwise,binary,rate,dev_mrr_at_10,seconds\n")
                file.write(line + "\n")
            print(line, flush=True)
            sums, counted = np.zeros(2), 0
        if step % 100 == 0:
            save()
    save()
    torch.save(model.state_dict(), WORK / "trained.pt")
    print(f"{step} steps, {step * QUERIES * CANDIDATES} pairs, trained.pt written")


if __name__ == "__main__":
    main()
