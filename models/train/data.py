"""Step 1, data: reads every source into passages.jsonl, queries.jsonl, shorts.jsonl (single sentences) and
phrases.jsonl (WordNet's, and sequences of words that passages have), and the held-out sets into BEIR folders.

python models/train/data.py            # all sources: 11 textbooks, questions, reference works
python models/train/data.py --small    # a little of what npm and Debian packages hold, for a trial run
"""

import argparse
import json
import random
import re
from collections import Counter

from bm25s.stopwords import STOPWORDS_EN_PLUS

import corpora
import textbooks
from corpora import Passage, Query
from sources import BOOKS, WORK

# What share of a source is read, where all of it would drown the others or keep the teacher busy for hours.
SHARES = {"wordnet": 0.15, "factbook": 0.2, "foldoc": 0.3, "debian": 0.35, "wikipedia questions": 0.35}
TEXTBOOK_SHARE = 0.2
SMALL_SHARE = 0.02
TRIVIA_SHARE = 0.5
PHRASE_SHARE = 0.1
# Questions made of noun phrases: as they stand, those without a name, and with parts from two texts.
NAMED, PLAIN, CROSSED = 10_000, 4_000, 6_000

# The sources whose sentences say something by themselves.
PROSE = ("textbook", "xquad", "wikipedia questions", "recipes", "dolly")

SMALL = {"wordnet": corpora.wordnet, "foldoc": corpora.foldoc}


def training_sources(small: bool):
    if small:
        return SMALL
    books = {
        f"textbook {book}": lambda book=book: textbooks.textbook(book)
        for book in BOOKS
        if book not in textbooks.HELD_OUT_BOOKS
    }
    return {
        **books,
        "xquad": lambda: corpora.xquad(corpora.XQUAD_TRAINING),
        "wikipedia questions": corpora.wikipedia_questions,
        "trivia": corpora.trivia,
        "dolly": corpora.dolly,
        "factbook": corpora.factbook,
        **SMALL,
        "debian": corpora.debian,
        "recipes": corpora.recipes,
        "tldr": lambda: corpora.tldr(held_out=False),
    }


# The modules of textbooks, which are read as a whole.
MODULE = re.compile(r"[^/]+/m\d+(?=/)")


def kept(name: str, share: float) -> bool:
    """Whether something is in the share read, by its name alone."""
    return corpora.part(name, 1000) < 1000 * share


def unit(name: str) -> str:
    """What a passage is read or left with: a book's module; of all else, the passage itself."""
    module = MODULE.match(name)
    return module[0] if module else name


def cloze(passages: list[Passage], source: str, rate: float):
    """Inverse cloze: a sentence is the query, and the passage without it what is asked for.

    One in four keeps the sentence in its passage, so that a verbatim match counts too (Lee, Chang and Toutanova,
    2019, section 4).
    """
    chance = random.Random(source)
    for passage in passages:
        parts = corpora.sentences(passage.text)
        if len(parts) < 3 or chance.random() > rate:
            continue
        index = chance.randrange(len(parts))
        words = parts[index].split()
        if not 6 <= len(words) <= 40:
            continue
        rest = " ".join(parts[:index] + parts[index + (chance.random() > 0.25) :])
        if chance.random() < 0.5 and len(words) > 12:  # a phrase instead of the sentence
            start = chance.randrange(len(words) - 8)
            words = words[start : start + chance.randint(5, 9)]
        yield Passage(passage.id + "#rest", rest), Query(" ".join(words).rstrip(".,;:"), [passage.id + "#rest"])


# A sentence that begins so leans on the one before it.
LEANING = re.compile(
    r"(It|Its|He|His|She|Her|They|Their|This|That|These|Those|Such|However|But|And|So|Thus|Then|Also|For example)\b"
)


def short_texts(passages: list[dict], examples: list[str]):
    """Sentences that can stand alone, and WordNet's examples: texts as short as a search result's."""
    for row in passages:
        if row["id"].endswith("#rest") or not row["source"].startswith(PROSE):
            continue
        for number, sentence in enumerate(corpora.sentences(row["text"])):
            where = f"{row['id']}#{number}"
            if 6 <= len(sentence.split()) <= 40 and not LEANING.match(sentence):
                yield {"id": where, "text": sentence}
    for text in examples:
        if len(text.split()) >= 6:
            yield {"id": f"wordnet/{text}", "text": text}


