"""Sentences of a document, and the grade at which they must read."""

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
            texts += [part for part in re.split(r"(?<=[.!?:;])\s+", text) if part]
    return texts
