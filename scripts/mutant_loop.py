"""Tries each mutant in a fork of one process that has imported the code and collected the tests.

In the fork the code of the mutant takes the place of its function's, and rulebooks are compiled
anew. The tests that reach the function are tried in the order of what they promise: those that
killed most of its mutants, then those that killed most others, then the cheap ones.
"""

import gc
import json
import os
import resource
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import pytest
from _pytest.nodes import Node
from _pytest.runner import runtestprotocol

ORIGINAL = "_mutmut_orig"
SECONDS_PER_MUTANT = 1.5
"""Processor time of the tests of one mutant; those that are left are tried with `--all-tests`."""
STRONG_TESTS = ("test_stored_assessments_replay_to_the_byte", "test_batches_give_the_same_rows")
"""What is tried first while nothing is known of the tests."""

Reset = Callable[[], None]


class Mutant(NamedTuple):
    """One changed form of a function, and the function whose place it takes."""

    name: str
    function: FunctionType
    changed_function: FunctionType

    @property
    def function_name(self) -> str:
        """Module and qualified name of the function."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @property
    def changes_code(self) -> bool:
        """Whether the two differ in more than annotations."""
        return any(
            getattr(self.function.__code__, name) != getattr(self.changed_function.__code__, name)
            for name in ("co_code", "co_consts", "co_names")
        ) or (self.function.__defaults__, self.function.__kwdefaults__) != (
            self.changed_function.__defaults__,
            self.changed_function.__kwdefaults__,
        )

    def activate(self) -> None:
        """Give the function the mutant's code. Every reference to it then calls the mutant."""
        self.function.__code__ = self.changed_function.__code__
        self.function.__defaults__ = self.changed_function.__defaults__
        self.function.__kwdefaults__ = self.changed_function.__kwdefaults__


FUNCTIONS: list[tuple[FunctionType, dict[str, Any]]] = []
"""Each function that has mutants, with its mutants by name."""


def register_function(mutants: dict[str, Any], **_: Any) -> Callable[[FunctionType], FunctionType]:
    """Keep a function with its mutants, in place of mutmut's wrapper, which slows each call."""

    def register(function: FunctionType) -> FunctionType:
        FUNCTIONS.append((function, mutants))
        return function

    return register


def list_mutants(patterns: Iterable[str]) -> list[Mutant]:
    """Return the mutants whose names match, in the order of the patterns."""
    mutants = [
        Mutant(f"{function.__module__}.{name}", function, getattr(it, "__func__", it))
        for function, by_name in FUNCTIONS
        for name, it in by_name.items()
        if name != ORIGINAL
    ]
    matching_mutants = [it for pattern in patterns for it in mutants if fnmatch(it.name, pattern)]
    return list({mutant.name: mutant for mutant in matching_mutants}.values())