# "The capital of the Roman Empire", "the price of bread".
NAMED_PHRASE = re.compile(
    r"\b[Tt]he ((?:[a-z]+ )?[a-z]{4,}) of ((?:the )?[A-Z][\w'-]+(?: (?:of |the |and )?[A-Z][\w'-]+)*)"
)
PLAIN_PHRASE = re.compile(r"\b[Tt]he ([a-z]{4,}) of ((?:an? |the )?[a-z]{4,})\b(?! of)")
QUESTIONS = ["What is the {} of {}?", "what is the {} of {}", "What was the {} of {}?", "{} of {}"]


def noun_questions(texts: list[str]):
    """(question, source) made of what texts speak of: as they have it ("nouns"), and with the first noun of one text and
    the second of another ("crossed"), so that most that is found for them shares a word and does not answer. The teacher
    alone ranks."""
    chance = random.Random(0)
    named, plain = [
        sorted({match.groups() for text in texts for match in phrase.finditer(text)})
        for phrase in (NAMED_PHRASE, PLAIN_PHRASE)
    ]
    crossed = {(chance.choice(named)[0], chance.choice(named)[1]) for _ in range(min(CROSSED, 2 * len(named)))}
    chosen = [chance.sample(own, min(most, len(own))) for own, most in [(named, NAMED), (plain, PLAIN)]]
    for source, pairs in [("nouns", chosen[0] + chosen[1]), ("crossed", sorted(crossed))]:
        for pair in pairs:
            yield chance.choice(QUESTIONS).format(*pair), source


STOP_WORDS = frozenset(STOPWORDS_EN_PLUS)


def sequences(texts: list[str]) -> list[str]:
    """Two to four words in a row that texts have twice or more, no stop word at either end, of four at least one
    between: "capital punishment", "capital of Nevada", "law of the sea"."""
    counts = Counter()
    for text in texts:
        for clause in re.split(r"[^\w\s'’-]+", text):
            own = clause.split()
            plain = [word.lower() in STOP_WORDS for word in own]
            for size in (2, 3, 4):
                for start in range(len(own) - size + 1):
                    ends = (start, start + size - 1)
                    if any(plain[end] or not re.search("[a-z]", own[end].lower()) for end in ends):
                        continue
                    if size < 4 or any(plain[start + 1 : start + 3]):
                        counts[" ".join(own[start : start + size])] += 1
    return sorted(text for text, count in counts.items() if count >= 2)


# Words that say nothing of what a question is about.
COMMON = frozenset(
    re.findall(
        "[a-z]+",
        "a an and are be can did do does for from how i in is it my of on safe that the to was were what when where which "
        "who why with you your",
    )
)


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall("[a-z]+", text.lower())) - COMMON


def on_us_capital(text: str) -> bool:
    """Whether a text may say or ask what the capital of the United States is, as the seeds do."""
    return "capital" in text.lower() and bool(re.search(r"United States|America|\bUS\b|U\.S\.|USA", text))


class Examined:
    """Knows the questions that the tests ask, which are never trained on: the everyday lists' and the seeds'."""

    def __init__(self):
        self.asked = [words(row["query"]) for name in corpora.LISTS for row in corpora.everyday(name)]

    def __contains__(self, question: str) -> bool:
        """Whether it has three quarters of the words of one of them, or asks for the capital of the US."""
        own = words(question)
        return on_us_capital(question) or any(4 * len(own & asked) >= 3 * len(asked) for asked in self.asked)


