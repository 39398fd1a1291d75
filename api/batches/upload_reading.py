"""Decides how an uploaded file is read: by its own column names, or by a stored mapping."""

from typing import NamedTuple

from api.auth.request_context import RequestContext
from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.input_files import ReadOptions, add_file_options
from api.batch_scoring.mapping.mapped_names import MappedNames
from api.batch_scoring.mapping.mapping_file import MappingError, parse_mapping
from api.problems import Problem
from api.store.batches import mappings
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook


class UploadColumns(NamedTuple):
    """What a request says about the columns of its file. `mapping` is its id or its name."""

    mapping: str | None
    keep: tuple[str, ...]
    missing: tuple[str, ...]
    ignore_unknown: bool


class UploadReading(NamedTuple):
    """The rulebook, the columns to read, how to read them, and the mapping with its version."""

    loaded: LoadedRulebook
    names: ColumnNames
    options: ReadOptions
    mapping: str | None = None


def build_upload_reading(
    rulebook: LoadedRulebook, columns: UploadColumns, options: ReadOptions, rulebooks: Catalogue,
    context: RequestContext,
) -> UploadReading:  # fmt: skip
    """Return how to read an upload. A mapping names its rulebook itself.

    Raises Problem `unusable_file`, and NotFoundError without such a mapping.
    """
    try:
        if columns.mapping is not None:
            return _build_mapped_reading(columns, options, rulebooks, context)
        names = ColumnNames(
            rulebook,
            keep=columns.keep,
            missing=columns.missing,
            ignore_unknown=columns.ignore_unknown,
        )
        return UploadReading(rulebook, names, options)
    except (UnusableInputError, MappingError, UnknownRulebookError) as error:
        raise Problem("unusable_file", f"The file cannot be used: {error}.") from None


def _build_mapped_reading(
    columns: UploadColumns, options: ReadOptions, rulebooks: Catalogue, context: RequestContext
) -> UploadReading:
    with context.transaction() as work:
        stored_mapping = mappings.find_mapping(work, columns.mapping or "")
        work.audit("read", "mapping", stored_mapping.id)
    mapping, loaded = parse_mapping(stored_mapping.toml, rulebooks)
    loaded = rulebooks.find_active(loaded.name)
    mapping = mapping.extend(columns.keep, columns.missing)
    names = MappedNames(loaded, mapping, ignore_unknown=columns.ignore_unknown, may_quote=False)
    return UploadReading(loaded, names, add_file_options(options, mapping), stored_mapping.id)
