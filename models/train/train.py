"""Step 6, train: all weights, from the compiled start (or wherever the last run stopped).

    python models/train/train.py --fresh --minutes 240
    python models/train/train.py --fresh trained.pt --minutes 20 --rate 2.5e-4    # a second run behind it
    python models/train/train.py --fresh --pairs 6400 --dev 0                     # a trial, in a folder of its own

--fresh begins again from start.pt, or from the state that it names. Without it a run that was stopped goes on, with
the settings it had where no others are given.

Each step takes 16 queries with 10 candidates each: the passage known to answer, neighbours by BM25 and by MiniLM, three
that merely have one or two words of the query, and a random one; or, for a share of the queries, shorts alone: single
sentences, or a few together, of which none is known to answer. The loss is listwise, the Kullback-Leibler divergence from
the teacher's softmax, and a binary cross-entropy on passages known to answer and those that the teacher finds far from
it, which makes scores probabilities; and the means that layer 6 gathers shall point where MiniLM's vectors of the texts
do, and those of query and document be as like as MiniLM's. For the means alone there are sentences and phrases more,
since words together often say what none does. The teacher adds up MiniLM's cosine, static MaxSim over the start's token
vectors, pairs of words that query and text share, and what is known of answers. For speed, many lists see of each
document only the part that has most of the query's words, fewer and fewer of them.
The learning rate follows one cosine over all pairs, or over a given time. Everything needed to go on is in train.pt,
written every 100 steps; curve.csv is the learning curve, of all runs since start.pt. models/README.md gives the
allocator's settings, which make it several times faster.
"""

import argparse
import hashlib
import math
import sys
import time
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F

import evaluate
from batches import Prompts
from lists import CANDIDATES, QUERIES, Lists, Step
from model import Reranker
from sources import WORK
from teacher import Bm25
from vectors import SEMANTIC

BINARY, MEANS, LIKENESS, TEXTUAL = 0.4, 4.0, 16.0, 6.0
# Up to so many pairs, compiling takes longer than it saves.
TRIAL = 16_000
# What a run is told, where nothing else is said.
SETTINGS = {"pairs": None, "minutes": None, "rate": 5e-4, "whole": 0.6}


def ahead(make, depth: int = 4):
    """Runs `make` in a thread, a few results ahead; where it fails, so does this."""
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(make) for _ in range(depth))
        while True:
            waiting.append(thread.submit(make))
            yield waiting.popleft().result()


def losses(model: Reranker, step: Step) -> torch.Tensor:
    """Listwise KL divergence; binary cross-entropy where a label is known; the means' distance from the teacher's; how
    far the likeness of query's and document's means is from the likeness of the teacher's, squared; the distance of the
    texts' means."""
    with torch.autocast("cpu", torch.bfloat16):
        vectors, means = model.states(step.batch)
        alone = model.means(step.texts)
    rows, places = step.order.T
    found = torch.cat(vectors) @ (model.answers[1] - model.answers[0])
    odds = torch.zeros_like(step.logits).index_put((rows, places), found)
    listwise = F.kl_div(odds.log_softmax(1), step.logits.softmax(1), reduction="batchmean")
    labels = step.labels
    known = labels >= 0
    # One relevant passage stands against several others: weigh the two kinds alike.
    weight = torch.where(labels > 0.5, (labels == 0).sum() / (labels > 0.5).sum().clamp(min=1), 1.0)
    binary = F.binary_cross_entropy_with_logits(odds[known], labels[known], weight=weight[known], reduction="sum")
    binary = binary / weight[known].sum().clamp(min=1)
    gathered = F.normalize(torch.cat(means)[:, :SEMANTIC], dim=1)
    distance = ((1 - (gathered * step.targets).sum(1)) * step.weights).sum() / step.weights.sum()
    ours, theirs = [(of[rows] * of[QUERIES:]).sum(1) for of in (gathered, step.targets)]
    seen = step.weights[QUERIES:]
    likeness = ((ours - theirs).square() * seen).sum() / seen.sum().clamp(min=1)
    texts = 1 - F.cosine_similarity(torch.cat(alone)[:, :SEMANTIC], step.text_targets).mean()
    return torch.stack([listwise, binary, distance, likeness, texts])


