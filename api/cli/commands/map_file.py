"""`nociscreen map`: suggest a mapping for a file, and check what a mapping makes of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.context import fail

if TYPE_CHECKING:
    from api.batch_scoring.mapping.profile import FileProfile

map_commands = typer.Typer(no_args_is_help=True, help="Mappings of files from other tools.")
SomeFile = Annotated[str, typer.Argument(help="A file that `nociscreen batch` reads.")]
Sheet = Annotated[str | None, typer.Option(help="The sheet of a workbook.")]
HeaderLine = Annotated[int, typer.Option(min=1, help="The line of the header.")]


@map_commands.command("suggest")
def suggest_mapping(
    file: SomeFile,
    rulebook: Annotated[str, typer.Option(help="The rulebook.")] = "nociplastic",
    dictionary: Annotated[
        Path | None, typer.Option(help="A REDCap data dictionary (CSV).", dir_okay=False)
    ] = None,
    sheet: Sheet = None,
    header_line: HeaderLine = 1,
) -> None:
    """Print a mapping file suggested from the columns of a file; doubtful lines are comments."""
    from api.batch_scoring.file_formats import UnusableInputError
    from api.batch_scoring.mapping.data_dictionary import read_dictionary
    from api.batch_scoring.mapping.profile import read_header
    from api.batch_scoring.mapping.suggestions import MappingSuggester
    from scoring.catalogue import UnknownRulebookError, load_catalogue

    try:
        loaded = load_catalogue().find_active(rulebook)
        fields = read_dictionary(dictionary) if dictionary else {}
        header = read_header(file, loaded, sheet, header_line)
    except (UnknownRulebookError, UnusableInputError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename} cannot be read: {error.strerror}")
    typer.echo(MappingSuggester(loaded, fields).suggest(header, "file", header_line), nl=False)


@map_commands.command("check")
def check_mapping(
    file: SomeFile,
    mapping_file: Annotated[
        Path, typer.Option("--map", "--mapping", help="The mapping file.", dir_okay=False)
    ],
    sheet: Sheet = None,
) -> None:
    """Show what a mapping makes of each column; nothing is stored or written.

    Exits with 1 if cells are refused or rows are repeated.
    """
    from api.batch_scoring.file_formats import UnusableInputError
    from api.batch_scoring.mapping.mapping_file import MappingError, load_mapping
    from api.batch_scoring.mapping.profile import profile_file
    from scoring.catalogue import load_catalogue

    try:
        mapping, loaded = load_mapping(mapping_file, load_catalogue())
        profile = profile_file(file, mapping, loaded, sheet)
    except (MappingError, UnusableInputError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename} cannot be read: {error.strerror}")
    _print_profile(profile)
    raise typer.Exit(0 if profile.is_clean else 1)


@map_commands.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of mapping files."""
    from api.batch_scoring.mapping.mapping_file import ImportMapping
    from api.cli.context import print_json

    print_json(ImportMapping.model_json_schema())


def _print_profile(profile: "FileProfile") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("column", "becomes", "filled", "refused", "answers", box=None, pad_edge=False)
    for column in profile.columns:
        cells = (column.name, column.use, f"{column.filled_cells:,}", f"{column.refused_cells:,}",
                 column.describe_answers(profile.rows))  # fmt: skip
        table.add_row(*map(Text, cells))
    Console(width=140).print(table)
    for line in profile.list_remarks():
        typer.echo(line)
