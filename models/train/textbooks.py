"""OpenStax books: paragraphs, and the section titles, terms, meanings and review questions that ask for them."""

import re
from xml.etree import ElementTree

import sources
from corpora import Passage, Query, chunks, part, squeeze

CNX = "{http://cnx.rice.edu/cnxml}"
SKIPPED = {"figure", "table", "note", "glossary", "exercise", "equation", "media", "footnote", "list", "title"}
MATH = "{http://www.w3.org/1998/Math/MathML}"
HELD_OUT_BOOKS = ["astronomy", "introduction-anthropology"]


def inner(element) -> str:
    """The text in an element without footnotes and formulas."""
    text = element.text or ""
    for child in element:
        if not child.tag.startswith(MATH) and child.tag.removeprefix(CNX) not in SKIPPED - {"list", "title"}:
            text += inner(child)
        text += child.tail or ""
    return text


def paragraphs(element, title: str):
    """(heading, paragraph text, terms introduced in it) of every paragraph without formulas."""
    for child in element:
        tag = child.tag.removeprefix(CNX)
        if tag == "section":
            heading = child.find(f"{CNX}title")
            yield from paragraphs(child, squeeze(inner(heading)) if heading is not None else title)
        elif tag == "para" and next(child.iter(f"{MATH}math"), None) is None:
            text = squeeze(inner(child))
            if len(text.split()) >= 15:
                yield title, text, [squeeze(inner(term)) for term in child.iter(f"{CNX}term")]
        elif tag not in SKIPPED and not tag.startswith(MATH):
            yield from paragraphs(child, title)


DULL = re.compile(
    r"summary|objective|exercise|problem|question|key terms|introduction|for further|review|references", re.IGNORECASE
)


def textbook(book: str):
    """An OpenStax book: section titles and terms as queries, glossary, review questions."""
    files = sources.git_files(f"openstax/osbooks-{book}", "modules")
    for path, raw in sorted(files.items()):
        if not path.endswith("index.cnxml"):
            continue
        root = ElementTree.fromstring(raw)
        module = f"{book}/{path.split('/')[1]}"
        title = squeeze(inner(root.find(f"{CNX}title")))
        sections, introduced = {}, {}
        content = root.find(f"{CNX}content")
        for number, (heading, text, terms) in enumerate(paragraphs(content, title) if content is not None else []):
            ids = []
            for piece, chunk in enumerate(chunks(f"{module}/{number}", text)):
                if len(chunk.split()) < 8:
                    continue
                ids.append(f"{module}/{number}.{piece}")
                yield Passage(ids[-1], chunk)
                for term in terms:
                    if term.lower() in chunk.lower():
                        introduced.setdefault(term.lower(), ids[-1])
            sections.setdefault(heading, []).extend(ids)
        for heading, ids in sections.items():
            if ids and not DULL.search(heading):
                yield Query(heading if heading == title or part(heading, 2) else f"{title}: {heading}", ids[:4])
        for entry in root.iter(f"{CNX}definition"):
            term, meaning = entry.find(f"{CNX}term"), entry.find(f"{CNX}meaning")
            if term is None or meaning is None:
                continue
            term, meaning = squeeze(inner(term)), squeeze(inner(meaning))
            if len(meaning.split()) < 4:
                continue
            own = f"{module}/term/{term}"
            yield Passage(own, f"{term}: {meaning}" if part(term, 2) else f"{term[:1].upper()}{term[1:]} is {meaning}.")
            places = [introduced[term.lower()]] if term.lower() in introduced else []
            asked = [f"what is {term}", term, f"What does {term} mean?", f"define {term}"][part(term, 4)]
            yield Query(asked, [own, *places])
            if places:
                yield Query(meaning, places, kind="definition")
        for problem in root.iter(f"{CNX}problem"):
            para = problem.find(f"{CNX}para")
            question = (
                squeeze(inner(para)) if para is not None and next(problem.iter(f"{MATH}math"), None) is None else ""
            )
            if 5 <= len(question.split()) <= 30:
                yield Query(re.sub(r"\s*_{2,}\s*", " what ", question).strip())