def optimizers_of(model: Reranker) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, whose updates it makes orthogonal; AdamW for the token vectors and the rest."""
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name and name != "answers"]
    others = [p for p in model.parameters() if p.dim() == 1] + [model.answers]
    muon = torch.optim.Muon(
        [{"params": matrices, "scale": 1.0}], lr=1e-4, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
    )
    groups = [{"params": [model.embed_tokens.weight], "scale": 0.7}, {"params": others, "scale": 3.0}]
    return [muon, torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), weight_decay=0.0, fused=True)]


def cut_curve(step: int):
    """Takes from the learning curve what came behind the last save."""
    rows = (WORK / "curve.csv").read_text().splitlines(keepends=True) if (WORK / "curve.csv").exists() else []
    last = max((index for index, row in enumerate(rows) if row.startswith(f"{step},")), default=None)
    if last is not None:
        (WORK / "curve.csv").write_text("".join(rows[: last + 1]))


class Dev:
    """MRR@10 on XQuAD's training articles, where passages are whole and candidates are BM25's: to see it learn."""

    def __init__(self, prompts: Prompts, queries: int):
        passages, asked, relevant = evaluate.load("dev")
        self.prompts, self.passages = prompts, passages
        self.queries, self.relevant = asked[:queries], relevant[:queries]
        self.candidates = Bm25(passages).nearest(self.queries, 15)

    def measure(self, model: Reranker) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            scores = evaluate.model_scores(model, self.prompts, self.passages, self.queries, self.candidates)
        return evaluate.metrics(evaluate.by(self.candidates, scores), self.relevant)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--pairs", type=int, help="pairs of query and document in all")
    length.add_argument("--minutes", type=float, help="or the time in all")
    parser.add_argument("--rate", type=float, help="highest learning rate; 5e-4 if not given")
    parser.add_argument(
        "--whole",
        type=float,
        help="share of the lists that see whole documents by the end, half of it at first; 0.6 if not given",
    )
    parser.add_argument("--dev", type=int, default=100, help="queries of the development set; 0 for none")
    parser.add_argument(
        "--fresh", nargs="?", const="start.pt", help="from start.pt or another state, not from train.pt"
    )
    options = parser.parse_args()
    given = {name: getattr(options, name) for name in SETTINGS if getattr(options, name) is not None}
    settings = SETTINGS
    prompts, model = Prompts(), Reranker()
    optimizers = optimizers_of(model)
    saved = WORK / "train.pt"
    step, seconds = 0, 0.0
    start = hashlib.sha256((WORK / "start.pt").read_bytes()).hexdigest()
    if saved.exists() and options.fresh is None:
        state = torch.load(saved, weights_only=True)
        if state["start"] != start:
            sys.exit("train.pt is of another start.pt: begin again with --fresh")
        model.load_state_dict(state["model"])
        for optimizer, kept in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        step, seconds, settings = state["step"], state["seconds"], state["settings"]
        cut_curve(step)
        print(f"goes on at step {step}")
    else:
        model.load_state_dict(torch.load(WORK / (options.fresh or "start.pt"), weights_only=True))
        if options.fresh in (None, "start.pt"):
            (WORK / "curve.csv").unlink(missing_ok=True)
    if given.keys() & {"pairs", "minutes"}:
        settings = {**settings, "pairs": None, "minutes": None}
    settings = {**settings, **given}
    whole, minutes, in_all = (settings[name] for name in ("whole", "minutes", "pairs"))
    if minutes is None and in_all is None:
        parser.error("say how long: --pairs or --minutes")
    if minutes is not None or in_all > TRIAL:
        model.compile_parts()
    # Another seed for each run: one that goes on from another's state shall not meet the same lists.
    lists = Lists([step, zlib.crc32(model.answers.detach().numpy().tobytes())])
    dev = Dev(prompts, options.dev) if options.dev else None
    sums, counted, begun = np.zeros(5), 0, time.time() - seconds

    def save():
        state = {"model": model.state_dict(), "optimizers": [optimizer.state_dict() for optimizer in optimizers]}
        place = {"step": step, "seconds": time.time() - begun, "start": start, "settings": settings}
        torch.save({**state, **place}, WORK / "train.new")
        (WORK / "train.new").replace(saved)

    for drawn in ahead(lambda: lists.step(prompts)):
        pairs = step * QUERIES * CANDIDATES
        done = (time.time() - begun) / 60 / minutes if in_all is None else pairs / in_all
        if done >= 1:
            break
        lists.whole = whole * (1 + done) / 2
        warm = min(1, max((step + 1) / 150, 10 * done))
        rate = settings["rate"] * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)
        for group in [group for optimizer in optimizers for group in optimizer.param_groups]:
            group["lr"] = rate * group["scale"]
        parts = losses(model, drawn)
        model.zero_grad()
        (parts * torch.tensor([1, BINARY, MEANS, LIKENESS, TEXTUAL])).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        sums += parts.detach().numpy()
        counted += 1
        if step % 20 == 0:
            mrr = dev.measure(model) if dev and step % 500 == 0 else math.nan
            row = [step, step * QUERIES * CANDIDATES, *(sums / counted), rate, mrr, time.time() - begun]
            line = ",".join(f"{value:.6g}" for value in row)
            with open(WORK / "curve.csv", "a") as file:
                if file.tell() == 0:
                    file.write("step,pairs,listwise,binary,means,likeness,texts,rate,dev_mrr_at_10,seconds\n")
                file.write(line + "\n")
            print(line, flush=True)
            sums, counted = np.zeros(5), 0
        if step % 100 == 0:
            save()
    save()
    torch.save(model.state_dict(), WORK / "trained.pt")
    if dev:
        print(f"MRR@10 of the development set: {dev.measure(model):.4f}")
    print(f"{step} steps, {step * QUERIES * CANDIDATES} pairs, trained.pt written")


if __name__ == "__main__":
    main()
