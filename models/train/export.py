"""Step 7, export: the trained model as a checkpoint folder of transformers, and as the GGUF of this repository.

    python models/train/export.py                                   # folder target/train/qwen3-rerank-nano
    cargo run --release --no-default-features --features native -- quantize \\
        --from target/train/qwen3-rerank-nano --type q8_0 --token-embedding-type q6_k target/train/q8.gguf

The head is calibrated: a temperature and a bias, fitted on the candidates of XQuAD's training articles and on random
pairs of the training data so that scores are probabilities, are folded into its two rows. The bias needs a direction in
which all final vectors are alike: the least-squares solution of H w = 1.
What is written is then read by transformers' Qwen3ForCausalLM, which must score a few pairs as the model here does.
"""

import argparse
import json
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

import evaluate
from batches import Prompts
from model import CONFIG, Reranker, checkpoint, config_json
from prompt import INSTRUCTION, SUFFIX, head
from sources import WORK
from teacher import Bm25, read

# What share of passages to rank is taken to be irrelevant.
IRRELEVANT = 0.9
# Pairs that transformers' model scores too, and how far apart the two may be, in the log-odds.
CHECKED, NEAR = 12, 1e-2


def final_vectors(model: Reranker, prompts: Prompts, pairs: list[tuple[str, str]]) -> torch.Tensor:
    """The normed vectors that the head reads, (pairs, hidden) f32."""
    found = []
    for start in range(0, len(pairs), 64):
        part = pairs[start : start + 64]
        batch, order = prompts.batch([prompts.query(q) for q, _ in part], [[prompts.document(d)] for _, d in part])
        with torch.inference_mode():
            vectors = torch.cat(model.vectors(batch))
        back = torch.empty(len(part), dtype=torch.long)
        back[torch.as_tensor(order[:, 0])] = torch.arange(len(part))
        found.append(vectors[back].clone())
    return torch.cat(found)


def calibration_pairs(count: int, seed: int = 0):
    """(pairs, labels): known answers; BM25's other candidates; random passages."""
    chance = np.random.default_rng(seed)
    passages, queries, relevant = evaluate.load("dev")
    candidates = Bm25(passages).nearest(queries, 10)
    pairs, labels = [], []
    for row in chance.permutation(len(queries))[: count // 6]:
        for passage in chance.permutation(candidates[row])[:5]:
            pairs.append((queries[row], passages[passage]))
            labels.append(float(passage in relevant[row]))
        known = next(iter(relevant[row]))
        pairs.append((queries[row], passages[known]))
        labels.append(1.0)
    texts, asked = (
        read("passages"),
        [row for row in read("queries") if row["positives"] and len(row["text"].split()) < 25],
    )
    text_of = {row["id"]: row["text"] for row in texts}
    for index in chance.permutation(len(asked))[: count // 2]:
        query = asked[index]
        pairs.append((query["text"], " ".join(text_of[query["positives"][0]].split()[:120])))
        labels.append(1.0)
        pairs.append((query["text"], " ".join(texts[chance.integers(len(texts))]["text"].split()[:120])))
        labels.append(0.0)
    return pairs, torch.tensor(labels)


def calibrate(model: Reranker, prompts: Prompts, count: int):
    """Folds a temperature and a bias into the head."""
    pairs, labels = calibration_pairs(count)
    vectors = final_vectors(model, prompts, pairs)
    odds = vectors @ (model.answers[1] - model.answers[0])
    constant = torch.linalg.lstsq(vectors, torch.ones(len(vectors), 1)).solution[:, 0]
    scale, bias = torch.ones((), requires_grad=True), torch.zeros((), requires_grad=True)
    weight = torch.where(labels > 0.5, (1 - IRRELEVANT) / labels.mean(), IRRELEVANT / (1 - labels.mean()))
    fit = torch.optim.LBFGS([scale, bias], max_iter=100)

    def loss():
        fit.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(
            odds.detach() * scale + bias, labels, weight=weight
        )
        value.backward()
        return value

    fit.step(loss)
    print(
        f"head: x {scale.item():.3f}, + {bias.item():.3f}; the constant is met within {(vectors @ constant).std():.4f}"
    )
    with torch.no_grad():
        row = (model.answers[1] - model.answers[0]) * scale + constant * bias
        model.answers[0].copy_(-row / 2)
        model.answers[1].copy_(row / 2)


def check(folder: pathlib.Path, model: Reranker, prompts: Prompts):
    """Fails if transformers' model of the folder scores other than `model`."""
    queries, passages = [[row["text"] for row in read(name)[:CHECKED]] for name in ("queries", "passages")]
    pairs = [(query, " ".join(text.split()[:120])) for query, text in zip(queries, passages, strict=True)]
    ours = final_vectors(model, prompts, pairs) @ (model.answers[1] - model.answers[0])
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    theirs = torch.empty(len(pairs))
    with torch.inference_mode():
        for row, (query, document) in enumerate(pairs):
            prompt = f"{head(INSTRUCTION, query)} {document}{SUFFIX}"
            ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
            logits = reference(ids).logits[0, -1]
            theirs[row] = logits[yes] - logits[no]
    apart = (ours - theirs).abs().max().item()
    print(f"transformers' log-odds of {len(pairs)} pairs, {theirs.min():.2f} to {theirs.max():.2f}: within {apart:.1e}")
    if not apart < NEAR:
        raise SystemExit("transformers' model scores otherwise: the checkpoint is wrong")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", default="trained.pt")
    parser.add_argument("--out", type=pathlib.Path, default=WORK / "qwen3-rerank-nano")
    parser.add_argument("--calibrate", type=int, default=1200, help="pairs of each kind for calibration; 0 for none")
    options = parser.parse_args()
    prompts, model = Prompts(), Reranker()
    state = torch.load(WORK / options.state, weights_only=True)
    model.load_state_dict(state.get("model", state))
    model.eval()
    if options.calibrate:
        calibrate(model, prompts, options.calibrate)
    torch.save(model.state_dict(), WORK / "calibrated.pt")
    options.out.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint(model, prompts.yes, prompts.no).items()}
    save_file(tensors, options.out / "model.safetensors", metadata={"format": "pt"})
    (options.out / "config.json").write_text(config_json(CONFIG))
    (options.out / "tokenizer.json").write_text(
        json.dumps(json.loads((WORK / "tokenizer.json").read_text()), ensure_ascii=False)
    )
    print(f"{sum(tensor.numel() for tensor in tensors.values()):,} values in {options.out}")
    check(options.out, model, prompts)


if __name__ == "__main__":
    main()
