"""What every command needs: settings, the open store, output, error messages."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from pydantic import ValidationError

    from api.problems import Problem
    from api.settings import Settings
    from api.store.key_ring import KeyRingError
    from api.store.store import Store
    from api.store.transaction import Actor, Transaction

BAD_INPUT = 2
UNAVAILABLE = 69
"""A port or a database server is not available now (EX_UNAVAILABLE of sysexits.h)."""
OrganisationId = Annotated[str, typer.Option("--organisation", help="The id of the organisation.")]
Active = Annotated[
    bool | None, typer.Option("--active/--inactive", help="Activate or deactivate it.")
]


def load_settings() -> "Settings":
    """Return the configured settings; exit 2 and name each invalid or unknown one."""
    import os

    from pydantic import ValidationError

    from api.settings import Settings, SettingsFileError, list_unknown_variables

    unknown = list(list_unknown_variables(os.environ))
    if unknown:
        fail("\n".join(unknown))
    try:
        return Settings()
    except SettingsFileError as error:
        fail(str(error))
    except ValidationError as error:
        fail("\n".join(map(_describe_setting_fault, error.errors())))


def _describe_setting_fault(fault: Any) -> str:
    """Return one line; a fault of several settings together names them itself."""
    from api.field_errors import describe_fault

    detail = describe_fault(fault).detail
    if not fault["loc"]:
        return detail
    import os

    from api.settings import read_settings_file

    name = str(fault["loc"][0]).upper().removeprefix("NOCISCREEN_")
    file = os.environ.get("NOCISCREEN_SETTINGS_FILE")
    if file and f"NOCISCREEN_{name}" not in os.environ and name.lower() in read_settings_file(file):
        return f"{file}: {name.lower()}: {detail}"
    return f"NOCISCREEN_{name}: {detail}"


@contextmanager
def open_configured_store(
    settings: "Settings | None" = None,
    *,
    may_be_unsettled: bool = False,
    may_create: bool = False,
) -> Iterator["Store"]:
    """Open the configured store and close it afterwards; exit 2 if the store raises an error.

    Exit 69 if no database server answers. Only a command that `may_create` creates or upgrades it.
    """
    from pydantic import ValidationError

    from api.http.errors.error_conversion import CLIENT_ERRORS, convert_error
    from api.observability.structured_logging import suppress_logging
    from api.store.database.engine import DatabaseError, UnreachableError
    from api.store.key_ring import KeyRingError
    from api.store.operations.startup import open_store

    settings = settings or load_settings()
    try:
        try:
            with suppress_logging():
                store = open_store(
                    settings,
                    print_note,
                    may_be_unsettled=may_be_unsettled,
                    may_create=may_create,
                )
        except OSError as error:
            fail(f"the store cannot be opened: {error.filename or ''}: {error.strerror}")
        try:
            yield store
        finally:
            store.close()
    except KeyRingError as error:
        fail(_describe_key_ring_error(settings, error))
    except DatabaseError as error:
        fail(str(error), UNAVAILABLE if isinstance(error, UnreachableError) else BAD_INPUT)
    except ValidationError as error:
        fail(_describe_faults(error))
    except CLIENT_ERRORS as error:
        cause = error.__cause__
        if isinstance(cause, KeyRingError):
            fail(_describe_key_ring_error(settings, cause))
        problem = convert_error(error)
        fail(f"{problem.definition.title}: {problem.detail}")


def require_store(settings: "Settings") -> None:
    """Exit 2 if the embedded database does not exist, before anything else is created."""
    from api.store.database.engine import DatabaseError
    from api.store.operations.startup import require_database_file

    try:
        require_database_file(settings)
    except DatabaseError as error:
        fail(str(error))


def _describe_key_ring_error(settings: "Settings", error: "KeyRingError") -> str:
    return f"NOCISCREEN_KEY_RING{'_FILE' if settings.key_ring is None else ''}: {error}"


def build_operator(organisation: str) -> "Actor":
    """Return the operator as an actor in this organisation."""
    from api.store.accounts.organisations import OPERATOR_ACTOR

    return OPERATOR_ACTOR._replace(organisation=organisation)


@contextmanager
def open_transaction(
    organisation: str, settings: "Settings | None" = None
) -> Iterator["Transaction"]:
    """Open a transaction of the operator in this organisation, on the configured store."""
    with (
        open_configured_store(settings) as store,
        store.transaction(build_operator(organisation)) as work,
    ):
        yield work


@contextmanager
def refuse_invalid_input() -> Iterator[None]:
    """Exit 2 with the message of a ValueError; of a model, one line per field."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        fail(_describe_faults(error))
    except ValueError as error:
        fail(str(error))


def _describe_faults(error: "ValidationError") -> str:
    """Return one line per field, which never repeats the input."""
    from api.field_errors import describe_fault

    return "\n".join(
        f"{'.'.join(map(str, fault['loc']))}: {describe_fault(fault).detail}"
        for fault in error.errors(include_input=False, include_url=False)
    )


def collect_changes(**options: Any) -> dict[str, Any]:
    """Return the options that are not None: the others were left out."""
    return {name: value for name, value in options.items() if value is not None}


def print_json(value: Any) -> None:
    """Print plain values, and the models in them, as indented JSON on standard output."""
    text = json.dumps(
        value, indent=2, ensure_ascii=False, default=lambda model: model.model_dump(mode="json")
    )
    typer.echo(text)


def print_note(text: str) -> None:
    """Print a message on standard error, apart from the command's output."""
    typer.echo(text, err=True)


def format_problem(problem: "Problem") -> str:
    """Return a problem as the JSON document that the API would send."""
    return json.dumps(problem.build_body().model_dump(exclude_none=True), indent=2)


def fail(message: str, status: int = BAD_INPUT) -> NoReturn:
    """Print the message on standard error and exit with this status."""
    typer.echo(message, err=True)
    raise typer.Exit(status)


def fail_to_listen(error: OSError, host: str, port: int, advice: str) -> NoReturn:
    """Say why this address cannot be listened on; exit 69 if the port is in use, else 2."""
    import errno

    reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
    fail(
        f"port {port} of {host} {reason}; {advice}",
        UNAVAILABLE if error.errno == errno.EADDRINUSE else BAD_INPUT,
    )
