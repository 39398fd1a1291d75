"""The outline of a batch's results: which columns come out for a rulebook, in which order.

A batch carries every grading of an instrument, unless `columns.toml` beside its rulebooks names
those that it carries.
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
    """The names of the columns that come out for one rulebook. ValueError where two are alike."""

    def __init__(self, loaded: LoadedRulebook) -> None:
        book = loaded.rulebook
        self.gradings = gradings_carried(loaded)
        self.criteria = [each.id for each in book.criterion]
        self.because = [f"{BECAUSE}{each.id}" for each in book.criterion]
        self.domains = [f"{DOMAIN}{each.id}" for each in book.domain]
        banded = [total.id for total in book.total if total.banded]
        others = [total.id for total in book.total if not total.banded]
        self.names = (
            *(*PASSED_THROUGH, "rulebook", "rulebook_sha256", STATUS, TIER, FLAGS),
            *([*banded, LEAST, MOST, BAND] if banded else []),
            *others,
            *([PICTURE, *(each.id for each in book.ledger)] if book.ledger else []),
            *(*self.gradings, MISSING, *self.domains, *self.criteria, PROBLEMS),
        )
        self.explained = (*self.names[:-1], *self.because, PROBLEMS)
        doubled = [name for name, count in Counter(self.explained).items() if count > 1]
        if doubled:
            raise ValueError(f"{loaded.name}: two columns are called {doubled[0]}")


def gradings_carried(loaded: LoadedRulebook) -> list[str]:
    """The gradings that a batch carries, in rulebook order."""
    known = [each.id for each in loaded.rulebook.grading]
    file = SHIPPED / loaded.rulebook.rulebook.instrument / "columns.toml"
    if not file.exists():
        return known
    carried = tomllib.loads(file.read_text(encoding="utf-8"))["gradings"]
    return [name for name in known if name in carried]
