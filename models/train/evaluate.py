"""Step 8, evaluate: MRR@10 and nDCG@10 of BM25's top k, reranked by everything there is to compare with.

    python models/train/evaluate.py --set xquad --top 15              # the trained checkpoint
    python models/train/evaluate.py --set everyday --state calibrated.pt

The sets are those in target/train/heldout; `everyday`, `everyday-hard` and `everyday-third`, whose queries have four
passages each, in tests/fixtures; `dev` is the training articles of XQuAD, the one to make choices with.
`qwen3-rerank eval` measures the GGUF on the same folders.
"""

import argparse
import json
import random

import numpy as np
import torch

import corpora
from batches import Prompts
from lists import MATCHED, PAIRED, TEMPERATURE
from model import Reranker
from pairs import Pairs, Words
from sources import WORK
from start import IDF
from teacher import Bm25, embed, minilm, read
from vectors import SEMANTIC


def load_lists(name: str):
    """As `load`, and the candidates that each query has of its own, as BM25 orders them among all passages."""
    rows = corpora.everyday(name)
    passages = [passage for row in rows for passage in row["documents"]]
    starts = np.cumsum([0, *[len(row["documents"]) for row in rows]])
    queries = [row["query"] for row in rows]
    order = Bm25(passages).nearest(queries, len(passages))
    own = [(starts[index] <= ids) & (ids < starts[index + 1]) for index, ids in enumerate(order)]
    candidates = np.stack([ids[keep] for ids, keep in zip(order, own, strict=True)])
    relevant = [{int(start) + row["relevant"]} for row, start in zip(rows, starts, strict=False)]
    return passages, queries, relevant, candidates


def load(name: str):
    """(passages, queries, for each query its relevant passages' numbers)."""
    if name == "dev":
        items = list(corpora.xquad(corpora.XQUAD_TRAINING))
        passages = [item for item in items if isinstance(item, corpora.Passage)]
        number = {item.id: index for index, item in enumerate(passages)}
        asked = [item for item in items if isinstance(item, corpora.Query)]
        random.Random(0).shuffle(asked)
        asked = asked[:300]
        return [p.text for p in passages], [q.text for q in asked], [{number[q.positives[0]]} for q in asked]
    folder = WORK / "heldout" / name
    passages = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().split("\n")[:-1]]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().split("\n")[:-1]]
    number = {row["_id"]: index for index, row in enumerate(passages)}
    relevant = {row["_id"]: set() for row in queries}
    for line in (folder / "qrels" / "test.tsv").read_text().split("\n")[1:-1]:
        query, passage, _ = line.split("\t")
        relevant[query].add(number[passage])
    return [p["text"] for p in passages], [q["text"] for q in queries], [relevant[q["_id"]] for q in queries]


def metrics(order: np.ndarray, relevant: list[set]) -> tuple[float, float]:
    """Mean MRR@10 and nDCG@10 of ranked passage numbers (queries, k), binary relevance."""
    mrr = ndcg = 0.0
    for row, wanted in zip(order, relevant, strict=True):
        hits = [rank for rank, passage in enumerate(row[:10]) if passage in wanted]
        mrr += 1 / (hits[0] + 1) if hits else 0
        ideal = sum(1 / np.log2(rank + 2) for rank in range(min(10, len(wanted))))
        ndcg += sum(1 / np.log2(rank + 2) for rank in hits) / ideal
    return mrr / len(relevant), ndcg / len(relevant)


