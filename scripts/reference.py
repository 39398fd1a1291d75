"""Writes docs/reference/ from the code, or with --check fails if it differs.

The calls come from openapi/openapi.json, which `nociscreen openapi` writes: run that first.
"""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from generated_pages import write_pages

from api.cli import main as command_line
from api.field_errors import list_codes
from api.observability.metrics import Metrics
from api.problem_definitions import PROBLEM_DEFINITIONS
from api.security.scopes import SCOPES
from api.settings import Settings
from scoring.catalogue import load_catalogue

ROOT = Path(__file__).parent.parent
NOTE = "<!-- Written by scripts/reference.py from the code. Run `make openapi` to update it. -->"
METHODS = ("get", "post", "put", "patch", "delete")
LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
PLAIN_NAMES = {"SecretStr": "secret", "str": "text", "int": "integer", "float": "number"}


def main() -> None:
    """Write the pages, or name those that differ from the code."""
    pages = {
        "reference/api.md": describe_calls(),
        "reference/settings.md": describe_settings(),
        "reference/problems.md": describe_problems(),
        "reference/cli.md": describe_commands(),
        "reference/scopes.md": describe_scopes(),
        "reference/metrics.md": describe_metrics(),
        "reference/columns.md": describe_columns(),
    }
    write_pages(pages, "the code")


def describe_calls() -> Iterator[str]:
    """List the operations of the API by tag."""
    yield from begin_page(
        "Calls",
        "Every operation of the service, with the scope that a token needs for it. Request and "
        "response bodies are in [`openapi/openapi.json`](../../openapi/openapi.json), which the "
        "service also serves at `GET /openapi.json`. `HEAD` works wherever `GET` does. How to use "
        "the calls: [integration.md](../integration.md).",
    )
    operations: dict[str, list[str]] = {}
    for call, operation in list_operations():
        line = f"{call} ({describe_access(operation)}): {operation['summary']}."
        operations.setdefault(operation["tags"][0], []).append(line)
    for tag, lines in operations.items():
        yield from begin_section(tag[0].upper() + tag[1:])
        for line in lines:
            yield from wrap_item(line)


