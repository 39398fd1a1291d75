"""Places totals in bands and ledgers in a mechanism picture. Sums are in hundredths of a point."""

from bisect import bisect_right
from functools import lru_cache

from schemas.assessments.assessment import MechanismPicture
from schemas.rulebooks.rulebook import Band, Picture
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.remembered_parts import REMEMBERED_NUMBERS
from scoring.weighing import Sums, to_hundredths, to_points


def find_band_index(loaded: LoadedRulebook, points: int) -> int:
    """Return the index of the band with these points, before its other needs are checked."""
    return bisect_right(loaded.band_starts, points)


def select_band(
    loaded: LoadedRulebook, sums: Sums, facts: Facts, *, if_unknown: bool = False
) -> Band | None:
    """Return the band of the banded total, or its fallback if its needs are not met.

    A condition of unknown truth counts as `if_unknown`. None if no total is banded.
    """
    if loaded.banded_total_index is None:
        return None
    bands = loaded.rulebook.band
    band = bands[find_band_index(loaded, sums.totals[loaded.banded_total_index])]
    needs = band.needs
    if needs is None:
        return band
    has_domains = all(
        sums.domain_points[loaded.domain_indexes[name]] > 0 for name in needs.domains_above_zero
    )
    truth = True if needs.when is None else loaded.evaluate(needs.when, facts)
    if has_domains and (if_unknown if truth is None else truth):
        return band
    return next(fallback for fallback in bands if fallback.id == needs.otherwise)


def count_bands_between(loaded: LoadedRulebook, least: int, most: int) -> int:
    """Return how many bands apart the two ends of a range are."""
    return find_band_index(loaded, most) - find_band_index(loaded, least)


def build_picture(
    loaded: LoadedRulebook, sums: Sums, facts: Facts, *, is_identified: bool
) -> MechanismPicture | None:
    """Return the ledgers and, if `is_identified`, the picture they match; None without ledgers."""
    if not loaded.rulebook.ledger:
        return None
    ledgers = _calculate_ledgers(loaded, sums, facts)
    if not is_identified:
        return _build_picture(None, None, tuple(ledgers.items()))
    match = next(picture for picture in loaded.rulebook.picture if _matches(picture, ledgers))
    return _build_picture(match.id, match.label, tuple(ledgers.items()))


@lru_cache(REMEMBERED_NUMBERS)
def _build_picture(
    name: str | None, label: str | None, ledgers: tuple[tuple[str, int], ...]
) -> MechanismPicture:
    exact_ledgers = {ledger: to_points(points) for ledger, points in ledgers}
    return MechanismPicture(id=name, label=label, ledgers=exact_ledgers)


def _calculate_ledgers(loaded: LoadedRulebook, sums: Sums, facts: Facts) -> dict[str, int]:
    book = loaded.rulebook
    totals = dict(zip((total.id for total in book.total), sums.totals, strict=True))
    domains = dict(zip((domain.id for domain in book.domain), sums.domain_points, strict=True))
    ledgers = {}
    for ledger in book.ledger:
        points = 0
        for part in ledger.part:
            if part.when is None or loaded.evaluate(part.when, facts):
                source = totals[part.total] if part.total else domains[part.domain or ""]
                source = min(source, 0) if part.only_negative else source
                points += source * to_hundredths(part.factor) // 100
        ledgers[ledger.id] = points
    return ledgers


def _matches(picture: Picture, ledgers: dict[str, int]) -> bool:
    at_least = [ledgers[name] >= to_hundredths(edge) for name, edge in picture.at_least.items()]
    one_of = [ledgers[name] >= to_hundredths(edge) for name, edge in picture.any_at_least.items()]
    return (
        all(at_least)
        and (not one_of or any(one_of))
        and all(ledgers[name] < to_hundredths(edge) for name, edge in picture.below.items())
        and all(ledgers[larger] > ledgers[smaller] for larger, smaller in picture.exceeds.items())
    )
