"""What commands have in common: settings read, the store opened, trouble told in one line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from api.problems import Problem
    from api.settings import Settings
    from api.store.key_ring import KeyRingError
    from api.store.store import Store
    from api.store.transaction import Actor

BAD_INPUT = 2


def settings() -> "Settings":
    """The settings; exit 2 with the name of each that is not as expected."""
    from pydantic import ValidationError

    from api.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        faults = [
            f"NOCISCREEN_{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors()
        ]
        fail("\n".join(faults))


@contextmanager
def opened(chosen: "Settings | None" = None) -> Iterator["Store"]:
    """The store that the settings name; exit 2 where it cannot be opened or refuses."""
    from api.observability.structured_logging import silenced
    from api.problems import Problem
    from api.store.database.engine import DatabaseError
    from api.store.key_ring import KeyRingError
    from api.store.operations.startup import open_store

    chosen = chosen or settings()
    try:
        with silenced():
            store = open_store(chosen, note)
        try:
            yield store
        finally:
            store.close()
    except KeyRingError as error:
        fail(_ring(chosen, error))
    except DatabaseError as error:
        fail(str(error))
    except OSError as error:
        fail(f"the store cannot be opened: {error.filename or ''}: {error.strerror}")
    except Problem as problem:
        missing = problem.__cause__
        fail(_ring(chosen, missing) if isinstance(missing, KeyRingError) else _line(problem))


def _ring(chosen: "Settings", error: "KeyRingError") -> str:
    return f"NOCISCREEN_KEY_RING{'_FILE' if chosen.key_ring is None else ''}: {error}"


def _line(problem: "Problem") -> str:
    return f"{problem.kind.title}: {problem.detail}"


def operator(organisation: str) -> "Actor":
    """Whoever types, acting in this organisation."""
    from api.store.accounts.organisations import OPERATOR

    return OPERATOR._replace(organisation=organisation)


def say(value: Any) -> None:
    """Print what was made or found as JSON, for people and programs alike."""
    from pydantic import BaseModel

    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """Tell on standard error, beside what is printed."""
    typer.echo(text, err=True)


def told(problem: "Problem") -> str:
    """A problem as the API tells it."""
    return json.dumps(problem.body().model_dump(exclude_none=True), indent=2)


def fail(message: str) -> NoReturn:
    """End with what was wrong and exit status 2."""
    typer.echo(message, err=True)
    raise typer.Exit(BAD_INPUT)
