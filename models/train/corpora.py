"""One reader per source: each yields passages and the queries that they answer.

A reader yields `Passage`s and `Query`s. `positives` are ids of passages known to
answer; a query without any is ranked by the teacher alone. `answer` marks passages that contain it as likely ones.
"""

import html
import io
import json
import pathlib
import re
import subprocess
import tarfile
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import cache
from xml.etree import ElementTree

import sources


@dataclass
class Passage:
    id: str
    text: str


@dataclass
class Query:
    text: str
    positives: list[str] = field(default_factory=list)
    answer: str | None = None
    kind: str = ""


def part(name: str, parts: int) -> int:
    """A stable part number for a name, to split by."""
    return zlib.crc32(name.encode()) % parts


def squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def decode(raw: bytes) -> str:
    """Text of collections that are UTF-8 in places and Latin-1 in others."""

    def line(raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")

    return "\n".join(map(line, raw.split(b"\n")))


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(])", text)


def chunks(name: str, text: str, longest: int = 150) -> list[str]:
    """A paragraph whole, or in groups of sentences; which of the two, and how long, hangs on its name."""
    kind = part(name, 4)
    limit = {0: 30, 1: 60}.get(kind, longest)
    groups, words = [[]], 0
    for sentence in sentences(text):
        length = len(sentence.split())
        if words and words + length > limit:
            groups.append([])
            words = 0
        groups[-1].append(sentence)
        words += length
    return [" ".join(" ".join(group).split()[: longest + 50]) for group in groups]


FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "tests/fixtures"
LISTS = ["everyday", "everyday-hard", "everyday-third"]


def everyday(name: str) -> list[dict]:
    """A list of tests/fixtures, written by hand: queries with four documents each, and the relevant one's place."""
    return json.loads((FIXTURES / f"{name}.json").read_text())


# Question collections -------------------------------------------------------------------------------------------


@cache
def xquad_articles() -> list[dict]:
    return json.loads(sources.git_files("google-deepmind/xquad", "xquad.en.json")["xquad.en.json"])["data"]


def xquad(articles: list[int]):
    """XQuAD-en: every paragraph, and each question with its paragraph."""
    data = xquad_articles()
    for index in articles:
        for number, paragraph in enumerate(data[index]["paragraphs"]):
            whole = f"xquad/{index}/{number}"
            yield Passage(whole, squeeze(paragraph["context"]))
            for entry in paragraph["qas"]:
                yield Query(squeeze(entry["question"]), [whole], entry["answers"][0]["text"])


# Every fourth article is held out.
XQUAD_HELD_OUT = [index for index in range(48) if index % 4 == 3]
XQUAD_TRAINING = [index for index in range(48) if index % 4 != 3]


def wikipedia_questions():
    """CMU's questions about Wikipedia articles, and the articles' paragraphs; not those that XQuAD holds out."""
    held_out = {xquad_articles()[index]["title"].lower() for index in XQUAD_HELD_OUT}
    base = "Question_Answer_Dataset_v1.2"
    files = sources.git_files("karandeep-johar/NLP-project", base)
    articles = set()
    for path, raw in sorted(files.items()):
        if not path.endswith("question_answer_pairs.txt"):
            continue
        folder = path.rsplit("/", 1)[0]
        seen = set()
        for line in decode(raw).split("\n"):
            row = line.rstrip("\r").split("\t")
            if len(row) < 6 or row[0] == "ArticleTitle" or row[0].lower() in held_out:
                continue
            if row[1] in seen or len(row[1].split()) < 4:
                continue
            seen.add(row[1])
            articles.add(f"{folder}/{row[5]}")
            answer = row[2].strip().rstrip(".")
            yield Query(squeeze(row[1]), [], answer if 3 < len(answer) < 60 else None)
    for path in sorted(articles):
        raw = next((files[path + end] for end in [".txt.clean", ".txt"] if path + end in files), b"")
        for number, paragraph in enumerate(decode(raw).split("\n")):
            if len(paragraph.split()) >= 20:
                for piece, chunk in enumerate(chunks(f"{path}/{number}", squeeze(paragraph))):
                    yield Passage(f"{path}/{number}.{piece}", chunk)


def trivia():
    """OpenTriviaQA: questions with their answers, no passages."""
    for _, raw in sorted(sources.git_files("uberspot/OpenTriviaQA", "categories").items()):
        for block in decode(raw).split("#Q ")[1:]:
            question, _, rest = block.partition("\n^ ")
            question, answer = squeeze(question), squeeze(rest.split("\n")[0])
            if 5 <= len(question.split()) <= 35:
                yield Query(question, [], answer if len(answer) > 3 and answer not in ("True", "False") else None)


WORDS = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


def documents(raw: bytes):
    """The paragraphs of a DOCX file: (text, whether it has a bold run)."""
    with zipfile.ZipFile(io.BytesIO(raw)) as files:
        body = ElementTree.fromstring(files.read("word/document.xml"))
    for paragraph in body.iter(f"{WORDS}p"):
        parts = (
            piece.text or "" if piece.tag == f"{WORDS}t" else " " for piece in paragraph.iter() if piece.tag in RUN
        )
        yield squeeze("".join(parts)), next(paragraph.iter(f"{WORDS}b"), None) is not None


