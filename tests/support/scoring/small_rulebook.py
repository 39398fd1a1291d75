"""A made-up rulebook as text, small enough to read at once, and folders that hold it."""

import hashlib
from pathlib import Path
from typing import NamedTuple

SMALL = """
[rulebook]
instrument = "weather"
version = "1.0.0"
title = "Weather pain"
summary = "Two questions."
intended_use = "Tests."
language = "en"
points_are = "Made up."
copyright = "None."
must_answer = ["rain"]

[wording]
answered = "{finding}: {points}."
discounted = "{finding}: {full_points}, x{factor} = {points}, because {because}."
unanswered = "Open ({questions}): {least} to {most}."
points = "{number} points"
point = "{number} point"
listed = ", "
and = " and "
nothing_marked = "none of these"
truth_true = "yes"
truth_false = "no"
not_answered = "not answered"
unverified_sources = "Not re-read: {sources}."
no_flag = "No flag."
no_flag_asked = "None asked."
withheld = "Withheld."
out_of_scope = "Out of scope: {reasons}."
insufficient = "Too little."
scored = "{band}: {meaning}"

[[citation]]
id = "someone_2020"
text = "Someone. 2020."
unverified = true

[[topic]]
id = "sky"
label = "Sky"

[[question]]
id = "rain"
topic = "sky"
who = "patient"
kind = "boolean"
label = "Rain"
text = "Does it hurt in the rain?"

[[question]]
id = "winds"
topic = "sky"
who = "patient"
kind = "multi"
label = "GPS winds"
text = "Which winds?"
options = [
  { id = "north", label = "the north wind" },
  { id = "south", label = "the south wind" },
  { id = "west", label = "the west wind" },
]

[question.groups]
mild = ["south", "west"]

[[domain]]
id = "sky"
label = "Sky"
floor = -5
ceiling = 5

[[criterion]]
id = "W1"
domain = "sky"
label = "Rain"
grade = "D"
rationale = "Made up."
citations = ["someone_2020"]

[[criterion.level]]
id = "true"
when = { question = "rain", is = true }
points = 4
finding = "Rain: {rain}, winds: {winds}"

[[criterion.level]]
id = "false"
when = { question = "rain", is = false }
points = -1
finding = "No rain"

[[criterion.discount]]
when = { question = "winds", includes = ["mild"] }
factor = 0.25
because = "it may be {which}"

[[total]]
id = "sum"
label = "Sum"
note = "All."
domains = ["sky"]

[[limitation]]
text = "Made up."
"""


class Release(NamedTuple):
    """One line of an index: the file's text with its version, status and hash."""

    version: str
    text: str
    status: str = "active"
    digest: str | None = None
    file: str | None = None


def at_version(version: str, text: str = SMALL) -> str:
    """Return the rulebook with another version number."""
    return text.replace('version = "1.0.0"', f'version = "{version}"')


def write_catalogue(folder: Path, *releases: Release) -> Path:
    """Write these rulebooks and their index; return the folder."""
    index = []
    for release in releases:
        name = release.file or f"{release.version}.toml"
        content = release.text.encode()
        (folder / name).write_bytes(content)
        digest = release.digest or hashlib.sha256(content).hexdigest()
        index.append(
            f'[[entry]]\ninstrument = "weather"\nversion = "{release.version}"\nfile = "{name}"\n'
            f'status = "{release.status}"\nreleased_on = 2026-01-31\napprover = "none"\n'
            f'sha256 = "{digest}"\n'
        )
    (folder / "index.toml").write_text("\n".join(index), encoding="utf-8")
    return folder
