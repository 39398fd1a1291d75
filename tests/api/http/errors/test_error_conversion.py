"""Errors of the store as problems: each has one, and no caller compares codes as text."""

import ast
from pathlib import Path

import pytest

from api.http.errors.error_conversion import convert_error
from api.problems import Problem
from api.store import errors
from api.store.errors import StoreError

API = Path(__file__).parents[4] / "api"


def list_classes(base: type) -> list[type]:
    return [
        base,
        *(subclass for child in base.__subclasses__() for subclass in list_classes(child)),
    ]


def test_every_error_of_the_store_is_drawn_in_the_tree_and_has_a_problem():
    classes = list_classes(StoreError)[1:]
    assert len(classes) >= 7
    for error in classes:
        assert error.__name__ in (errors.__doc__ or "")
        assert convert_error(error()).definition.status >= 400


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (errors.NotFoundError(), "not_found", 404),
        (errors.ConflictError("why"), "conflict", 409),
        (errors.LegalHoldError(), "legal_hold", 409),
        (errors.IdempotencyKeyReusedError(), "idempotency_key_reused", 422),
        (errors.InvalidCursorError(), "invalid_request", 422),
        (errors.TooManyAttemptsError(retry_after=30), "too_many", 429),
        (errors.UnavailableError(retry_after=5), "unavailable", 503),
    ],
)
def test_an_error_of_the_store_becomes_its_problem(error, code, status):
    problem = convert_error(error)
    assert (problem.code, problem.definition.status) == (code, status)
    assert problem.detail == (error.detail or problem.definition.meaning)
    seconds = error.retry_after
    assert problem.headers == ({} if seconds is None else {"Retry-After": str(seconds)})


def test_an_invalid_cursor_names_its_parameter():
    (error,) = convert_error(errors.InvalidCursorError()).errors
    assert (error.pointer, error.code) == ("/cursor", "cursor")


def test_a_problem_stays_as_it_is():
    problem = Problem("not_found")
    assert convert_error(problem) is problem


def is_problem_code(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "code" and (
        isinstance(node.value, ast.Name) and node.value.id in ("problem", "error")
    )  # fmt: skip


def is_text(node: ast.expr) -> bool:
    nodes = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return any(isinstance(item, ast.Constant) and isinstance(item.value, str) for item in nodes)


def test_no_module_compares_the_code_of_a_problem_with_text():
    paths = [path for path in API.rglob("*.py") if path.name != "problems.py"]
    assert len(paths) > 200
    compared = [
        f"{path.relative_to(API)}:{node.lineno}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and any(map(is_problem_code, [node.left, *node.comparators]))
        and any(map(is_text, [node.left, *node.comparators]))
    ]
    assert compared == []


def test_the_store_imports_nothing_of_http():
    names = {path.name for path in (API / "store").rglob("*.py")}
    assert len(names) > 40
    for path in (API / "store").rglob("*.py"):
        modules = [
            node.module or ""
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
        ]
        edges = [name for name in modules if name.startswith(("fastapi", "starlette"))]
        assert edges == []
        assert "api.problems" not in modules
