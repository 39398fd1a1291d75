"""Check names: a function is a verb with its object, a variable names what it holds.

Refused: a bare participle or pronoun (`told`, `made`, `each`) as any name; outside tests also a
function named by one word in -ed or -ing, and one public class name in two modules. Exempt are
fields of models, which are names of JSON members and columns, and migrations, which never change.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("api", "scoring", "reports", "schemas", "bench", "scripts", "tests")
EXEMPT_PARTS = {"node_modules", "migrations"}
PARTICIPLES = """
    about added allowed announced answered applied asked begun bound brought built called carried
    checked chosen claimed closed collected come composed counted cut done drawn dropped ended
    entered expected fetched filled fitted folded found given gone granted handed heard held hidden
    issued joined kept known laid left listed looked made marked meant met moved named opened
    ordered parsed passed picked placed printed proved published put raised reached read_on refused
    released removed rendered reported said sealed seen sent served shown signed sorted spoken
    started stated stored taken taught told tried turned typed understood used verified viewed
    wanted weighed written
""".split()  # noqa: SIM905 - words read best as words
PRONOUNS = """
    anybody anyone anything each every everybody everyone everything nobody nothing one other others
    ours somebody someone something that theirs them they this whatever which who whoever whole
    whose
""".split()  # noqa: SIM905 - as above
DENIED = {*PARTICIPLES, *PRONOUNS}
IDIOMATIC_VARIABLES = {"expected", "left", "one", "other"}
PLAIN_CLASSES = {"NamedTuple", "Protocol", "TypedDict"}
BARE_VERBAL = re.compile(r"[a-z]{3,}(ed|ing)")


def list_names(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and kind of each class, function and bound variable."""
    model_fields: set[ast.expr] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef():
                yield node.lineno, node.name, "class"
                bases = {ast.unparse(base) for base in node.bases}
                if bases and not bases & PLAIN_CLASSES:
                    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
                    model_fields |= {field.target for field in fields}
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                kind = "property" if node.decorator_list else "function"
                yield node.lineno, node.name, kind
            case ast.arg():
                yield node.lineno, node.arg, "variable"
            case ast.Name(ctx=ast.Store()) if node not in model_fields:
                yield node.lineno, node.id, "variable"


def is_denied(name: str, kind: str, *, is_test: bool) -> bool:
    """Return whether the name is a bare participle or pronoun."""
    word = name.strip("_").lower()
    if kind == "function" and not is_test and BARE_VERBAL.fullmatch(word):
        return True
    return word in (DENIED - IDIOMATIC_VARIABLES if kind == "variable" else DENIED)


def main() -> int:
    """Print each fault with its place; return 1 if there is any."""
    faults: list[str] = []
    classes: dict[str, list[str]] = defaultdict(list)
    for file in sorted(file for package in PACKAGES for file in Path(package).rglob("*.py")):
        if EXEMPT_PARTS & set(file.parts):
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        is_test = file.parts[0] in ("bench", "tests")
        if file.stem in DENIED:
            faults.append(f"{file}: the module's name says nothing of its content")
        for line, name, kind in list_names(tree):
            if is_denied(name, kind, is_test=is_test):
                faults.append(f"{file}:{line}: `{name}` does not say what it names")
        for node in () if is_test else tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].append(f"{file}:{node.lineno}")
    faults += [
        f"{', '.join(places)}: class `{name}` has more than one meaning"
        for name, places in classes.items()
        if len(places) > 1
    ]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
