"""The list: screenings as lines in words, the tier first."""

from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from typing import Literal, NamedTuple

from pydantic import ValidationError

from api.problems import Problem
from reports.phrases import wording
from schemas.rulebook import Rulebook
from schemas.screening import ScreeningFilters, ScreeningLine
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook
from scoring.translations import in_language

AT_ONCE = 25
NO_TIER = "none"


Extent = Literal["all", "some", "none"]


class Line(NamedTuple):
    """One screening as the list shows it."""

    id: str
    tier: str
    tier_words: str
    flags: int
    acknowledged: bool
    patient: str
    name: str | None
    result: str | None
    status: str
    day: str
    time: str
    asked: Extent
    state: str


class Choice(NamedTuple):
    """One thing that the list can be narrowed to."""

    value: str
    words: str


class Names:
    """What rulebooks call tiers and bands in one language; days and times by one clock."""

    def __init__(self, rulebooks: Catalogue, language: str, clock: tzinfo) -> None:
        self._rulebooks = rulebooks
        self._language = language
        self._words = wording(language)
        self._clock = clock

    def tier(self, rulebook: str, tier: str) -> str:
        """The tier by its id and its name."""
        book = self.book(rulebook)
        labels = {each.id: each.label for each in book.tier} if book else {}
        return f"{tier} \N{MIDDLE DOT} {labels[tier]}" if tier in labels else tier

    def band(self, rulebook: str, band: str | None) -> str | None:
        """The name of a band."""
        book = self.book(rulebook)
        return next((each.label for each in book.band if each.id == band), band) if book else band

    def asked(self, rulebook: str, unanswered: int) -> Extent:
        """How much of what an instrument asks for red flags was answered."""
        book = self.book(rulebook)
        questions = book.rulebook.safety_questions if book else ()
        if unanswered >= len(questions):
            return "none"
        return "some" if unanswered else "all"

    def title(self, rulebook: str) -> str:
        """What the instrument is called."""
        book = self.book(rulebook)
        return book.rulebook.title if book else rulebook

    def day(self, at: datetime | date) -> str:
        """The day, written out."""
        on = at.astimezone(self._clock).date() if isinstance(at, datetime) else at
        return self._words.written(on) or ""

    def time(self, at: datetime) -> str:
        """The time, and by which clock."""
        return f"{at.astimezone(self._clock):%H:%M %Z}"

    def moment(self, at: datetime) -> str:
        """The day and the time."""
        return f"{self.day(at)}, {self.time(at)}"

    def speaks(self, rulebook: str, language: str) -> bool:
        """Whether the rulebook is there in a language."""
        loaded = self._loaded(rulebook)
        return loaded is not None and in_language(loaded, language) is not None

    def book(self, rulebook: str) -> Rulebook | None:
        """The rulebook in the language, where it has it; None for one that is not there."""
        loaded = self._loaded(rulebook)
        if loaded is None:
            return None
        return in_language(loaded, self._language) or loaded.rulebook

    def _loaded(self, rulebook: str) -> LoadedRulebook | None:
        instrument, _, version = rulebook.partition("@")
        try:
            return self._rulebooks.any_status(instrument, version)
        except UnknownRulebookError:
            return None


def shown(line: ScreeningLine, names: Names) -> Line:
    """A screening in words."""
    return Line(
        id=line.id,
        tier=line.tier,
        tier_words=names.tier(line.rulebook, line.tier),
        flags=line.flags,
        acknowledged=line.acknowledged,
        patient=line.patient.reference,
        name=line.patient.name,
        result=names.band(line.rulebook, line.band),
        status=line.status,
        day=names.day(line.created_at),
        time=names.time(line.created_at),
        asked=names.asked(line.rulebook, line.not_asked),
        state=line.state,
    )


def tiers(rulebooks: Catalogue, names: Names) -> list[Choice]:
    """Every tier of the rulebooks in use, in words."""
    found = tiers_of(rulebooks)
    return [Choice(tier, names.tier(found[tier], tier)) for tier in sorted(found)]


def tiers_of(rulebooks: Catalogue) -> dict[str, str]:
    """Every tier of the rulebooks in use, and a rulebook that has it."""
    return {each.id: loaded.name for loaded in rulebooks.scored() for each in loaded.rulebook.tier}


def instruments(rulebooks: Catalogue, names: Names) -> list[Choice]:
    """Every instrument in use, by its newest title."""
    found = {
        loaded.rulebook.rulebook.instrument: names.title(loaded.name)
        for loaded in rulebooks.scored()
    }
    return [Choice(name, words) for name, words in found.items()]


def filters_of(given: Mapping[str, str], rulebooks: Catalogue, clock: tzinfo) -> ScreeningFilters:
    """What a form or an address asks for; a tier in large letters or small.

    Raises Problem where it cannot be read, or no rulebook in use has the tier.
    """
    tier = given.get("tier", "").strip()
    meant = {each.lower(): each for each in (*tiers_of(rulebooks), NO_TIER)}
    if tier and tier.lower() not in meant:
        raise Problem("not_found")
    try:
        return ScreeningFilters(
            patient=given.get("patient", "").strip()[:200] or None,
            rulebook=given.get("rulebook", "")[:60] or None,
            tier=meant.get(tier.lower()),
            created_from=_since(given.get("since", ""), clock),
        )
    except ValidationError:
        raise Problem("wrong_shape", "Search by letters, digits and signs.") from None


def _since(text: str, clock: tzinfo) -> datetime | None:
    try:
        on = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(on.year, on.month, on.day, tzinfo=clock)
