"""Step 4, start: a model whose weights are set, not drawn, to BM25 with soft matches, before any training.

Token vectors are MiniLM's vectors of the tokens' strings, reduced to 224 dimensions by PCA. The strongest 132 of them
are mixed and split into two views of one length for every token, which the layers compare by. The other 32 dimensions
hold a constant, the token's IDF, flags for the prompt's markers, and what the layers work out:

    layer 1  which part of the prompt a token stands in (attends to the markers `Query` and `Document`)
    layer 2  nothing yet
    layer 3  each document token attends to the query tokens that it resembles, or to a sink if none does:
             the IDF of what it matched
    layer 4  each document token attends to its like before it: how many, so that repeats count less (BM25's
             saturation), by a gate in the feed-forward part
    layer 5  the last token adds up what was matched, over the document's length (BM25's length normalisation)

Everything else is small noise, and training moves all of it.

    python models/train/start.py
"""

import json
import math

import numpy as np
import torch
from tokenizers import Tokenizer

from batches import Prompts
from model import CONFIG, Reranker
from sources import WORK
from teacher import embed, minilm

SEMANTIC = 224
VIEW = 66
NORM = 9.9  # of each view of a token
CONSTANT, IDF, DOCUMENT, QUERY, FIRST = 224, 225, 226, 227, 228
IN_QUERY, IN_DOCUMENT = 232, 233
MATCHED, SEEN, FOUND, SUM = 236, 240, 244, 248  # four heads each; SEEN two
QUERY_IDF = 252
# Rotary pairs from 28 on turn by less than 0.4 over 150 tokens: the match uses those. The last three hardly turn.
CONTENT = [*range(28, 61), *range(28 + 64, 61 + 64)]
FLAG, PLAIN, SINK = 63, 127, 62


def token_strings(description: dict) -> list[str]:
    """Each token as the text it stands for; '' for bytes that are none and for control tokens."""
    tokenizer = Tokenizer.from_str(json.dumps(description))
    size = len(description["model"]["vocab"]) + len(description["added_tokens"])
    return [tokenizer.decode([index]).strip().replace("\N{REPLACEMENT CHARACTER}", "") for index in range(size)]


def idf(count: int) -> np.ndarray:
    """BM25's IDF of every token over the passages, the rarest 1."""
    ids = np.load(WORK / "ids.npz")
    flat, starts = ids["passage_ids"], ids["passage_starts"]
    passage = np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
    pairs = np.unique(passage * count + flat)
    df = np.bincount(pairs % count, minlength=count)
    n = len(starts) - 1
    value = np.log(1 + (n - df + 0.5) / (df + 0.5))
    return np.where(df > 0, value / np.log(1 + (n - 0.5) / 1.5), 0.5).astype(np.float32)


def vectors(strings: list[str]) -> np.ndarray:
    """MiniLM's vectors of the strings, centred, by PCA to 224 dimensions: two views of length 1, and the rest."""
    tokenizer, model = minilm()
    raw = embed(strings, tokenizer, model).astype(np.float32)
    raw -= raw.mean(axis=0)
    _, axes = np.linalg.eigh(raw.T @ raw)
    reduced = raw @ axes[:, ::-1][:, :SEMANTIC]
    basis, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((2 * VIEW, 2 * VIEW)))
    parts = np.split(reduced[:, : 2 * VIEW] @ basis, 2, axis=1) + [reduced[:, 2 * VIEW :]]
    lengths = [np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-6) for part in parts[:2]]
    return np.concatenate(
        [parts[0] / lengths[0], parts[1] / lengths[1], parts[2] / (lengths[0] + lengths[1]) * 2], axis=1
    )


def gain(layer, value: float):
    """Makes the logit of two like heads `value`: both norms' weights times the root of the head's size."""
    size = layer.self_attn["q_norm"].weight.numel()
    for name in ["q_norm", "k_norm"]:
        layer.self_attn[name].weight.fill_(math.sqrt(value / math.sqrt(size)))


def rows(layer, name: str, head: int) -> torch.Tensor:
    """One head's rows of a projection; they start at zero with a little noise."""
    size = layer.self_attn["q_norm"].weight.numel()
    part = layer.self_attn[name].weight[head * size : (head + 1) * size]
    part.normal_(0, 0.005)
    if name == "v_proj":  # the values that are passed on by design, without noise
        part[:4].zero_()
    return part


def write(layer, head: int, source: int, target: int, weight: float):
    """Adds one value of a head to a dimension of the stream."""
    size = layer.self_attn["q_norm"].weight.numel()
    layer.self_attn["o_proj"].weight[target, head * size + source] = weight


