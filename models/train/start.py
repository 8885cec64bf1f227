"""Step 5, start: a model whose weights are set, not drawn, to BM25 with soft matches, pairs of words and the
likeness of two means.

Token vectors are those of vectors.py: directions of MiniLM's space. Two views of them, of one length for every token,
are what the layers compare by. 44 dimensions are for the token before. The other 32 hold a constant, the token's IDF
and its weight in a mean, flags for the prompt's markers, and what the layers work out:

    layer 1  which part of the prompt a token stands in (attends to the markers `Query` and `Document`)
    layer 2  each token looks at the two or so before it, and at the weightier of the last four: what they say is added
             to what it says, a little, so that the capital of a country is not only a capital and a country
    layer 3  each token looks at the one just before it: what it is, by a random projection, and its IDF
    layer 4  each document token attends to the query token that it resembles, if what stands before them is alike too, or
             to a sink: the IDF of both words. So word order counts (as the teacher's pairs do)
    layer 5  each document token attends to the query tokens that it resembles, or to a sink if none does:
             the IDF of what it matched
    layer 6  each document token attends to its like before it: how many, so that repeats count less (BM25's
             saturation), by a gate in the feed-forward part. The token `<Document` gathers the weighted mean of the
             query's token vectors, the last token that of the document's
    layer 7  the last token adds up what was matched, words and pairs, over the document's length (BM25's length
             normalisation), and compares the two means: two sigmoids of their likeness

Everything else is small noise, and training moves all of it.

    python models/train/start.py
"""

import json
import math

import numpy as np
import torch

from batches import Prompts
from model import CONFIG, Reranker
from prompt import QUERY_END
from sources import WORK
from vectors import SEMANTIC, VIEW, token_strings

# Rotary pairs from 14 on turn by less than 0.4 over 150 tokens: the comparisons use those, but for the last five, which
# are for flags.
CONTENT = [*range(14, 59), *range(14 + 64, 59 + 64)]
FLAG, PLAIN, SINK = 63, 127, 62
ASKED, TOLD, HEAVY = 61, 125, 60
# The rotary pairs that tell how far apart two tokens stand; and how far before a token its two heads look, and how much
# of what they see is added.
NEAR = 11
REACH = ((1.0, 0.07), (2.2, 0.15))
NORM = 9.9  # of each view of a token
CONSTANT, IDF, DOCUMENT, QUERY, FIRST, LAST, WEIGHT = 224, 225, 226, 227, 228, 229, 230
IN_QUERY, IN_DOCUMENT = 232, 233
MATCHED, SEEN, FOUND, SUM = 236, 240, 244, 248  # four heads each; SEEN two
LIKENESS = 252  # two heads
# The token before: what it is, its IDF; the IDF of a pair that was matched, strictly and loosely, and their sums.
BEFORE, RARITY, PAIR_FOUND, PAIR_SUM = slice(180, 224), 231, (234, 235), (254, 255)
# The rotary pairs that find the token just before, and the length of what is kept of it beside its own (projected) views.
NEXT, KEPT = 4, 1.3
# A token that resembles another by more than about this share of a like one's logit beats the sink.
MATCH_THRESHOLDS = (10.9, 9.2)
LIKENESS_THRESHOLDS = (1.2, 1.9)
MEAN = 3.0  # what a mean is multiplied by


def idf(count: int) -> np.ndarray:
    """BM25's IDF of every token over the passages, the rarest 1."""
    ids = np.load(WORK / "ids.npz")
    flat, starts = ids["passages_ids"], ids["passages_starts"]
    passage = np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
    pairs = np.unique(passage * count + flat)
    df = np.bincount(pairs % count, minlength=count)
    n = len(starts) - 1
    value = np.log(1 + (n - df + 0.5) / (df + 0.5))
    return np.where(df > 0, value / np.log(1 + (n - 0.5) / 1.5), 0.5).astype(np.float32)


def gain(layer, value: float):
    """Makes the logit of two like heads `value`: both norms' weights times the root of the head's size."""
    size = layer.self_attn["q_norm"].weight.numel()
    for name in ["q_norm", "k_norm"]:
        layer.self_attn[name].weight.fill_(math.sqrt(value / math.sqrt(size)))


