"""Step 3, vocabulary: the real Qwen3 BPE with only the merges that the training text uses, and all texts as ids.

The merges kept are the most frequent tokens' and their ancestors', in the original order: a valid BPE whose tokens are
those of the full one except where a rare token falls into its parts. Control tokens are renumbered behind them.

    python models/train/vocabulary.py

Writes tokenizer.json, and ids.npz with all texts' ids.
"""

import gzip
import json
import pathlib
from collections import Counter

import numpy as np
from tokenizers import Tokenizer

from prompt import INSTRUCTION, PREFIX, QUERY_END, SUFFIX, head
from sources import WORK
from teacher import read

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIZE = 24_064
LONGEST = 200  # tokens of a passage that are trained on
# The stages of the official tokenizer.json, its 256 bytes and its control tokens.
STAGES = ROOT / "tests/fixtures/checkpoint/tokenizer.json"


def full() -> dict:
    """The official tokenizer.json without the lines that it ends with: merges from this repository's list."""
    stages = json.loads(STAGES.read_text())
    letters = sorted(stages["model"]["vocab"], key=stages["model"]["vocab"].get)[:256]
    lines = gzip.decompress((ROOT / "models/qwen3-merges.txt.gz").read_bytes()).decode().split("\n")
    merges = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    return description(stages, letters, merges)


def description(stages: dict, letters: list[str], merges: list[list[str]]) -> dict:
    """A tokenizer.json: bytes, merged tokens, then the control tokens."""
    ordered = letters + [left + right for left, right in merges]
    added = [{**token, "id": len(ordered) + place} for place, token in enumerate(stages["added_tokens"])]
    model = {**stages["model"], "vocab": {token: index for index, token in enumerate(ordered)}, "merges": merges}
    return {**stages, "model": model, "added_tokens": added}


def cut(whole: dict, texts: list[str], needed: list[str], size: int) -> dict:
    """The tokenizer with at most `size` tokens that splits the texts least."""
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    counts = Counter()
    for start in range(0, len(texts), 10_000):
        for encoding in tokenizer.encode_batch(texts[start : start + 10_000], add_special_tokens=False):
            counts.update(encoding.ids)
    names = {index: token for token, index in whole["model"]["vocab"].items()}
    merges = whole["model"]["merges"]
    rank_of = {left + right: rank for rank, (left, right) in reversed(list(enumerate(merges)))}
    room = size - 256 - len(whole["added_tokens"])
    keep = set()
    first = [index for text in needed for index in tokenizer.encode(text, add_special_tokens=False).ids]
    for index in first + [index for index, _ in counts.most_common()]:
        family, open_tokens = set(), [names.get(index)]
        while open_tokens:
            rank = rank_of.get(open_tokens.pop())
            if rank is not None and rank not in keep | family:
                family.add(rank)
                open_tokens += merges[rank]
        if len(keep) + len(family) <= room:
            keep |= family
        if len(keep) == room:
            break
    # A small corpus leaves room: the first merges fill it, whose parts come before them.
    for rank in range(len(merges)):
        if len(keep) == room:
            break
        keep.add(rank)
    letters = [names[index] for index in range(256)]
    return description(whole, letters, [merges[rank] for rank in sorted(keep)])


def encode(tokenizer: Tokenizer, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """All ids one behind the other (uint16), and where each text's start."""
    ids, starts = [], [0]
    for start in range(0, len(texts), 10_000):
        for encoding in tokenizer.encode_batch(texts[start : start + 10_000], add_special_tokens=False):
            ids.append(np.array(encoding.ids, np.uint16))
            starts.append(starts[-1] + len(encoding.ids))
    return np.concatenate(ids), np.array(starts, np.int64)


def store_ids(tokenizer: Tokenizer, names: list[str]) -> dict[str, np.ndarray]:
    """Writes ids.npz: the ids of all texts of these files, and where each text's start."""
    stored = {}
    for name in names:
        ending = QUERY_END if name == "queries" else ""
        ids, starts = encode(tokenizer, [f" {row['text']}{ending}" for row in read(name)])
        stored |= {f"{name}_ids": ids, f"{name}_starts": starts}
    np.savez(WORK / "ids.npz", **stored)
    return stored


def main():
    texts = {name: [row["text"] for row in read(name)] for name in ["passages", "shorts", "queries", "phrases"]}
    whole = full()
    needed = [PREFIX, SUFFIX, head(INSTRUCTION, "query"), "yes", "no"]
    own = cut(whole, texts["passages"] + texts["queries"], needed, SIZE)
    (WORK / "tokenizer.json").write_text(json.dumps(own, ensure_ascii=False))
    stored = store_ids(Tokenizer.from_str(json.dumps(own)), list(texts))
    print(
        f"{len(own['model']['vocab']) + len(own['added_tokens'])} tokens; {len(stored['passages_ids'])} ids of passages"
    )


if __name__ == "__main__":
    main()
