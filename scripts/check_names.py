"""Check names: no bare participle or pronoun names anything, and a public class name has one meaning.

House style: a function is a verb with its object, a variable names the thing it holds.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("api", "scoring", "reports", "schemas", "bench", "scripts", "tests")
PARTICIPLES = """
    about added allowed announced answered applied asked begun bound brought built called carried
    checked chosen claimed closed collected come composed counted cut done drawn dropped ended
    entered expected fetched filled fitted folded found given gone granted handed heard held
    hidden issued joined kept known laid left listed looked made marked meant met moved named
    opened ordered parsed passed picked placed printed proved published put raised reached read_on
    refused released removed rendered reported said sealed seen sent served shown signed sorted_
    spoken started stated stored taken taught told tried turned typed understood used verified
    viewed wanted weighed written
""".split()
PRONOUNS = (
    "each every everybody everything nobody nothing one_ other others ours somebody something "
    "that theirs them they this whatever which who whoever whole whose"
).split()
DENIED = {*PARTICIPLES, *PRONOUNS}
SHARED_CLASS_NAMES: frozenset[str] = frozenset()


def find_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each definition, parameter and bound variable."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id


def main() -> int:
    """Print each fault with its place; exit with 1 if there is any."""
    faults, classes = [], defaultdict(list)
    for file in sorted(file for package in PACKAGES for file in Path(package).rglob("*.py")):
        if "node_modules" in file.parts:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if file.stem in DENIED:
            faults.append(f"{file}: the module's name says nothing of its content")
        for line, name in find_names(tree):
            if name.strip("_").lower() in DENIED:
                faults.append(f"{file}:{line}: `{name}` names no thing")
        if file.parts[0] not in ("tests", "bench"):
            for node in tree.body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    classes[node.name].append(f"{file}:{node.lineno}")
    for name, places in sorted(classes.items()):
        if len(places) > 1 and name not in SHARED_CLASS_NAMES:
            faults.append(f"{', '.join(places)}: class `{name}` has more than one meaning")
    print(*faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
