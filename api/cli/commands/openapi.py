"""`nociscreen openapi`: write the OpenAPI description and its examples, or check them."""

from pathlib import Path
from typing import Annotated

import typer


def openapi(
    folder: Annotated[Path, typer.Option(help="The folder of openapi.json and examples/.")] = Path(
        "openapi"
    ),
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the files are out of date.")
    ] = False,
) -> None:
    """Write the OpenAPI description and its examples."""
    from api.cli.openapi_export import find_outdated_files, write_openapi_files

    if not check:
        write_openapi_files(folder)
        return
    outdated = find_outdated_files(folder)
    for name in outdated:
        typer.echo(f"{name} is out of date; run `nociscreen openapi`", err=True)
    raise typer.Exit(1 if outdated else 0)
