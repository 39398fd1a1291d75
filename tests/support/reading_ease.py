"""Sentences of a document, and the grade at which they must read."""

import re

from reports.blocks import Paragraph, Section

GRADE = 8


CASES = ("widespread_pain", "red_flag", "too_little_known", "phq4")


def sentences(blocks) -> list[str]:
    """The prose of the document: paragraphs, without lists of names and notices of the heading."""
    found = []
    for each in blocks:
        if isinstance(each, Section):
            found += sentences(each.blocks)
        elif isinstance(each, Paragraph) and each.role not in ("facts", "notice", "step"):
            text = "".join(run.text for run in each.runs)
            found += [part for part in re.split(r"(?<=[.!?:;])\s+", text) if part]
    return found
