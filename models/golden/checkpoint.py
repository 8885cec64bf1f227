"""A tiny random checkpoint as transformers saves it, sharded, in bf16, with a vocabulary of its own."""

import json

import torch
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from . import cases, tokens
from .texts import ENGLISH

SEED = 9
MERGES = 400
# Read in f32 by the reference and written so in F32 files, bf16 weights lose nothing.
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
}


def cut(real):
    """The real tokenizer.json with its first merges and those that the prompt and some texts need, ids renumbered."""
    texts = [
        tokens.PREFIX,
        tokens.SUFFIX,
        tokens.INSTRUCTION,
        "yes",
        "no",
        ENGLISH,
        *cases.CAPITALS,
        " ".join(cases.WORDS),
    ]
    whole = tokens.Tokens(real)
    names = {index: token for token, index in real["model"]["vocab"].items()}
    needed = {names[index] for text in texts for index in whole.encode(text, control=False)}
    merges = real["model"]["merges"]
    rank_of = {left + right: rank for rank, (left, right) in reversed(list(enumerate(merges)))}
    keep, open_tokens = set(range(MERGES)), list(needed)
    while open_tokens:
        rank = rank_of.get(open_tokens.pop())
        if rank is not None and rank not in keep:
            keep.add(rank)
            open_tokens += merges[rank]
    kept = [merges[rank] for rank in sorted(keep)]
    ordered = [names[index] for index in range(256)] + [left + right for left, right in kept]
    added = [{**token, "id": len(ordered) + place} for place, token in enumerate(real["added_tokens"])]
    model = {**real["model"], "vocab": {token: index for index, token in enumerate(ordered)}, "merges": kept}
    return {**real, "model": model, "added_tokens": added}


def random_model(vocabulary):
    """The model, with weights that give margins a spread near 1."""
    torch.manual_seed(SEED)
    rope = {"rope_type": "default", "rope_theta": 1e6}
    config = Qwen3Config(
        vocab_size=vocabulary,
        **SHAPE,
        rope_parameters=rope,
        tie_word_embeddings=True,
        max_position_embeddings=40960,
        dtype=torch.bfloat16
    )
    model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 1:
                weight.normal_(1.2, 0.1)
            else:
                weight.normal_(0, weight.shape[1] ** -0.5)
    return model.to(torch.bfloat16)


def make(real, folder):
    """Writes the folder; returns prompts with ids and the margins of the same weights in f32."""
    description = cut(real)
    own = tokens.Tokens(description)
    size = len(description["model"]["vocab"]) + len(description["added_tokens"])
    model = random_model(size)
    for old in folder.glob("*"):
        old.unlink()
    model.save_pretrained(folder, max_shard_size="200KB")
    PreTrainedTokenizerFast(tokenizer_object=own.parsed).save_pretrained(folder)
    # As the official folder has it: pretty-printed it would be four times the size.
    (folder / "tokenizer.json").write_text(json.dumps(description, ensure_ascii=False))
    # Read back rather than cast: casting the whole model rounds its rotary frequencies to bf16 too.
    model = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return [entry(model, own, request, document) for request in cases.REQUESTS[:3] for document in request["documents"]]


@torch.inference_mode()
def entry(model, own, request, document):
    """One pair."""
    ids = own.prompt(request["query"], document)
    logits = model(input_ids=torch.tensor([ids]), logits_to_keep=1).logits[0, -1]
    margin = (logits[own.yes] - logits[own.no]).item()
    return {"query": request["query"], "document": document, "ids": ids, "margin": round(margin, 6)}