@torch.no_grad()
def compile_start(model: Reranker, table: torch.Tensor):
    """Sets all weights. `table` is the embedding, (tokens, 256)."""
    model.embed_tokens.weight.copy_(table)
    for layer in model.layers:
        for name, weight in layer.named_parameters():
            if weight.dim() == 2:
                last = "o_proj" in name or "down_proj" in name
                weight.normal_(0, 0.004 if last else 0.05)
                if last:  # noise stays out of the dimensions with a meaning
                    weight[SEMANTIC:].zero_()
    segment, _, match, count, collect = model.layers

    gain(segment, 45)
    q, k, v = (rows(segment, name, 0) for name in ["q_proj", "k_proj", "v_proj"])
    q[FLAG, CONSTANT] = 1
    k[PLAIN, CONSTANT], k[FLAG, DOCUMENT], k[FLAG, QUERY], k[FLAG, FIRST] = 1, 3, 0.5, 0.25
    v[0, DOCUMENT], v[1, QUERY] = 1, 1
    write(segment, 0, 0, IN_DOCUMENT, 0.6)
    write(segment, 0, 1, IN_QUERY, 0.6)

    gain(match, 80)
    gain(count, 50)
    for pair in range(2):
        view = torch.eye(SEMANTIC)[pair * VIEW : (pair + 1) * VIEW]
        for layer, segment_flag in [(match, IN_QUERY), (count, IN_DOCUMENT)]:
            k, v = rows(layer, "k_proj", pair), rows(layer, "v_proj", pair)
            k[CONTENT, :SEMANTIC] = view
            k[FLAG, segment_flag], k[PLAIN, CONSTANT], k[SINK, QUERY] = 1.9, 1.7, 8
            # A token that resembles the other by a cosine of c beats the sink where 5.9 c + 6 > 0.98 threshold.
            thresholds = (10.9, 9.2) if layer is match else (11.9, 11.9)
            for place, threshold in enumerate(thresholds):
                head = 2 * pair + place
                q = rows(layer, "q_proj", head)
                q[CONTENT, :SEMANTIC] = view
                q[FLAG, CONSTANT], q[SINK, CONSTANT] = 2, threshold / 5
                if layer is match:
                    v[0, IDF] = 1
                    write(layer, head, 0, MATCHED + head, 1)
                elif place == 0:
                    v[0, IN_DOCUMENT] = 0.94
                    write(layer, head, 0, SEEN + pair, 1)
            for unit in (2 * pair, 2 * pair + 1) if layer is count else ():
                mlp = layer.mlp
                mlp["gate_proj"].weight[unit].zero_()
                mlp["up_proj"].weight[unit].zero_()
                mlp["gate_proj"].weight[unit, CONSTANT], mlp["gate_proj"].weight[unit, SEEN + pair] = 1.68, -2
                mlp["up_proj"].weight[unit, MATCHED + unit] = 1
                mlp["down_proj"].weight[FOUND + unit, unit] = 0.3

    gain(collect, 45)
    for pair, (flag, first) in enumerate([(IN_DOCUMENT, 0.656), (IN_QUERY, 0.62)]):
        q = rows(collect, "q_proj", 2 * pair)
        k, v = rows(collect, "k_proj", pair), rows(collect, "v_proj", pair)
        q[FLAG, CONSTANT] = 1
        k[PLAIN, CONSTANT], k[FLAG, flag], k[FLAG, FIRST] = 1, 1, first
        if pair == 0:
            for head in range(4):
                v[head, FOUND + head] = 1
                write(collect, 0, head, SUM + head, 60)
        else:
            v[0, IDF] = 1
            write(collect, 2, 0, QUERY_IDF, 3)
    model.answers.zero_()
    model.answers[1, SUM : SUM + 4] = 8
    model.answers[1, QUERY_IDF] = -0.5


def table(description: dict) -> torch.Tensor:
    """The embedding: semantic part, constant, IDF, flags of the prompt's markers."""
    strings = token_strings(description)
    weights = np.zeros((len(strings), CONFIG["hidden_size"]), np.float32)
    weights[:, :SEMANTIC] = vectors(strings) * NORM
    weights[:, CONSTANT] = 5
    weights[:, IDF] = 5 * idf(len(strings))
    prompts = Prompts()
    # The prompt's own tokens and punctuation are nothing to match.
    for index in [*prompts.suffix, *prompts.query("")]:
        weights[index, IDF] = 0
    for index, text in enumerate(strings):
        if not any(letter.isalnum() for letter in text):
            weights[index, IDF] = min(weights[index, IDF], 0.2)
    for text, flag in [("Document", DOCUMENT), ("Query", QUERY)]:
        (index,) = [index for index in prompts.encode(f"\n<{text}>:") if text in strings[index]]
        weights[index, flag] = 10
        weights[index, IDF] = 0
    weights[prompts.prefix[0], FIRST] = 10
    return torch.from_numpy(weights)


def main():
    torch.manual_seed(0)
    description = json.loads((WORK / "tokenizer.json").read_text())
    model = Reranker()
    compile_start(model, table(description))
    torch.save(model.state_dict(), WORK / "start.pt")


if __name__ == "__main__":
    main()
