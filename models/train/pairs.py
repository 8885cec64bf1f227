"""Pairs of neighbouring words that a query and a text share: a part of the teacher, by which "the capital of Florida" is
another thing than a text with a capital and a Florida (Metzler and Croft, 2005, weigh such pairs beside words)."""

import re

import numpy as np
import Stemmer
from bm25s.stopwords import STOPWORDS_EN_PLUS

WORD = re.compile(r"\w+")
BITS = 32  # of a pair's number, for its second word
NONE = -1  # no pair: stands at each text's end, so that no text is empty


class Words:
    """Numbers for words, those of one stem alike, and their IDF over some texts; stop words have none."""

    def __init__(self):
        self.stemmer = Stemmer.Stemmer("english")
        self.stems: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        self.idf = np.zeros(0)

    def number(self, word: str) -> int:
        found = self.numbers.get(word)
        if found is None:
            found = self.numbers[word] = self.stems.setdefault(self.stemmer.stemWord(word), len(self.stems))
        return found

    def of(self, text: str) -> np.ndarray:
        return np.array([self.number(word) for word in WORD.findall(text.lower())], np.int64)

    def count(self, texts: list[str]):
        """Sets the IDF; what stands in no text is as rare as what stands in one."""
        seen = np.concatenate([np.unique(self.of(text)) for text in texts])
        df = np.bincount(seen, minlength=len(self.stems))
        self.idf = np.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
        for word in STOPWORDS_EN_PLUS:
            if (own := self.stems.get(self.stemmer.stemWord(word))) is not None:
                self.idf[own] = 0

    def pairs(self, text: str) -> np.ndarray:
        """The numbers of a text's pairs, one for every word that has another behind it."""
        own = self.of(text)
        return (own[:-1] << BITS) + own[1:]

    def rarity(self, words: np.ndarray) -> np.ndarray:
        """Words' IDF."""
        known = words < len(self.idf)
        return np.where(known, self.idf[np.where(known, words, 0)], self.idf.max())

    def weights(self, pairs: np.ndarray) -> np.ndarray:
        """What pairs weigh: both words' IDF."""
        return self.rarity(pairs >> BITS) + self.rarity(pairs & ((1 << BITS) - 1))


class Pairs:
    """The pairs of many texts."""

    def __init__(self, words: Words, texts: list[str]):
        own = [np.append(words.pairs(text), NONE) for text in texts]
        self.starts = np.cumsum([0, *[len(pairs) for pairs in own]])
        self.numbers = np.concatenate(own)

    def index(self, words: Words):
        """Prepares `modified`."""
        texts = np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), np.diff(self.starts))
        first, second = self.numbers >> BITS, self.numbers & ((1 << BITS) - 1)
        says = (self.numbers != NONE) & (words.rarity(first) > 0) & (words.rarity(second) > 0)
        order = np.flatnonzero(says)[np.argsort(first[says], kind="stable")]
        self.holders, self.firsts = texts[order], first[order]

    def modified(self, word: int) -> np.ndarray:
        """The texts in which a word has another behind it that says something: "capital punishment", not "capital of"."""
        return self.holders[np.searchsorted(self.firsts, word) : np.searchsorted(self.firsts, word + 1)]

    def shared(self, asked: np.ndarray, weights: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """The share of the asked pairs, by their weights, that each of some texts has: 0 to 1."""
        if weights.sum() <= 0 or len(ids) == 0:
            return np.zeros(len(ids), np.float32)
        own = [self.numbers[self.starts[index] : self.starts[index + 1]] for index in ids]
        starts = np.cumsum([0, *[len(pairs) for pairs in own[:-1]]])
        found = np.logical_or.reduceat(asked[:, None] == np.concatenate(own), starts, axis=1)
        return (weights @ found / weights.sum()).astype(np.float32)