def write_lines(path, rows):
    with open(path, "w") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def held_out(name: str, items):
    """A held-out set in BEIR's form, which `qwen3-rerank eval` reads."""
    folder = WORK / "heldout" / name
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    items = list(items)
    passages = [item for item in items if isinstance(item, Passage)]
    queries = [item for item in items if isinstance(item, Query) and item.positives]
    write_lines(folder / "corpus.jsonl", ({"_id": item.id, "title": "", "text": item.text} for item in passages))
    write_lines(
        folder / "queries.jsonl", ({"_id": f"q{number}", "text": item.text} for number, item in enumerate(queries))
    )
    with open(folder / "qrels" / "test.tsv", "w") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        file.writelines(f"q{number}\t{where}\t1\n" for number, item in enumerate(queries) for where in item.positives)
    print(f"held out: {name}: {len(passages)} passages, {len(queries)} queries")


def definitions(book: str):
    """A held-out book: which paragraph introduces the term that a glossary entry defines? Glossary entries themselves
    are no passages here."""
    for item in textbooks.textbook(book):
        if "/term/" not in item.id if isinstance(item, Passage) else item.kind == "definition":
            yield item


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="two percent of the registry sources")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    passages, queries, examined = [], [], Examined()
    for source, read in training_sources(options.small).items():
        own, asked = [], []
        for item in read():
            (own if isinstance(item, Passage) else asked).append(item)
        share = SHARES.get(source, TEXTBOOK_SHARE if source.startswith("textbook") else 1.0)
        share = SMALL_SHARE if options.small else share
        own = [item for item in own if kept(unit(item.id), share)]
        if source in ("wordnet", "factbook"):
            own = [item for item in own if not on_us_capital(item.text)]
        there = {item.id for item in own}
        asked = [
            item
            for item in asked
            if there.intersection(item.positives) or (not item.positives and kept(item.text, share))
        ]
        if source == "dolly":  # what is examined goes below; its answers, which nothing else asks for, here
            answers = {where for item in asked if item.text not in examined for where in item.positives}
            own = [item for item in own if item.id in answers]
        if source == "trivia":
            asked = [item for item in asked if kept(item.text, TRIVIA_SHARE)]
        rate = 0.0 if source in ("wordnet", "recipes", "tldr", "dolly") else 0.35
        for rest, query in list(cloze(own, source, rate)):
            own.append(rest)
            asked.append(query)
        passages += [{"id": item.id, "text": item.text, "source": source} for item in own]
        queries += [
            {"text": item.text, "positives": item.positives, "answer": item.answer, "source": source} for item in asked
        ]
        print(f"{source}: {len(own)} passages, {len(asked)} queries")
    phrases = sorted(
        text
        for text in corpora.wordnet_phrases()
        if kept(text, SMALL_SHARE if options.small else 1) and not on_us_capital(text)
    )
    examples = {text for _, _, _, own in corpora.wordnet_entries() for text in own}
    asked = [text for text in phrases if 3 <= len(text.split()) <= 14 and kept(f"?{text}", PHRASE_SHARE)]
    queries += [{"text": text, "positives": [], "answer": None, "source": "phrases"} for text in asked]
    own = [row["text"] for row in passages if not row["id"].endswith("#rest")]
    queries += [
        {"text": text, "positives": [], "answer": None, "source": source} for text, source in noun_questions(own)
    ]
    ids = {row["id"] for row in passages}
    queries = [row for row in queries if row["text"] not in examined]
    for row in queries:
        row["positives"] = [where for where in row["positives"] if where in ids]
    shorts = list(short_texts(passages, [text for text in phrases if text in examples]))
    write_lines(WORK / "passages.jsonl", passages)
    write_lines(WORK / "queries.jsonl", queries)
    write_lines(WORK / "shorts.jsonl", shorts)
    known = set(phrases)
    short = [{"text": text, "source": "wordnet"} for text in phrases]
    short += [
        {"text": text, "source": "texts"} for text in sequences(own) if text not in known and not on_us_capital(text)
    ]
    write_lines(WORK / "phrases.jsonl", short)
    print(f"all: {len(passages)} passages, {len(shorts)} shorts, {len(queries)} queries, {len(short)} phrases")
    if not options.small:
        held_out("xquad", corpora.xquad(corpora.XQUAD_HELD_OUT))
        held_out("textbooks", (item for book in textbooks.HELD_OUT_BOOKS for item in definitions(book)))
        held_out("tldr", corpora.tldr(held_out=True))


if __name__ == "__main__":
    main()
