"""From text to ids, as the official scoring code goes about it."""

import json
import struct
import zlib

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

# The official prompt (README of QwenLM/Qwen3-Embedding, its Transformers example).
PREFIX = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"

CONTROL, USER_DEFINED = 3, 4


class Tokens:
    """One vocabulary, read in both ways: control tokens in texts as such (the reference), or as plain text."""

    def __init__(self, description):
        self.parsed = Tokenizer.from_str(json.dumps(description))
        self.plain = Tokenizer.from_str(json.dumps({**description, "added_tokens": []}))
        self.fast = PreTrainedTokenizerFast(tokenizer_object=self.parsed)
        self.prefix = self.encode(PREFIX)
        self.suffix = self.encode(SUFFIX)
        (self.yes,) = self.encode("yes")
        (self.no,) = self.encode("no")

    def encode(self, text, control=True):
        """Ids of a text alone, nothing added."""
        return (self.parsed if control else self.plain).encode(text, add_special_tokens=False).ids

    def prompt(self, query, document, instruction=None, max_length=8192, control=True):
        """Ids of a whole prompt: frame, and content cut on the right to what the frame leaves."""
        content = f"<Instruct>: {INSTRUCTION if instruction is None else instruction}\n<Query>: {query}\n<Document>: {document}"
        budget = max_length - len(self.prefix) - len(self.suffix)
        if control:
            # The step of the official code, with the class that it uses.
            ids = self.fast(
                content, padding=False, truncation="longest_first", max_length=budget, return_attention_mask=False
            )["input_ids"]
        else:
            ids = self.encode(content, control=False)[:budget]
        return self.prefix + ids + self.suffix


def read_description(path):
    """A tokenizer.json as a dictionary."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def description_of(reader, real):
    """The tokenizer.json of a GGUF's own vocabulary; its stages are those of the real one."""
    tokens = reader.get_field("tokenizer.ggml.tokens").contents()
    types = reader.get_field("tokenizer.ggml.token_type").contents()
    merges = reader.get_field("tokenizer.ggml.merges").contents()
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    vocabulary, added = {}, []
    for index, (token, kind) in enumerate(zip(tokens, types, strict=True)):
        if kind in (CONTROL, USER_DEFINED):
            added.append({"id": index, "content": token, **flags, "special": kind == CONTROL})
        else:
            vocabulary[token] = index
    model = {**real["model"], "vocab": vocabulary, "merges": [merge.split(" ") for merge in merges]}
    return {**real, "model": model, "added_tokens": added}


def same_vocabulary(a, b):
    """Whether two descriptions give every text the same ids."""

    def parts(d):
        return d["model"]["vocab"], d["model"]["merges"], {t["content"]: t["id"] for t in d["added_tokens"]}

    return parts(a) == parts(b)


def fingerprint(ids):
    """Short stand-in for a long list of ids: their count and the CRC-32 of them as little-endian u32."""
    return {"count": len(ids), "crc32": zlib.crc32(struct.pack(f"<{len(ids)}I", *ids))}