RUN = {f"{WORDS}{name}" for name in ("t", "br", "tab")}


def dolly():
    """Dolly's instructions, what people wrote in answer, and the parts of Wikipedia that some of them ask about, of
    which the one that shares most words with the answer is taken to hold it."""
    files = sources.git_files("spyysalo/databricks-dolly-translation", "dolly-doc-in")
    rows, part_of = [], ""
    for _, raw in sorted(files.items()):
        for text, heading in documents(raw):
            if heading:  # "Document 17", then "Instruction", "Context", "Response"
                part_of = text
                if text.startswith("Document "):
                    rows.append({})
            elif text:
                rows[-1][part_of] = text
    for number, row in enumerate(rows):
        question, answer = row.get("Instruction", ""), row.get("Response", "")
        if not 3 <= len(question.split()) <= 30 or not answer:
            continue
        found = []
        context = re.sub(r"\[[\d, ]+\]", "", row.get("Context", ""))
        pieces = [piece for piece in chunks(f"dolly/{number}", context) if len(piece.split()) >= 12]
        for place, piece in enumerate(pieces):
            found.append(Passage(f"dolly/{number}/{place}", piece))
        yield from found
        positives = []
        if found:
            told = set(re.findall(r"\w+", answer.lower()))
            shared = [len(told & set(re.findall(r"\w+", piece.lower()))) for piece in pieces]
            positives.append(found[shared.index(max(shared))].id)
        elif len(answer.split()) >= 5:
            yield Passage(f"dolly/{number}", " ".join(answer.split()[:150]))
            positives.append(f"dolly/{number}")
        if positives:
            yield Query(question, positives)


# Reference works ------------------------------------------------------------------------------------------------

FIELDS = {
    "Capital": "What is the capital of {}?",
    "Location": "where is {}",
    "Climate": "What is the climate of {} like?",
    "Population": "How many people live in {}?",
    "Languages": "Which languages are spoken in {}?",
    "Religions": "religions in {}",
    "Government type": "What form of government does {} have?",
    "Independence": "When did {} become independent?",
    "Area": "How big is {}?",
    "Natural resources": "natural resources of {}",
    "Terrain": "terrain and landscape in {}",
    "Agricultural products": "What is grown in {}?",
    "Industries": "main industries of {}",
    "Flag": "What does the flag of {} look like?",
    "National symbol(s)": "national symbol of {}",
    "National anthem(s)": "What is the national anthem of {} called?",
    "Background": "history of {}",
    "Life expectancy at birth": "How long do people live in {}?",
    "Exports - commodities": "What does {} export?",
    "Major urban areas - population": "largest cities in {}",
    "Ethnic groups": "ethnic groups in {}",
    "Executive branch": "Who is the head of state of {}?",
    "Elevation": "What is the highest point in {}?",
}


def plain(value) -> str:
    """A Factbook value as one line of text."""
    if isinstance(value, str):
        return squeeze(html.unescape(re.sub(r"<[^>]+>", " ", value)))
    if set(value) == {"text"}:
        return plain(value["text"])
    return "; ".join(
        text if key == "text" else f"{key}: {text}" for key, item in value.items() if (text := plain(item))
    )


def factbook():
    """The World Factbook: each field a passage, with a question for the common ones."""
    for path, raw in sorted(sources.git_files("factbook/factbook.json").items()):
        if not re.fullmatch(r"[a-z-]+/[a-z]{2}\.json", path) or path.startswith("meta"):
            continue
        data = json.loads(raw)
        name = plain(data.get("Government", {}).get("Country name", {}).get("conventional short form", ""))
        if not name or name == "none":
            continue
        for section in data.values():
            for key, value in section.items():
                text = plain(value)
                if len(text) < 3:
                    continue
                where = f"factbook/{path}/{key}"
                if key == "Capital" and isinstance(value, dict) and "name" in value:
                    city = plain(value["name"])
                    forms = ["{0} is the capital of {1}.", "The capital of {1} is {0}.", "{1}: capital {0}; " + text]
                    yield Passage(where, forms[part(path, 3)].format(city, name))
                else:
                    yield Passage(where, " ".join(f"{name}, {key.lower()}: {text}".split()[:140]))
                if key in FIELDS:
                    yield Query(FIELDS[key].format(name), [where])


@cache
def wordnet_entries() -> list[tuple[str, list[str], str, list[str]]]:
    """WordNet 3.1: (part of speech and offset, words, definition, examples) of every synset."""
    entries = []
    with tarfile.open(sources.package("wordnet")) as files:
        for kind in ["noun", "verb", "adj", "adv"]:
            for line in files.extractfile(f"package/dict/data.{kind}").read().decode().split("\n"):
                head, bar, gloss = line.partition(" | ")
                if not bar or line.startswith("  "):
                    continue
                columns = head.split(" ")
                words = [columns[4 + 2 * index].replace("_", " ") for index in range(int(columns[3], 16))]
                words = [re.sub(r"\((a|p|ip)\)$", "", word) for word in words]
                definition, *examples = [squeeze(piece).strip('"; ') for piece in gloss.split(' "')]
                entries.append((f"{kind}/{columns[0]}", words, definition, examples))
    return entries


