"""Names the columns of a batch's results for a rulebook, in order.

Results contain every grading of an instrument, unless `columns.toml` in the instrument's folder of
rulebooks lists a selection.
"""

import tomllib
from collections import Counter

from schemas.batch import (
    BAND,
    BECAUSE,
    DOMAIN,
    FLAGS,
    LEAST,
    MISSING,
    MOST,
    PASSED_THROUGH,
    PICTURE,
    PROBLEMS,
    STATUS,
    TIER,
)
from scoring.catalogue import SHIPPED
from scoring.compiled_rulebook import LoadedRulebook


class Outline:
    """The names of the output columns of one rulebook. Raises ValueError if two are the same."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        book = loaded.rulebook
        self.gradings = gradings_carried(loaded)
        self.criteria = [criterion.id for criterion in book.criterion]
        self.because = [f"{BECAUSE}{name}" for name in self.criteria]
        self.domains = [f"{DOMAIN}{domain.id}" for domain in book.domain]
        banded = [total.id for total in book.total if total.banded]
        others = [total.id for total in book.total if not total.banded]
        self.names = (
            *(*PASSED_THROUGH, "rulebook", "rulebook_sha256", STATUS, TIER, FLAGS),
            *([*banded, LEAST, MOST, BAND] if banded else []),
            *others,
            *([PICTURE, *(ledger.id for ledger in book.ledger)] if book.ledger else []),
            *(*self.gradings, MISSING, *self.domains, *self.criteria, PROBLEMS),
        )
        self.explained = (*self.names[:-1], *self.because, PROBLEMS)
        duplicates = [name for name, count in Counter(self.explained).items() if count > 1]
        if duplicates:
            raise ValueError(f"{loaded.name}: two columns are called {duplicates[0]}")


def gradings_carried(loaded: LoadedRulebook) -> list[str]:
    """Return the ids of the gradings in a batch's results, in rulebook order."""
    gradings = [grading.id for grading in loaded.rulebook.grading]
    file = SHIPPED / loaded.rulebook.rulebook.instrument / "columns.toml"
    if not file.exists():
        return gradings
    selected = tomllib.loads(file.read_text(encoding="utf-8"))["gradings"]
    return [name for name in gradings if name in selected]
