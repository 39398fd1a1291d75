"""Names the columns of a batch's results for a rulebook, in order.

Results contain every grading of an instrument, unless `columns.toml` in the instrument's folder of
rulebooks lists a selection.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from schemas.batches.batch import (
    ALL_ASKED_COLUMN,
    ALTERNATIVES_COLUMN,
    ASK_FIRST_COLUMN,
    BAND_COLUMN,
    BAND_LEAST_COLUMN,
    BAND_MOST_COLUMN,
    BECAUSE_PREFIX,
    CONTRADICTIONS_COLUMN,
    DOMAIN_PREFIX,
    FLAGS_COLUMN,
    LEAST_COLUMN,
    MISSING_COLUMN,
    MOST_COLUMN,
    NOT_ASKED_COLUMN,
    PASSTHROUGH_COLUMNS,
    PICTURE_COLUMN,
    PROBLEMS_COLUMN,
    SCOPE_REASONS_COLUMN,
    SCOPE_UNANSWERED_COLUMN,
    STATUS_COLUMN,
    TIER_COLUMN,
    WHY_NO_BAND_COLUMN,
)
from scoring.catalogue import RULEBOOKS_FOLDER
from scoring.compiled_rulebook import LoadedRulebook

_BAND_RANGE_COLUMNS = [BAND_LEAST_COLUMN, BAND_MOST_COLUMN]
_ASKED_COLUMNS = (
    ALL_ASKED_COLUMN,
    NOT_ASKED_COLUMN,
    SCOPE_REASONS_COLUMN,
    SCOPE_UNANSWERED_COLUMN,
)


class OutputColumns:
    """The names of the output columns of one rulebook. Raises ValueError if two are the same."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        book = loaded.rulebook
        self.gradings = list_output_gradings(loaded)
        self.criteria = [criterion.id for criterion in book.criterion]
        self.because_names = [f"{BECAUSE_PREFIX}{name}" for name in self.criteria]
        self.domain_names = [f"{DOMAIN_PREFIX}{domain.id}" for domain in book.domain]
        banded = [total.id for total in book.total if total.banded]
        unbanded_totals = [total.id for total in book.total if not total.banded]
        has_new_columns = book.rulebook.scoring_rules > 1
        band_names = [BAND_COLUMN, *(_BAND_RANGE_COLUMNS * has_new_columns)]
        self.names = (
            *(
                *PASSTHROUGH_COLUMNS,
                "rulebook",
                "rulebook_sha256",
                STATUS_COLUMN,
                TIER_COLUMN,
                FLAGS_COLUMN,
            ),
            *([*banded, LEAST_COLUMN, MOST_COLUMN, *band_names] if banded else []),
            *unbanded_totals,
            *([PICTURE_COLUMN, *(ledger.id for ledger in book.ledger)] if book.ledger else []),
            *self.gradings,
            *([ALTERNATIVES_COLUMN, CONTRADICTIONS_COLUMN] * has_new_columns),
            *(MISSING_COLUMN, *([ASK_FIRST_COLUMN] * has_new_columns)),
            *(*self.domain_names, *self.criteria, *_ASKED_COLUMNS),
            *([WHY_NO_BAND_COLUMN] * has_new_columns),
            PROBLEMS_COLUMN,
        )
        self.names_with_explanations = (*self.names[:-1], *self.because_names, PROBLEMS_COLUMN)
        duplicates = [
            name for name, count in Counter(self.names_with_explanations).items() if count > 1
        ]
        if duplicates:
            raise ValueError(f"{loaded.name}: two columns are called {duplicates[0]}")


def list_output_gradings(loaded: LoadedRulebook) -> list[str]:
    """Return the ids of the gradings in a batch's results, in rulebook order."""
    gradings = [grading.id for grading in loaded.rulebook.grading]
    selected = read_column_settings(loaded).get("gradings")
    return gradings if selected is None else [name for name in gradings if name in selected]


def read_column_settings(loaded: LoadedRulebook) -> Mapping[str, Any]:
    """Return the settings for files of the instrument; none if it has no file of them."""
    return _read_settings(loaded.rulebook.rulebook.instrument)


@cache
def _read_settings(instrument: str) -> Mapping[str, Any]:
    file = RULEBOOKS_FOLDER / instrument / "columns.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
