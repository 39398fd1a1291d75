"""Tries mutants of a share of the code: `python scripts/mutation.py scoring 'scoring.weighing.*'`.

mutmut writes the mutants of each function beside it; `mutant_loop` tries them in one process. What
mutmut does itself, a process or a collection of the tests for each mutant, takes fifty times as
long. A share is a table below [tool.mutmut.share] in pyproject.toml. The results are kept in
mutants/SHARE.json: a run that was stopped goes on, and `--all-tests` tries what survived its first
tests with the rest. `rm -rf mutants` starts again.
"""

import ast
import difflib
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from mutant_loop import ORIGINAL, MutantLoop, register_function
from mutmut import __main__ as mutmut_program
from mutmut.configuration import config
from mutmut.mutation import trampoline

OPTIONS = ("-q", "-s", "-p", "no:xdist", "-W", "ignore", "--assert=plain", "--rootdir=.")


def main() -> None:
    """Write the mutants unless they are written, try those that are left, show the survivors."""
    shares = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]["share"]
    arguments = [argument for argument in sys.argv[1:] if argument != "--all-tests"]
    if not arguments or arguments[0] not in shares:
        sys.exit(f"expected one of {', '.join(shares)}, then patterns of the names of mutants")
    name, *patterns = arguments
    share = shares[name]
    if not Path("mutants").exists():
        write_mutants(share["only_mutate"])
    os.chdir("mutants")
    sys.path.insert(0, str(Path.cwd()))
    trampoline.wrap_in_trampoline = register_function
    loop = MutantLoop(name, patterns or ["*"], is_quick="--all-tests" not in sys.argv)
    pytest.main([*OPTIONS, *share["tests"]], plugins=[loop])
    print_survivors(loop.results)


def write_mutants(paths: list[str]) -> None:
    """Write the code with all its mutants into mutants/, beside what the tests need."""
    config().only_mutate = paths
    Path("mutants").mkdir(exist_ok=True)
    mutmut_program.copy_src_dir()
    mutmut_program.copy_also_copy_files()
    mutmut_program.create_mutants(os.cpu_count() or 1)


def print_survivors(results: dict[str, list[str]]) -> None:
    """Print how many mutants had each outcome, and the difference of each that was not killed."""
    for name, (outcome, _) in results.items():
        if outcome not in ("killed", "changes no code"):
            print(f"\n{name}: {outcome}", *list_changed_lines(name), sep="\n")
    print("\n", Counter(outcome for outcome, _ in results.values()))


def list_changed_lines(name: str) -> Iterator[str]:
    """Yield the lines in which the mutant differs from its function."""
    module, _, mutant = name.rpartition(".")
    bodies = read_functions(module)
    original = mutant.rpartition("__mutmut_")[0] + "_" + ORIGINAL
    lines = difflib.unified_diff(bodies[original], bodies[mutant], n=0, lineterm="")
    yield from (line for line in list(lines)[2:] if line[0] in "-+" and "mutmut" not in line)


@cache
def read_functions(module: str) -> dict[str, list[str]]:
    """Return the lines of each function in the file with the mutants of a module."""
    path = Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = file.read_text("utf-8")
    return {
        node.name: text.splitlines()[node.lineno - 1 : node.end_lineno]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


if __name__ == "__main__":
    main()
