"""In place of steps 3 to 5: goes on from a trained GGUF instead of a new start.

    python models/train/resume.py models/qwen3-rerank-nano-q8_0.gguf

--context sets the attention of layer 2 anew, as start.py does: in files from before it did, that layer looks at nothing.
A file with five layers gets two others behind its second, which look for pairs of words, as start.py sets them; for what
they keep of the word before, the least 44 dimensions of the token vectors are given up.
Needs the files of data.py and teacher.py. Writes tokenizer.json as the GGUF has it, ids.npz, start.pt (the GGUF's weights,
dequantised) and vectors.npz (mean and axes alone): MiniLM's vectors, centred and turned so that they point where the sums
of the trained token vectors do.
"""

import argparse
import itertools
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from gguf import GGUFReader
from gguf.quants import dequantize
from tokenizers import Tokenizer

from batches import Prompts
from model import CONFIG, Reranker
from prompt import QUERY_END
from sources import WORK
from start import (
    BEFORE,
    PAIR_FOUND,
    PAIR_SUM,
    RARITY,
    WEIGHT,
    collect_pairs,
    compile_before,
    compile_context,
    compile_pairs,
)
from vectors import SEMANTIC
from vocabulary import LONGEST, STAGES, description, store_ids

# GGUF's names of a layer's tensors, and the checkpoint's.
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OTHERS = {"token_embd.weight": "embed_tokens.weight", "output_norm.weight": "norm.weight"}
TEXTS = ["passages", "shorts", "queries", "phrases"]


def tokenizer_of(reader: GGUFReader) -> dict:
    """The tokenizer.json with the file's merges."""
    merges, tokens = (reader.fields[f"tokenizer.ggml.{name}"].contents() for name in ("merges", "tokens"))
    stages = json.loads(STAGES.read_text())
    own = description(stages, tokens[:256], [merge.split(" ") for merge in merges])
    if list(own["model"]["vocab"]) + [token["content"] for token in own["added_tokens"]] != tokens:
        raise SystemExit("the file's tokens are not those of its merges")
    return own


def state_of(reader: GGUFReader) -> dict[str, torch.Tensor]:
    """The weights under the names of `Reranker`, those of the last layers at its end."""
    state = {}
    more = CONFIG["num_hidden_layers"] - reader.fields["qwen3.block_count"].contents()
    for tensor in reader.tensors:
        values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
        if tensor.name.startswith("blk."):
            _, layer, name, kind = tensor.name.split(".")
            place = int(layer) + more if int(layer) > 1 else int(layer)
            state[f"layers.{place}.{LAYER[name]}.{kind}"] = values
        elif tensor.name == "cls.output.weight":
            labels = reader.fields["qwen3.classifier.output_labels"].contents()
            state["answers"] = values[[labels.index("no"), labels.index("yes")]]
        else:
            state[OTHERS[tensor.name]] = values
    return state


def sums(name: str, table: torch.Tensor, ending: int) -> torch.Tensor:
    """The sum of each text's token vectors, (texts, 180)."""
    stored = np.load(WORK / "ids.npz")
    ids, starts = stored[f"{name}_ids"].astype(np.int64), stored[f"{name}_starts"]
    found = []
    for first in range(0, len(starts) - 1, 4096):
        part = starts[first : first + 4097]
        own = [ids[start : min(end - ending, start + LONGEST)] for start, end in itertools.pairwise(part)]
        places = np.cumsum([0, *[len(text) for text in own[:-1]]])
        found.append(
            F.embedding_bag(torch.from_numpy(np.concatenate(own)), table, torch.from_numpy(places), mode="sum")
        )
    return torch.cat(found)


@torch.no_grad()
def set_context(model: Reranker):
    """Layer 2's attention as a start has it, without what was there."""
    layer = model.layers[1]
    for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
        layer.self_attn[name].weight.normal_(0, 0.01)
    layer.self_attn["o_proj"].weight[SEMANTIC:].zero_()
    compile_context(layer)


@torch.no_grad()
def set_pairs(model: Reranker):
    """Layers 3 and 4 as a start has them, and nothing else in the dimensions that they write."""
    dimensions = [*range(BEFORE.start, BEFORE.stop), RARITY, *PAIR_FOUND, *PAIR_SUM]
    model.embed_tokens.weight[:, dimensions] = 0
    model.answers[:, dimensions] = 0
    for place, layer in enumerate(model.layers):
        for name, weight in layer.named_parameters():
            if place in (2, 3) and "self_attn" in name and weight.dim() == 2:
                weight.normal_(0, 0.0 if "o_proj" in name else 0.02)
            if "o_proj" in name or "down_proj" in name:
                weight[dimensions] = 0
            elif weight.dim() == 2:
                weight[:, dimensions] = 0
    compile_before(model.layers[2])
    # What the constant and the flags have become in the files that lack these layers.
    compile_pairs(model.layers[3], constant=6.3, asked=4.4, told=7.0, thresholds=(10.2, 9.0))
    collect_pairs(model.layers[-1], model.answers, 48.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--context", action="store_true", help="set layer 2's attention anew")
    options = parser.parse_args()
    reader = GGUFReader(options.model)
    own = tokenizer_of(reader)
    (WORK / "tokenizer.json").write_text(json.dumps(own, ensure_ascii=False))
    store_ids(Tokenizer.from_str(json.dumps(own)), TEXTS)
    torch.manual_seed(0)
    model = Reranker()
    known = state_of(reader)
    model.load_state_dict({**model.state_dict(), **known})
    if len(known) < len(model.state_dict()):
        for name, weight in model.named_parameters():
            if name not in known and "down_proj" in name:
                torch.nn.init.zeros_(weight)
        set_pairs(model)
    if options.context:
        set_context(model)
    torch.save(model.state_dict(), WORK / "start.pt")

    embedding = model.embed_tokens.weight.detach()
    table = embedding[:, :SEMANTIC] * embedding[:, WEIGHT, None].exp()
    ending = len(Prompts().encode(QUERY_END))
    found = torch.cat([sums(name, table, ending if name == "queries" else 0) for name in TEXTS])
    vectors = torch.from_numpy(np.concatenate([np.load(WORK / f"{name}.npy").astype(np.float32) for name in TEXTS]))
    mean = vectors.mean(dim=0)
    # The turn that brings the ones nearest to the others (Schönemann, 1966).
    left, _, right = torch.linalg.svd((vectors - mean).T @ F.normalize(found, dim=1), full_matrices=False)
    axes = left @ right
    likeness = F.cosine_similarity((vectors - mean) @ axes, found).mean()
    print(f"mean cosine of the texts' token vectors with MiniLM's: {likeness:.4f}")
    np.savez(WORK / "vectors.npz", mean=mean.numpy(), axes=axes.numpy())


if __name__ == "__main__":
    main()