def list_operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each call of the API, such as `GET /v1/links`, with its description."""
    paths = json.loads((ROOT / "openapi" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    for path, methods in paths.items():
        for method in METHODS:
            if operation := methods.get(method):
                yield f"`{method.upper()} {path}`", operation


def describe_access(operation: dict[str, Any]) -> str:
    """Say which token a caller of the operation needs."""
    for requirement in operation.get("security", ()):
        if scopes := requirement.get("token"):
            return "scope " + ", ".join(f"`{scope}`" for scope in scopes)
        if "ehr" in requirement:
            return "token of an EHR"
    return "no token"


def describe_scopes() -> Iterator[str]:
    """List the scopes with the calls that need them."""
    yield from begin_page(
        "Scopes",
        "A token has scopes, and each call needs one of them; without it the answer is 403 "
        "`missing_scope`. Give a client only the scopes of its task. A client or practitioner can "
        "give to others only scopes that it has.",
    )
    yield ""
    calls: dict[str, list[str]] = {scope: [] for scope in SCOPES}
    for call, operation in list_operations():
        for requirement in operation["security"]:
            for scope in requirement.get("token", ()):
                calls[scope].append(call)
    for scope, scoped_calls in calls.items():
        yield from wrap_item(f"`{scope}`: {', '.join(scoped_calls) or 'no call needs it today'}")


def describe_columns() -> Iterator[str]:
    """List the columns of a batch file for the newest version of each instrument."""
    yield from begin_page(
        "Columns",
        "The columns of a file of intakes ([batches.md](../batches.md)), by instrument. An empty "
        "cell was not answered. `row_id` and `patient_reference` are optional in each file and "
        "returned unchanged. `nociscreen batch --template` writes a file with these columns, "
        "`--codebook` explains each option.",
    )
    for loaded in load_catalogue().list_current():
        yield from begin_section(loaded.name)
        for question in loaded.rulebook.question:
            options = ", ".join(f"`{option.id}`" for option in question.options)
            values = {
                "boolean": "true or false",
                "choice": f"one of {options}",
                "multi": f"any of these, joined by `|`, or `none`: {options}",
                "integer": f"a whole number from {question.minimum} to {question.maximum}",
                "decimal": f"a number from {question.minimum} to {question.maximum}",
            }[question.kind]
            yield from wrap_item(f"`{question.id}` ({question.label}): {values}")


def describe_settings() -> Iterator[str]:
    """List the settings in the order of the code."""
    yield from begin_page(
        "Settings",
        "Settings are environment variables: `NOCISCREEN_` and the name in capitals, for example "
        "`NOCISCREEN_TOKEN_SECONDS=120` for `token_seconds`. All are optional. A TOML file, named "
        "by `NOCISCREEN_SETTINGS_FILE`, may hold them too, under the names of this page "
        "(`token_seconds = 120`); a variable overrides the file. An unknown name in either is "
        "refused with the nearest setting. Let the service's user and group alone read a file with "
        "secrets.",
    )
    yield ""
    for name, field in Settings.model_fields.items():
        if not field.description:
            raise SystemExit(f"the setting {name} has no description")
        kind = " or ".join(describe_type(field.annotation))
        limits = [
            f"{words} {getattr(limit, sign)}"
            for limit in field.metadata
            for sign, words in LIMITS.items()
            if hasattr(limit, sign)
        ]
        default = "no default" if field.default in (None, "") else f"default `{field.default}`"
        properties = ", ".join([kind, *limits, default])
        yield from wrap_item(f"`{name}` ({properties}): {field.description}")


def describe_type(annotation: Any) -> Iterator[str]:
    """Name the types of a setting."""
    choices = getattr(annotation, "__args__", ())
    if not choices:
        name = getattr(annotation, "__name__", "")
        yield {"bool": "`true` or `false`", "Path": "path", **PLAIN_NAMES}.get(name, name)
    for choice in choices:
        if isinstance(choice, str):
            yield f"`{choice}`"
        elif choice is not type(None):
            yield from describe_type(choice)


def describe_problems() -> Iterator[str]:
    """List the problem types by status."""
    yield from begin_page(
        "Problems",
        "Errors are problems (RFC 9457, `application/problem+json`). A problem has `type`, "
        "`title`, `status` and `detail`; where single fields are at fault it lists all of them at "
        "once in `errors`, each with a JSON Pointer, a code and a sentence. No problem repeats an "
        "answer of a patient. `type` is `/problems/{code}`, where the service documents the code. "
        "A resource of another organisation is answered like one that does not exist.",
    )
    yield ""
    for code, kind in sorted(PROBLEM_DEFINITIONS.items(), key=lambda item: (item[1].status, item)):
        text = f"`{code}` ({kind.status}, {kind.title}): {kind.meaning} {kind.remedy}"
        yield from wrap_item(text)
    yield from begin_section("Codes in errors")
    for code, meaning in list_codes().items():
        yield from wrap_item(f'<a id="{code}"></a>`{code}`: {meaning}.')


def describe_metrics() -> Iterator[str]:
    """List the metrics of the service and its workers."""
    yield from begin_page(
        "Metrics",
        "`GET /metrics` of the service, and of a worker with `--health-port`, in Prometheus' text "
        "format. Counters count since the process started. The levels of what waits are read from "
        "the database, at most every 15 seconds, and are the same from every process. No label "
        "holds a patient, a client, an organisation or an id. Sample alert rules and a dashboard: "
        "[`deploy/monitoring`](../../deploy/monitoring).",
    )
    yield ""
    for name, text in sorted(Metrics().describe().items()):
        yield from wrap_item(f"`{name}`: {text}")


def describe_commands() -> Iterator[str]:
    """List the commands with their arguments and options."""
    yield from begin_page(
        "Commands",
        "Every command of `nociscreen`. `--help` shows the same on the command line. Unusable "
        "input or an unusable setting ends with exit status 2, a port in use or a database server "
        "that does not answer with 69. `nociscreen --version` prints the version.",
    )
    for words, command in walk_commands(typer.main.get_command(command_line), "nociscreen"):
        yield from begin_section(f"`{words}`")
        yield from wrap_text(command.help or "")
        items = [item for parameter in command.params if (item := describe_parameter(parameter))]
        if items:
            yield ""
        for item in items:
            yield from wrap_item(item)


def walk_commands(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    """Yield each command as it is typed."""
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield words, command
        return
    for name, subcommand in subcommands.items():
        yield from walk_commands(subcommand, f"{words} {name}")


def describe_parameter(parameter: Any) -> str:
    """Return an argument or option with its help, its default and whether it is required."""
    if parameter.name == "help":
        return ""
    is_argument = parameter.param_type_name == "argument"
    options = [*parameter.opts, *parameter.secondary_opts]
    names = [parameter.name.upper()] if is_argument else options
    properties = (
        "required" if parameter.required else "",
        "repeatable" if parameter.multiple or parameter.nargs == -1 else "",
        describe_default(parameter),
    )
    text = ", ".join(f"`{name}`" for name in names)
    text += f" ({', '.join(filter(None, properties))})" if any(properties) else ""
    explanation = getattr(parameter, "help", None)
    return f"{text}: {explanation}" if explanation else text


def describe_default(parameter: Any) -> str:
    """Return the default of an option, empty if it has none worth naming."""
    default = parameter.default
    if parameter.required or default in (None, "") or isinstance(default, bool):
        return ""
    if callable(default):
        return ""
    return f"default `{getattr(default, 'value', default)}`"


def begin_page(title: str, text: str) -> Iterator[str]:
    """Begin a page."""
    yield from (f"# {title}", "", NOTE, "", *wrap_text(text))


def begin_section(title: str) -> Iterator[str]:
    """Begin a section."""
    yield from ("", f"## {title}", "")


def wrap_text(text: str, indent: str = "") -> list[str]:
    """Break a paragraph into lines of at most 100 characters; `indent` is of the first."""
    return textwrap.wrap(
        " ".join(text.split()),
        100,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrap_item(text: str) -> list[str]:
    """Break an item of a list into lines of at most 100 characters."""
    return wrap_text(text, "- ")


if __name__ == "__main__":
    main()