def layer_rows(layer, name: str, head: int) -> torch.Tensor:
    """One head's rows of a projection."""
    size = layer.self_attn["q_norm"].weight.numel()
    return layer.self_attn[name].weight[head * size : (head + 1) * size]


def rows(layer, name: str, head: int) -> torch.Tensor:
    """One head's rows of a projection, set to a little noise."""
    part = layer_rows(layer, name, head)
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
    segment, context, before, pair, match, count, collect = model.layers
    model.answers.zero_()
    compile_segments(segment)
    compile_context(context)
    compile_before(before)
    compile_pairs(pair, constant=4.3, asked=4.2, told=3.8, thresholds=(6.0, 5.6))
    compile_match(match)
    compile_count(count)
    compile_gather(count)
    compile_collect(collect, model.answers)
    compile_likeness(collect, model.answers)
    collect_pairs(collect, model.answers, 1.0)


def compile_segments(layer):
    """Layer 1: each token learns which marker it stands behind."""
    gain(layer, 45)
    q, k, v = (rows(layer, name, 0) for name in ["q_proj", "k_proj", "v_proj"])
    q[FLAG, CONSTANT] = 1
    k[PLAIN, CONSTANT], k[FLAG, DOCUMENT], k[FLAG, QUERY], k[FLAG, FIRST] = 1, 3, 0.5, 0.25
    v[0, DOCUMENT], v[1, QUERY] = 1, 1
    write(layer, 0, 0, IN_DOCUMENT, 0.343)
    write(layer, 0, 1, IN_QUERY, 0.343)