def wordnet_phrases() -> set[str]:
    """Every word, definition and example: short texts to learn token vectors by."""
    texts = set()
    for _, words, definition, examples in wordnet_entries():
        texts.update([*words, definition, *examples])
    return texts - {""}


def wordnet():
    """WordNet 3.1: each gloss a passage, asked for by its word, or the word by its gloss."""
    for place, words, definition, _ in wordnet_entries():
        where = f"wordnet/{place}"
        word = words[part(where, len(words))]
        if len(definition.split()) < 4 or (not place.startswith("noun") and part(where, 3)):
            continue
        yield Passage(where, f"{', '.join(words[:3])}: {definition}" if part(where, 5) else f"{word} - {definition}")
        pick = part(where + "?", 10)
        if pick < 5:
            forms = ["what is {}", "{}", "meaning of {}", "{} definition", "What is a {}?"]
            yield Query(forms[pick].format(word), [where])
        elif pick == 5:
            yield Query(definition.split(";")[0], [where])


def foldoc():
    """The Free On-line Dictionary of Computing: each entry a passage, asked for by its name."""
    raw = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", sources.package("foldoc")], check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as files:
        text = zlib.decompress(files.extractfile("./usr/share/dictd/foldoc.dict.dz").read(), 31).decode(
            "utf-8", "replace"
        )
    for name, body in re.findall(r"^(\S[^\n]*)\n(?:\S[^\n]*\n)*\n((?:(?:[ \t{].*)?\n)+)", text, re.MULTILINE):
        body = squeeze(re.sub(r"[{}]|<[^>]*>|\(\d{4}-\d\d-\d\d\)|\[.*?\]", "", body))
        if len(body.split()) < 8 or body.startswith("See"):
            continue
        where = f"foldoc/{name}"
        yield Passage(where, " ".join(f"{name}: {body}".split()[:130]))
        yield Query(
            [f"what is {name}", name, f"{name} computing", f"What does {name} mean in computing?"][part(name, 4)],
            [where],
        )


def debian():
    """Debian's package descriptions: the long one a passage, asked for by the short one."""
    for block in sources.debian_descriptions().split("\n\n"):
        name = re.match(r"Package: (\S+)", block)
        found = re.search(r"Description-en: (.*)\n((?: .*\n?)+)", block)
        if (
            not name
            or not found
            or part(name[1], 3)
            or re.search(r"-(dev|dbg|doc|data|common|l10n.*)$|^lib|^golang|^node-|^r-|^ruby-|^haskell|^fonts", name[1])
        ):
            continue
        body = squeeze(found[2].replace("\n .\n", "\n"))
        if len(body.split()) >= 15:
            where = f"debian/{name[1]}"
            yield Passage(where, " ".join(body.split()[:120]))
            yield Query(found[1], [where])


def recipes():
    """Public-domain recipes: the whole recipe a passage, asked for by its name."""
    for path, raw in sorted(sources.git_files("ronaldl29/public-domain-recipes", "content").items()):
        title = re.search(r"^title: *\"?(.+?)\"?$", raw.decode("utf-8", "replace"), re.MULTILINE)
        if not title or "_index" in path:
            continue
        body = re.sub(r"^---.*?---", "", raw.decode("utf-8", "replace"), flags=re.DOTALL)
        body = squeeze(re.sub(r"[#*]|!?\[.*?\]\(.*?\)", " ", body))
        yield Passage(path, " ".join(f"{title[1]}. {body}".split()[:150]))
        yield Query(
            [f"{title[1]} recipe", f"how to make {title[1]}", f"How do I cook {title[1]}?"][part(path, 3)], [path]
        )


def tldr(held_out: bool):
    """tldr-pages: a page without one of its examples is the passage, that example's description the query."""
    files = sources.git_files("tldr-pages/tldr", "pages/common", "pages/linux")
    for path, raw in sorted(files.items()):
        if (part(path, 10) == 0) != held_out:
            continue
        page = re.sub(r"\[(\w)\]", r"\1", raw.decode())
        name = path.split("/")[-1].removesuffix(".md")
        about = squeeze(" ".join(re.findall(r"^> (.*)$", page, re.MULTILINE))).split(" More information:")[0]
        examples = [squeeze(example).rstrip(":") for example in re.findall(r"^- (.*)$", page, re.MULTILINE)]
        if len(examples) < 3:
            continue
        asked = part(path, len(examples))
        rest = [example for index, example in enumerate(examples) if index != asked]
        yield Passage(path, f"{name}: {about} {'. '.join(rest)}.")
        yield Query(examples[asked], [path])
        if not held_out:
            yield Query(about.split(". ")[0], [path])
