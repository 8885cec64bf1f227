"""From texts to batches: the official prompt in three parts, and documents sorted into groups of like length."""

import json

import numpy as np
import torch
from tokenizers import Tokenizer

from model import Batch, Group
from prompt import QUERY_END, SUFFIX, shared
from sources import WORK


class Prompts:
    """Ids of the prompt's parts. The parts join where the pre-tokenizer splits anyway, so that their ids laid end to
    end are the ids of the whole."""

    def __init__(self, longest: int = 480):
        self.tokenizer = Tokenizer.from_str(json.dumps(json.loads((WORK / "tokenizer.json").read_text())))
        self.prefix = torch.tensor(self.encode(shared()))
        self.suffix = self.encode(SUFFIX)
        self.longest = longest
        (self.yes,), (self.no,) = self.encode("yes"), self.encode("no")

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def query(self, text: str) -> list[int]:
        return self.encode(f" {text}{QUERY_END}")

    def document(self, text: str) -> list[int]:
        return self.encode(f" {text}")

    def batch(
        self, queries: list, documents: list[list], groups: int = 12, ending: int | None = None
    ) -> tuple[Batch, np.ndarray]:
        """A batch of queries and each one's documents, as ids; and for every score its (query, document) row. Behind
        the documents stand only the last `ending` tokens of the prompt, where that is given."""
        suffix = self.suffix if ending is None else self.suffix[-ending:]
        lengths = torch.tensor([len(query) for query in queries])
        asked = torch.zeros(len(queries), int(lengths.max()), dtype=torch.long)
        for row, query in enumerate(queries):
            asked[row, : len(query)] = torch.as_tensor(np.asarray(query, np.int64))
        flat = [(row, place, len(ids)) for row, own in enumerate(documents) for place, ids in enumerate(own)]
        flat.sort(key=lambda entry: entry[2])
        made, order = [], []
        # As many tokens in each group, so that long documents, which differ most, are padded least.
        ends = np.cumsum([n for _, _, n in flat])
        for part in np.split(np.arange(len(flat)), np.searchsorted(ends, ends[-1] * np.arange(1, groups) / groups)):
            if len(part) == 0:
                continue
            members = [flat[index] for index in part]
            length = torch.tensor([min(n, self.longest) + len(suffix) for _, _, n in members])
            ids = torch.zeros(len(members), int(length.max()), dtype=torch.long)
            for line, (row, place, _) in enumerate(members):
                own = np.asarray(documents[row][place][: self.longest], np.int64)
                ids[line, : len(own)] = torch.from_numpy(own)
                ids[line, len(own) : len(own) + len(suffix)] = torch.tensor(suffix)
            made.append(Group(ids, torch.tensor([row for row, _, _ in members]), length))
            order += [(row, place) for row, place, _ in members]
        return Batch(self.prefix, asked, lengths, made), np.array(order)