def by(candidates: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.take_along_axis(candidates, np.argsort(-scores, axis=1, kind="stable"), axis=1)


@torch.inference_mode()
def model_scores(model, prompts, passages, queries, candidates) -> np.ndarray:
    """Log-odds of every candidate, f32 (queries, k)."""
    scores = np.zeros(candidates.shape, np.float32)
    ids = [prompts.document(text) for text in passages]
    for start in range(0, len(queries), 16):
        rows = range(start, min(start + 16, len(queries)))
        batch, order = prompts.batch(
            [prompts.query(queries[r]) for r in rows], [[ids[c] for c in candidates[r]] for r in rows]
        )
        odds = torch.cat([part.float() for part in model(batch)]).numpy()
        scores[order[:, 0] + start, order[:, 1]] = odds
    return scores


def maxsim(weights: torch.Tensor, prompts, passages, queries, candidates) -> np.ndarray:
    """Static MaxSim: each query token's best cosine with a document token, weighted by its IDF: 0 to 1."""
    unit = torch.nn.functional.normalize(weights[:, :SEMANTIC], dim=1)
    scores = np.zeros(candidates.shape, np.float32)
    for row, query in enumerate(queries):
        asked = torch.tensor(prompts.encode(f" {query}"))
        for place, passage in enumerate(candidates[row]):
            best = (unit[asked] @ unit[torch.tensor(prompts.document(passages[passage]))].T).max(dim=1).values
            scores[row, place] = (best * weights[asked, IDF]).sum() / weights[asked, IDF].sum()
    return scores


def pairs_shared(passages, queries, candidates) -> np.ndarray:
    """The share of each query's pairs of words that every candidate has, weighted by their IDF: 0 to 1."""
    words = Words()
    words.count([row["text"] for row in read("passages")])
    pairs, scores = Pairs(words, passages), np.zeros(candidates.shape, np.float32)
    for row, query in enumerate(queries):
        asked = words.pairs(query)
        scores[row] = pairs.shared(asked, words.weights(asked), candidates[row])
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="dev")
    parser.add_argument("--top", type=int, default=15)
    parser.add_argument("--state", default="trained.pt")
    parser.add_argument("--queries", type=int, help="only the first so many")
    options = parser.parse_args()
    if options.set in corpora.LISTS:
        passages, queries, relevant, candidates = load_lists(options.set)
    else:
        passages, queries, relevant = load(options.set)
        candidates = Bm25(passages).nearest(queries, options.top)
    queries, relevant, candidates = (items[: options.queries] for items in (queries, relevant, candidates))
    prompts, model = Prompts(), Reranker()
    start = torch.load(WORK / "start.pt")["embed_tokens.weight"]
    model.load_state_dict(torch.load(WORK / options.state, weights_only=True))
    print(f"{options.set}: {len(passages)} passages, {len(queries)} queries, {candidates.shape[1]} candidates each")
    tokenizer, teacher = minilm()
    seen, places = np.unique(candidates, return_inverse=True)
    vectors = embed([passages[passage] for passage in seen], tokenizer, teacher)[places.reshape(candidates.shape)]
    cosines = (embed(queries, tokenizer, teacher)[:, None] * vectors).astype(np.float32).sum(axis=2)
    # Over the token vectors that training began with, as the teacher has it, and over those it ended with.
    static = maxsim(start, prompts, passages, queries, candidates)
    own = maxsim(model.embed_tokens.weight.detach(), prompts, passages, queries, candidates)
    taught = cosines / TEMPERATURE + MATCHED * static + PAIRED * pairs_shared(passages, queries, candidates)
    odds = model_scores(model.eval(), prompts, passages, queries, candidates)
    for name, order in [
        ("BM25", candidates),
        ("static MaxSim x IDF", by(candidates, static)),
        ("of its own vectors", by(candidates, own)),
        ("MiniLM cosine", by(candidates, cosines)),
        ("teacher", by(candidates, taught)),
        (options.state, by(candidates, odds)),
    ]:
        mrr, ndcg = metrics(order, relevant)
        first = sum(int(row[0]) in wanted for row, wanted in zip(order, relevant, strict=True))
        print(f"{name:22} MRR@10 {mrr:.4f}  nDCG@10 {ndcg:.4f}  right first {first}")
    right = np.array([[passage in wanted for passage in row] for row, wanted in zip(candidates, relevant, strict=True)])
    scores = 1 / (1 + np.exp(-odds))
    print(f"median score: relevant {np.median(scores[right]):.3f}, irrelevant {np.median(scores[~right]):.3f}")


if __name__ == "__main__":
    main()
