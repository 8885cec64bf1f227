"""Step 4, vectors: token vectors whose weighted mean says what MiniLM's vector of the text says.

MiniLM's vectors of all texts, centred, are reduced to 180 dimensions by PCA. The token vectors start as those of the
tokens' strings and are then learned, by the texts: the sum of a text's token vectors shall point where the text's own
vector does (Tokenlearn's way to a static embedding). The lengths that come out are the tokens' weights in a mean.

    python models/train/vectors.py

Writes vectors.npz: directions (tokens, 180), the logarithms of the weights, and mean and axes of the reduction.
"""

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from batches import Prompts
from prompt import QUERY_END
from sources import WORK
from teacher import embed, minilm, read
from vocabulary import LONGEST

VIEW = 90
SEMANTIC = 2 * VIEW
# The views take turns in the strongest directions, so that neither knows more than the other.
ORDER = [*range(0, SEMANTIC, 2), *range(1, SEMANTIC, 2)]
TEXTS = ["passages", "queries", "phrases"]


def token_strings(description: dict) -> list[str]:
    """Each token as the text it stands for; '' for bytes that are none and for control tokens."""
    tokenizer = Tokenizer.from_str(json.dumps(description))
    size = len(description["model"]["vocab"]) + len(description["added_tokens"])
    return [tokenizer.decode([index]).strip().replace("\N{REPLACEMENT CHARACTER}", "") for index in range(size)]


class Bags:
    """All texts as bags of tokens, and MiniLM's vectors of them."""

    def __init__(self):
        stored = np.load(WORK / "ids.npz")
        ending = len(Prompts().encode(QUERY_END))
        # Phrases that are asked as queries are there as phrases already.
        asked = [index for index, row in enumerate(read("queries")) if row["source"] != "phrases"]
        rows = {"passages": slice(None), "queries": asked, "phrases": slice(None)}
        ids, spans, before = [], [], 0
        for kind in TEXTS:
            own, places = stored[f"{kind}_ids"], stored[f"{kind}_starts"] + before
            ends = np.minimum(places[1:] - (ending if kind == "queries" else 0), places[:-1] + LONGEST)
            ids.append(own.astype(np.int64))
            spans.append(np.stack([places[:-1], ends], axis=1)[rows[kind]])
            before += len(own)
        self.ids, self.spans = torch.from_numpy(np.concatenate(ids)), np.concatenate(spans)
        raw = [np.load(WORK / f"{kind}.npy")[rows[kind]].astype(np.float32) for kind in TEXTS]
        self.vectors = torch.from_numpy(np.concatenate(raw))

    def __len__(self) -> int:
        return len(self.vectors)

    def sums(self, table: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """The sum of each text's token vectors, (rows, 180)."""
        places = [np.arange(start, end) for start, end in self.spans[rows]]
        starts = np.cumsum([0] + [len(own) for own in places[:-1]])
        return F.embedding_bag(self.ids[np.concatenate(places)], table, torch.from_numpy(starts), mode="sum")


def directions(table: torch.Tensor) -> torch.Tensor:
    """Each token's two views, at length 1."""
    return F.normalize(table.view(-1, 2, VIEW), dim=2, eps=1e-6).flatten(1)


def likeness(bags: Bags, table, weights, targets: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
    sums = bags.sums(directions(table) * weights.exp()[:, None], rows)
    return F.cosine_similarity(sums, targets[rows]).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rate", type=float, default=0.02)
    options = parser.parse_args()
    bags = Bags()
    mean = bags.vectors.mean(dim=0)
    centred = bags.vectors - mean
    _, axes = torch.linalg.eigh(centred.T @ centred)
    axes = axes.flip(1)[:, ORDER].contiguous()
    targets = F.normalize(centred @ axes, dim=1)
    strings = token_strings(json.loads((WORK / "tokenizer.json").read_text()))
    own = torch.from_numpy(embed(strings, *minilm()).astype(np.float32))
    share = torch.bincount(bags.ids, minlength=len(strings)) / len(bags.ids)
    # Frequent tokens say little (Arora, Liang and Ma, 2017).
    weights = torch.nn.Parameter((1e-3 / (1e-3 + share)).log())
    table = torch.nn.Parameter(F.normalize((own - mean) @ axes, dim=1))

    chance = np.random.default_rng(0)
    order = chance.permutation(len(bags))
    unseen, seen = order[: len(order) // 50], order[len(order) // 50 :]
    fit = torch.optim.Adam([table, weights], lr=options.rate, betas=(0.9, 0.99))
    per_epoch = max(1, len(seen) // 1024)
    with torch.no_grad():
        print(
            f"mean cosine with texts not learned from: {likeness(bags, table, weights, targets, unseen):.4f} at first"
        )
    for epoch in range(options.epochs):
        for number, rows in enumerate(np.array_split(chance.permutation(seen), per_epoch)):
            done = (epoch * per_epoch + number) / (options.epochs * per_epoch)
            fit.param_groups[0]["lr"] = options.rate * (1 - done)
            loss = 1 - likeness(bags, table, weights, targets, rows)
            fit.zero_grad()
            loss.backward()
            fit.step()
        with torch.no_grad():
            print(f"epoch {epoch + 1}: {likeness(bags, table, weights, targets, unseen):.4f}", flush=True)
    with torch.no_grad():
        np.savez(
            WORK / "vectors.npz",
            directions=directions(table).numpy(),
            weights=weights.numpy(),
            mean=mean.numpy(),
            axes=axes.numpy(),
        )


if __name__ == "__main__":
    main()
