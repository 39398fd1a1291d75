"""Check the English of documents, OpenAPI and messages: forbidden words, long sentences, lines."""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FORBIDDEN = re.compile(
    r"\b(whom?ever|whatever|somebody|nobody|everybody|anew|tells|of ours|the house|shut out|"
    r"(is|are|was|were|be|been) told|given up|gives? up|as it was kept|what is kept|"
    r"befalls?|befell|cannot hold together|to the byte|does not concern(?=[.,;:]))\b",
    re.IGNORECASE,
)
CODE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
NEW_PARAGRAPH = re.compile(r"\s*([-*+>|]|\d+\.|#+)\s|\s*$")
TABLE_OR_LINK = re.compile(r"\s*\||.*(\]\(|https?://)")
MESSAGE_CALLS = {"FieldError", "OutcomeIssue", "Problem", "fail", "print_note"}


def check_text(place: str, text: str) -> Iterator[str]:
    """Yield each forbidden word and each sentence of more than 40 words."""
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "x", text)
    yield from (f"{place}: forbidden: {match[0]}" for match in FORBIDDEN.finditer(prose))
    for sentence in re.split(r"(?<=[.!?:;])\s+|\s\|\s", prose):
        if len(sentence.split()) > 40:
            yield f"{place}: sentence of {len(sentence.split())} words: {sentence[:60]} ..."


def check_document(file: Path) -> Iterator[str]:
    """Check each paragraph, list item and table row outside code, and the length of lines."""
    place, paragraph = str(file), ""
    text = CODE.sub(lambda code: "\n" * code[0].count("\n"), file.read_text(encoding="utf-8"))
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if NEW_PARAGRAPH.match(line):
            yield from check_text(place, paragraph)
            place, paragraph = f"{file}:{number}", ""
        paragraph += f"{line} "
        if len(line) > 100 and not TABLE_OR_LINK.match(line):
            yield f"{file}:{number}: line of {len(line)} characters"


def list_strings(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the descriptions of OpenAPI, or the strings of calls that build a user's message."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        for number, line in enumerate(text.splitlines(), 1):
            if match := re.fullmatch(r'\s*"(?:summary|description)": (".*"),?', line):
                yield number, json.loads(match[1])
        return
    for call in ast.walk(ast.parse(text)):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in MESSAGE_CALLS:
            for node in ast.walk(call):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.lineno, node.value


documents = [
    *(Path("README.md"), Path("CHANGELOG.md")),
    *(file for file in sorted(Path("docs").rglob("*.md")) if file.parent.name != "clinical"),
]  # docs/clinical/ quotes rulebooks
faults = [fault for document in documents for fault in check_document(document)]
for source in (Path("openapi/openapi.json"), *sorted(Path("api").rglob("*.py"))):
    for line_number, string in list_strings(source):
        faults += check_text(f"{source}:{line_number}", string)
for fault in dict.fromkeys(faults):
    print(fault)
sys.exit(1 if faults else 0)
