"""The scale: from sums in hundredths to bands, ledgers and the picture they make."""

from bisect import bisect_right

from schemas.assessment import MechanismPicture
from schemas.rulebook import Band, Picture
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import Facts
from scoring.weighing import Sums, exact, hundredths


def band_at(loaded: LoadedRulebook, points: int) -> int:
    """The place of the band that holds these points, from the table alone."""
    return bisect_right(loaded.band_starts, points)


def band_given(loaded: LoadedRulebook, sums: Sums, banded: int, facts: Facts) -> Band:
    """The band of the total in that place, or the one below where it lacks what it needs."""
    bands = loaded.rulebook.band
    band = bands[band_at(loaded, sums.totals[banded])]
    needs = band.needs
    if needs is None:
        return band
    has_domains = all(sums.counted[loaded.domains[name]] > 0 for name in needs.domains_above_zero)
    if has_domains and (needs.when is None or loaded.holds(needs.when, facts)):
        return band
    return next(other for other in bands if other.id == needs.otherwise)


def bands_apart(loaded: LoadedRulebook, least: int, most: int) -> int:
    """How many bands lie between the two ends of a range."""
    return band_at(loaded, most) - band_at(loaded, least)


def picture(
    loaded: LoadedRulebook, sums: Sums, facts: Facts, *, named: bool
) -> MechanismPicture | None:
    """The ledgers side by side and, where it may be named, the picture they make."""
    if not loaded.rulebook.ledger:
        return None
    ledgers = _ledgers(loaded, sums, facts)
    shown = {name: exact(points) for name, points in ledgers.items()}
    if not named:
        return MechanismPicture(id=None, label=None, ledgers=shown)
    seen = next(each for each in loaded.rulebook.picture if _fits(each, ledgers))
    return MechanismPicture(id=seen.id, label=seen.label, ledgers=shown)


def _ledgers(loaded: LoadedRulebook, sums: Sums, facts: Facts) -> dict[str, int]:
    book = loaded.rulebook
    totals = dict(zip((total.id for total in book.total), sums.totals, strict=True))
    domains = dict(zip((domain.id for domain in book.domain), sums.counted, strict=True))
    ledgers = {}
    for ledger in book.ledger:
        points = 0
        for part in ledger.part:
            taken = totals[part.total] if part.total else domains[part.domain or ""]
            if part.when is None or loaded.holds(part.when, facts):
                points += (
                    (min(taken, 0) if part.only_negative else taken)
                    * hundredths(part.factor)
                    // 100
                )
        ledgers[ledger.id] = points
    return ledgers


def _fits(picture: Picture, ledgers: dict[str, int]) -> bool:
    return (
        all(ledgers[name] >= hundredths(least) for name, least in picture.at_least.items())
        and (
            not picture.any_at_least
            or any(
                ledgers[name] >= hundredths(least) for name, least in picture.any_at_least.items()
            )
        )
        and all(ledgers[name] < hundredths(edge) for name, edge in picture.below.items())
        and all(ledgers[larger] > ledgers[smaller] for larger, smaller in picture.exceeds.items())
    )