def compile_context(layer):
    """Layer 2: what stands before a token. A head's logit is highest at one distance, by the sum of the cosines of the
    distance's turns; the one that looks further prefers rare tokens."""
    gain(layer, 16)
    size = layer.self_attn["q_norm"].weight.numel()
    turns = CONFIG["rope_theta"] ** (-2 * torch.arange(NEAR) / size)
    for pair in range(2):
        own = [*range(pair * VIEW, (pair + 1) * VIEW)]
        k, v = (rows(layer, name, pair) for name in ["k_proj", "v_proj"])
        k[:NEAR, CONSTANT], k[PLAIN, IDF] = NEAR**-0.5, 0.7
        v[: len(own)] = torch.eye(CONFIG["hidden_size"])[own]
        for place, (reach, share) in enumerate(REACH):
            head = 2 * pair + place
            q = rows(layer, "q_proj", head)
            q[:NEAR, CONSTANT] = (reach * turns).cos() * NEAR**-0.5
            q[size // 2 : size // 2 + NEAR, CONSTANT] = -(reach * turns).sin() * NEAR**-0.5
            q[PLAIN, CONSTANT] = 0.3 * place
            for source, target in enumerate(own):
                write(layer, head, source, target, share)


def projections() -> tuple[torch.Tensor, torch.Tensor]:
    """Two random projections of a token's views, orthogonal to each other: of the token before, of the token itself."""
    kept = BEFORE.stop - BEFORE.start
    drawn = torch.randn(SEMANTIC, len(CONTENT), generator=torch.Generator().manual_seed(0))
    both = torch.linalg.qr(drawn)[0].T
    return both[:kept], both[kept:]


def compile_before(layer):
    """Layer 3: a head that sees the token just before, by rotary pairs that turn fast."""
    size = layer.self_attn["q_norm"].weight.numel()
    places = [*range(NEXT), *range(size // 2, size // 2 + NEXT)]
    for name in ("q_norm", "k_norm"):
        layer.self_attn[name].weight.fill_(1)
        layer.self_attn[name].weight[places] = math.sqrt(60 / math.sqrt(size))
    q, k, v = (rows(layer, name, 0).zero_() for name in ("q_proj", "k_proj", "v_proj"))
    turns = CONFIG["rope_theta"] ** (-2 * torch.arange(NEXT) / size)
    k[:NEXT, CONSTANT] = 1
    q[:NEXT, CONSTANT], q[size // 2 : size // 2 + NEXT, CONSTANT] = turns.cos(), -turns.sin()
    before, _ = projections()
    v[: len(before), :SEMANTIC] = before
    v[len(before), IDF] = 1
    layer.self_attn["o_proj"].weight[BEFORE, : len(before)] = KEPT * torch.eye(len(before))
    write(layer, 0, len(before), RARITY, 1)


def compile_pairs(layer, constant: float, asked: float, told: float, thresholds: tuple[float, float]):
    """Layer 4: two heads that attend to the query token with the same token before it, or to a sink; the thresholds say how
    like a pair must be to be one, strictly and loosely. `constant`, `asked` and `told` are what the constant, IN_QUERY of
    a query's token and IN_DOCUMENT of a document's are there, normed."""
    gain(layer, 110)
    k, v = (rows(layer, name, 0).zero_() for name in ("k_proj", "v_proj"))
    before, own = projections()
    content = torch.zeros(len(CONTENT), CONFIG["hidden_size"])
    content[: len(own), :SEMANTIC] = 1.15 * own
    content[len(own) :, BEFORE] = torch.eye(len(before))
    k[CONTENT] = content
    k[FLAG, IN_QUERY], k[FLAG, IN_DOCUMENT] = 7 / asked, -6.3 / told
    k[SINK, FIRST], k[SINK, CONSTANT] = 8, -1.6
    v[0, IDF], v[0, RARITY] = 1, 1
    for head, threshold in enumerate(thresholds):
        q = rows(layer, "q_proj", head).zero_()
        q[CONTENT] = content
        q[FLAG, CONSTANT], q[SINK, CONSTANT] = 8.2 / constant, threshold / constant
        write(layer, head, 0, PAIR_FOUND[head], 1)


def collect_pairs(layer, answers, weight: float):
    """Layer 7: the sum of pairs, by the head that sums words; the strict ones count."""
    v = layer_rows(layer, "v_proj", 0)
    for place, (paired, total) in enumerate(zip(PAIR_FOUND, PAIR_SUM, strict=True), start=4):
        v[place].zero_()
        v[place, paired] = 1
        layer.self_attn["o_proj"].weight[:, place] = 0
        write(layer, 0, place, total, 15)
        answers[1, total] = weight if place == 4 else 0


def compile_pair(layer, pair: int, segment: int, thresholds: tuple[float, float]):
    """Two heads that compare view `pair` of a token with the tokens of one segment before it, or attend to a sink."""
    view = torch.eye(SEMANTIC)[pair * VIEW : (pair + 1) * VIEW]
    k = rows(layer, "k_proj", pair)
    k[CONTENT, :SEMANTIC] = view
    k[FLAG, segment], k[PLAIN, CONSTANT], k[SINK, QUERY] = 1.9, 1.7, 8
    for place, threshold in enumerate(thresholds):
        q = rows(layer, "q_proj", 2 * pair + place)
        q[CONTENT, :SEMANTIC] = view
        q[FLAG, CONSTANT], q[SINK, CONSTANT] = 2, threshold / 5
        q[SINK, DOCUMENT] = q[SINK, LAST] = 8  # means match nothing


def compile_match(layer):
    """Layer 5: the IDF of what a token matches."""
    gain(layer, 80)
    for pair in range(2):
        compile_pair(layer, pair, IN_QUERY, MATCH_THRESHOLDS)
        rows(layer, "v_proj", pair)[0, IDF] = 1
        for head in (2 * pair, 2 * pair + 1):
            write(layer, head, 0, MATCHED + head, 1)


def compile_count(layer):
    """Layer 6: matches, each the less the more of its like came before it."""
    gain(layer, 50)
    mlp = layer.mlp
    for pair in range(2):
        compile_pair(layer, pair, IN_DOCUMENT, (11.9, 11.9))
        rows(layer, "v_proj", pair)[0, IN_DOCUMENT] = 0.94
        write(layer, 2 * pair, 0, SEEN + pair, 1)
        for unit in (2 * pair, 2 * pair + 1):
            mlp["gate_proj"].weight[unit].zero_()
            mlp["up_proj"].weight[unit].zero_()
            mlp["gate_proj"].weight[unit, CONSTANT], mlp["gate_proj"].weight[unit, SEEN + pair] = 1.68, -2
            mlp["gate_proj"].weight[unit, FIRST] = -5  # the sinks of layer 7 hold nothing
            mlp["up_proj"].weight[unit, MATCHED + unit] = 1
            mlp["down_proj"].weight[FOUND + unit, unit] = 0.3


def compile_gather(layer):
    """Layer 6's other two heads: a part of the query's mean each, 127 dimensions and the rest, to `<Document`, and of the
    document's to the end."""
    size = layer.self_attn["q_norm"].weight.numel()
    start = 0
    for pair in range(2):
        head = 2 * pair + 1
        k, v, q = layer_rows(layer, "k_proj", pair), layer_rows(layer, "v_proj", pair), rows(layer, "q_proj", head)
        k[ASKED, IN_QUERY], k[TOLD, IN_DOCUMENT], k[HEAVY, WEIGHT] = 1.5, 1.5, 0.55
        q[ASKED, DOCUMENT], q[TOLD, LAST], q[HEAVY, CONSTANT] = 3, 3, 4
        q[SINK, CONSTANT], q[SINK, DOCUMENT], q[SINK, LAST] = 8, -4, -4  # others gather nothing
        # The first value is the count's.
        for place, dimension in enumerate(range(start, min(start + size - 1, SEMANTIC)), start=1):
            v[place, dimension] = 1
            write(layer, head, place, dimension, MEAN)
        start += size - 1


def compile_collect(layer, answers):
    """Layer 7: the mean of what was found, over the document and a sink."""
    gain(layer, 45)
    q, k, v = (rows(layer, name, 0) for name in ["q_proj", "k_proj", "v_proj"])
    q[FLAG, CONSTANT] = 1
    k[PLAIN, CONSTANT], k[FLAG, IN_DOCUMENT], k[FLAG, FIRST] = 1, 1, 0.22
    for head in range(4):
        v[head, FOUND + head] = 1
        write(layer, 0, head, SUM + head, 15)
    answers[1, SUM : SUM + 4] = 2
    answers[1, CONSTANT] = -1.8  # so that most documents score low


def compile_likeness(layer, answers):
    """Layer 7's other heads: the last token's mean against that of `<Document`, in the strongest directions."""
    strongest = torch.eye(SEMANTIC)[[*range(VIEW // 2), *range(VIEW, VIEW + VIEW // 2)]]
    k, v = rows(layer, "k_proj", 1), rows(layer, "v_proj", 1)
    k[CONTENT, :SEMANTIC], k[FLAG, DOCUMENT], k[SINK, FIRST] = strongest, 1.5, 3
    v[0, DOCUMENT] = 1
    for place, threshold in enumerate(LIKENESS_THRESHOLDS):
        q = rows(layer, "q_proj", 2 + place)
        q[CONTENT, :SEMANTIC], q[FLAG, CONSTANT], q[SINK, CONSTANT] = strongest, 2, threshold
        write(layer, 2 + place, 0, LIKENESS + place, 0.3)
    answers[1, LIKENESS : LIKENESS + 2] = 5


def table(description: dict) -> torch.Tensor:
    """The embedding: semantic part, constant, IDF, flags of the prompt's markers."""
    strings = token_strings(description)
    weights = np.zeros((len(strings), CONFIG["hidden_size"]), np.float32)
    learned = np.load(WORK / "vectors.npz")
    weights[:, :SEMANTIC] = learned["directions"] * NORM
    weights[:, WEIGHT] = learned["weights"]
    weights[:, CONSTANT] = 5
    weights[:, IDF] = 5 * idf(len(strings))
    prompts = Prompts()
    # The prompt's own tokens and punctuation are nothing to match, nor to gather.
    for index in [*prompts.suffix, *prompts.encode(QUERY_END)]:
        weights[index, IDF], weights[index, WEIGHT] = 0, -5
    for index, text in enumerate(strings):
        if not any(letter.isalnum() for letter in text):
            weights[index, IDF] = min(weights[index, IDF], 0.2)
    for text, flag in [("Document", DOCUMENT), ("Query", QUERY)]:
        (index,) = [index for index in prompts.encode(f"\n<{text}>:") if text in strings[index]]
        weights[index, flag] = 10
        weights[index, IDF] = 0
    weights[prompts.prefix[0], FIRST] = 10
    weights[prompts.suffix[-1], LAST] = 10
    # These hold means, or nothing.
    marked = (weights[:, [DOCUMENT, QUERY, FIRST, LAST]] > 0).any(axis=1)
    weights[marked, :SEMANTIC] = 0
    return torch.from_numpy(weights)


def main():
    torch.manual_seed(0)
    description = json.loads((WORK / "tokenizer.json").read_text())
    model = Reranker()
    compile_start(model, table(description))
    torch.save(model.state_dict(), WORK / "start.pt")


if __name__ == "__main__":
    main()