class MutantLoop:
    """A plugin of pytest that tries the mutants where pytest would run the collected tests."""

    def __init__(self, share: str, patterns: Iterable[str], *, is_quick: bool) -> None:
        self._file = Path(f"{share}.json")
        self._patterns = patterns
        self._seconds = SECONDS_PER_MUTANT if is_quick else float("inf")
        self._is_quick = is_quick
        stored_parts = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        self.results: dict[str, list[str]] = stored_parts.get("results", {})
        self._tests_of: dict[str, list[str]] = stored_parts.get("tests_of", {})
        self._durations: dict[str, float] = stored_parts.get("durations", {})
        self._runs: Counter[str] = Counter()
        self._kills: Counter[str] = Counter(killer for _, killer in self.results.values())
        self._kills_by_function: defaultdict[str, Counter[str]] = defaultdict(Counter)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try each mutant that has no result yet."""
        items = {item.nodeid: item for item in session.items}
        Node._repr_failure_py = lambda *_, **__: "failed"
        reset = prepare_reset()
        session.config._tmp_path_factory.getbasetemp()
        run_tests(session.items[:1])
        self._measure_tests([it for it in session.items if it.nodeid not in self._durations], reset)
        finished = {"killed", "changes no code"} | ({"survived"} if self._is_quick else set())
        mutants = [
            mutant
            for mutant in list_mutants(self._patterns)
            if self.results.get(mutant.name, ["untried"])[0] not in finished
        ]
        gc.collect()
        gc.freeze()
        for number, mutant in enumerate(mutants, 1):
            self.results[mutant.name] = self._try_mutant(mutant, items, reset)
            if number % 50 == 0 or number == len(mutants):
                self._save()
                print(f"{number} of {len(mutants)}", flush=True)
        return True

    def _try_mutant(self, mutant: Mutant, items: dict[str, pytest.Item], reset: Reset) -> list[str]:
        """Return the outcome and the test that killed the mutant."""
        tests = self._select_tests(mutant, items)
        if not tests:
            return ["reached by no test", ""]
        if not mutant.changes_code:
            return ["changes no code", ""]

        def run_mutant(report: Callable[[int], None]) -> bool:
            mutant.activate()
            reset()
            return run_tests([items[name] for name in tests], report)

        seconds = 4 * sum(map(self._durations.__getitem__, tests)) + 4
        has_passed, position = run_in_fork(run_mutant, seconds=seconds)
        if position < 0:
            return ["cannot take the function's place", ""]
        self._runs.update(tests[: position + 1])
        if has_passed:
            return ["survived", ""]
        killer = tests[position]
        self._kills[killer] += 1
        self._kills_by_function[mutant.function_name][killer] += 1
        return ["killed", killer]

    def _select_tests(self, mutant: Mutant, items: dict[str, pytest.Item]) -> list[str]:
        """Return the collected tests that reach the function, within the time, the best first."""
        killers = self._kills_by_function[mutant.function_name]

        def estimate_cost(test: str) -> float:
            is_strong = test.partition("[")[0].endswith(STRONG_TESTS)
            chance = (self._kills[test] + (2 if is_strong else 0.05)) / (self._runs[test] + 2)
            chance = max(chance, killers[test] / (killers.total() + 1))
            return (self._durations[test] + 0.001) / chance

        tests, seconds = [], 0.0
        tests_of_function = self._tests_of.get(mutant.function_name, ())
        for test in sorted(items.keys() & tests_of_function, key=estimate_cost):
            tests.append(test)
            seconds += self._durations[test]
            if seconds > self._seconds:
                break
        return tests

    def _measure_tests(self, items: list[pytest.Item], reset: Reset) -> None:
        """Store how long each test takes and which functions it reaches."""

        def measure(_: Callable[[int], None]) -> bool:
            names = {
                function.__code__: f"{function.__module__}.{function.__qualname__}"
                for function, _ in FUNCTIONS
            }
            reached_names: set[str] = set()

            def note_call(frame: Any, event: str, _: Any) -> None:
                if event == "call" and frame.f_code in names:
                    reached_names.add(names[frame.f_code])

            for item in items:
                reset()
                reached_names.clear()
                threading.setprofile(note_call)
                sys.setprofile(note_call)
                has_passed = run_tests([item])
                sys.setprofile(None)
                if not has_passed:
                    print(f"left out, because it fails without a mutant: {item.nodeid}")
                    continue
                for name in reached_names:
                    self._tests_of.setdefault(name, []).append(item.nodeid)
                start_seconds = time.process_time()
                run_tests([item])
                self._durations[item.nodeid] = time.process_time() - start_seconds
            self._save()
            return True

        if items:
            run_in_fork(measure, is_silent=False)
            stored_parts = json.loads(self._file.read_text("utf-8"))
            self._tests_of, self._durations = stored_parts["tests_of"], stored_parts["durations"]

    def _save(self) -> None:
        parts = {
            "results": self.results,
            "tests_of": self._tests_of,
            "durations": self._durations,
        }
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(parts), "utf-8")
        new.replace(self._file)


def run_tests(items: list[pytest.Item], report: Callable[[int], None] = lambda _: None) -> bool:
    """Run the tests up to the first that fails; report the position of each before it starts."""
    for position, (item, next_item) in enumerate(zip(items, [*items[1:], None], strict=True)):
        report(position)
        if any(it.failed for it in runtestprotocol(item, log=False, nextitem=next_item)):
            return False
    return True


def run_in_fork(
    action: Callable[[Callable[[int], None]], bool], *, seconds: float = 0, is_silent: bool = True
) -> tuple[bool, int]:
    """Return whether the action succeeds in a fork, and the last number it reported or -1."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        outcome = 1
        try:
            limit_resources(seconds)
            if is_silent:
                for stream in (1, 2):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            outcome = 0 if action(lambda number: os.write(writer, b"%d\n" % number)) else 1
        finally:
            os._exit(outcome)
    os.close(writer)
    with os.fdopen(reader) as lines:
        numbers = lines.read().split()
    _, status = os.waitpid(child, 0)
    return status == 0, int(numbers[-1]) if numbers else -1


def limit_resources(seconds: float) -> None:
    """End this process after these seconds of processor time, or of a deadlock."""
    if seconds:
        limit = int(time.process_time() + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60 * int(seconds))


def prepare_reset() -> Reset:
    """Return a function that makes rulebooks compile anew, by the mutant that is then active."""
    from scoring.compiled_rulebook import LoadedRulebook  # when the mutants can be imported

    caches = [
        value
        for name, module in list(sys.modules.items())
        if name.startswith("scoring.")
        for value in vars(module).values()
        if hasattr(value, "cache_clear") and value.__name__ != "load_catalogue"
    ]
    gc.unfreeze()  # the tests freeze what they have imported, and that is not listed
    sources = {
        id(it): (it, it.rulebook, it.sha256, it.explainer._style)
        for it in gc.get_objects()
        if type(it) is LoadedRulebook
    }

    def compile_again(loaded: LoadedRulebook, name: str) -> Any:
        if id(loaded) not in sources or vars(loaded):
            raise AttributeError(name)
        LoadedRulebook.__init__(*sources[id(loaded)])
        return getattr(loaded, name)

    LoadedRulebook.__getattr__ = compile_again

    def reset() -> None:
        for it in caches:
            it.cache_clear()
        for loaded, *_ in sources.values():
            vars(loaded).clear()

    return reset
