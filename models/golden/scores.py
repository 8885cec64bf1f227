"""The sections of the golden file that need a model: logits, rounding simulations, llama.cpp's scores."""

import json
import subprocess

from gguf import GGMLQuantizationType, GGUFReader

from . import cases

# Types for which llama.cpp and candle round activations per 256 values.
K_TYPES = {getattr(GGMLQuantizationType, f"Q{n}_K") for n in (2, 3, 4, 5, 6)}


def pairs(requests, tokens):
    """Ids of each request's prompts, in order."""
    for request in requests:
        for document in request["documents"]:
            yield tokens.prompt(
                request["query"], document, request.get("instruction"), control=request.get("control_tokens", False)
            )


def score(reference, tokens, requests):
    """Logits [yes, no] of every prompt; rms and maximum of what rounding activations does to the margins, by block size."""
    head = reference.head(tokens.yes, tokens.no)
    prompts = list(pairs(requests, tokens))
    logits = [reference.logits(ids, head).tolist() for ids in prompts]
    simulation = {}
    if reference.quantised:
        k = K_TYPES & set(reference.quantised.values())
        for block in (32, 256) if k else (32,):
            simulation[block] = simulate(reference, head, prompts, logits, block)
    return [[round(x, 6) for x in pair] for pair in logits], simulation


def simulate(reference, head, prompts, logits, block):
    """The errors of the margins when activations are rounded to 8 bits per `block` values."""
    with reference.rounded(block):
        rounded = [reference.logits(ids, head).tolist() for ids in prompts]
    errors = [(a[0] - a[1]) - (b[0] - b[1]) for a, b in zip(rounded, logits)]
    rms = (sum(e * e for e in errors) / len(errors)) ** 0.5
    return {"cases": len(errors), "rms": round(rms, 6), "max": round(max(map(abs, errors)), 6)}


def llama(maker, root):
    """llama.cpp's margins on rerank files, given the reference's ids by the same script that the tests use."""
    entries, script = [], root / "tests/peers/rank.mjs"
    for shape, kind, seed in cases.LLAMA_MODELS:
        with maker.random(cases.SHAPES[shape], kind, seed) as (path, _):
            tokens = maker.tokens_of(GGUFReader(path), shape)
            prompts = list(pairs(cases.REQUESTS, tokens))
            run = subprocess.run(
                ["node", script, path], input=json.dumps(prompts), capture_output=True, text=True, check=True
            )
        made = json.loads(run.stdout)
        command = "node tests/peers/rank.mjs MODEL.gguf < PROMPTS.json"
        margins = [round(margin, 6) for margin in made["margins"]]
        entries.append(
            {
                "shape": shape,
                "type": kind,
                "seed": seed,
                "version": made["version"],
                "command": command,
                "margins": margins,
            }
        )
    return entries
