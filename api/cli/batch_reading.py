"""Decides how a batch file is read: by its own column names, or by a mapping file."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from api.batch_scoring.column_names import ColumnNames, load_column_mapping, maps_questions
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.input_files import ReadOptions, add_file_options
from api.batch_scoring.mapping.mapped_names import MappedNames
from api.batch_scoring.mapping.mapping_file import MappingError, load_mapping
from api.batch_scoring.readers.ndjson import LineFault
from scoring.catalogue import UnknownRulebookError, load_catalogue
from scoring.compiled_rulebook import LoadedRulebook

if TYPE_CHECKING:
    from api.fhir.bulk_responses import ResponseTranslator


class ColumnOptions(NamedTuple):
    """What the command line says about columns; it adds to what a mapping file says."""

    mapping: Path | None
    keep: tuple[str, ...]
    missing: tuple[str, ...]
    ignore_unknown: bool


def build_reading(
    loaded: LoadedRulebook, columns: ColumnOptions, options: ReadOptions
) -> tuple[ColumnNames, LoadedRulebook, ReadOptions]:
    """Return the columns to read, the rulebook (a mapping names it) and the options of reading.

    Raises UnusableInputError.
    """
    if columns.mapping is None or not maps_questions(columns.mapping):
        names = ColumnNames(
            loaded,
            load_column_mapping(columns.mapping) if columns.mapping else {},
            keep=columns.keep,
            missing=columns.missing,
            ignore_unknown=columns.ignore_unknown,
            may_quote=True,
        )

        def translate(resource: dict[str, Any]) -> tuple[dict[str, Any], list[LineFault]]:
            return _load_translator(loaded)(resource)

        return names, loaded, options._replace(translate_resource=translate)
    try:
        mapping, loaded = load_mapping(columns.mapping, load_catalogue())
    except MappingError as error:
        raise UnusableInputError(f"{columns.mapping}: {error}") from None
    mapping = mapping.extend(columns.keep, columns.missing)
    names = MappedNames(loaded, mapping, ignore_unknown=columns.ignore_unknown)
    return names, loaded, add_file_options(options, mapping)


def build_import_reading(
    rulebook: str, mapping: Path | None, options: ReadOptions
) -> tuple[LoadedRulebook, ReadOptions]:
    """Return the rulebook, which may be retired, and the options of reading for an import.

    Raises UnusableInputError.
    """
    try:
        loaded = load_catalogue().find_released(rulebook)
    except UnknownRulebookError as error:
        raise UnusableInputError(f"--rulebook: {error}") from None
    columns = ColumnOptions(mapping, (), (), ignore_unknown=False)
    _, loaded, options = build_reading(loaded, columns, options)
    if mapping is not None and options.mapping is None:
        raise UnusableInputError(f"{mapping}: an import needs a mapping with `[[question]]` blocks")
    return loaded, options


@cache
def _load_translator(loaded: LoadedRulebook) -> "ResponseTranslator":
    """Return the translator of FHIR resources, which is loaded only where a file has one."""
    from api.fhir.bulk_responses import ResponseTranslator

    return ResponseTranslator(load_catalogue(), loaded)
