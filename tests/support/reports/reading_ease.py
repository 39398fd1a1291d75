"""Sentences of a document, the grade at which they must read, and the measure for English."""

import re

from reports.blocks import Paragraph, Section

GRADE = 8


CASES = ("widespread_pain", "red_flag", "too_little_known", "phq4")


def sentences(blocks) -> list[str]:
    """The prose of the document: paragraphs, without lists of names and notices of the heading."""
    texts = []
    for block in blocks:
        if isinstance(block, Section):
            texts += sentences(block.blocks)
        elif isinstance(block, Paragraph) and block.role not in ("facts", "notice", "step"):
            text = "".join(run.text for run in block.runs)
            texts += split_sentences(text)
    return texts


def count_english_syllables(word: str) -> int:
    """Return an estimate by groups of vowels, as readability programs make it."""
    word = re.sub(r"[^a-z]", "", word.lower())
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1
    silent = silent or (re.search(r"[^td]ed$", word) is not None and groups > 1)
    return max(groups - silent, 1)


def list_english_words(text: str) -> list[str]:
    """Return the words of a text; a word with a hyphen is one."""
    return re.findall(r"[A-Za-z][A-Za-z'-]*", text)


def measure_english_grade(texts: list[str]) -> float:
    """Return Flesch and Kincaid's grade of these sentences."""
    words = [word for text in texts for word in list_english_words(text)]
    syllables = sum(count_english_syllables(word) for word in words)
    return 0.39 * len(words) / len(texts) + 11.8 * syllables / len(words) - 15.59


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text, and the parts that a colon or semicolon ends."""
    return [part for part in re.split(r"(?<=[.!?:;])\s+", text) if part]
