"""Build the rows of the screening list, its filters and their choices."""

from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from typing import Literal, NamedTuple

from pydantic import ValidationError

from api.problems import Problem
from reports.phrases import load_phrases
from schemas.patients.screening import ScreeningFilters, ScreeningListItem
from schemas.rulebooks.rulebook import Rulebook
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.common_rules.safety import NO_TIER
from scoring.compiled_rulebook import LoadedRulebook
from scoring.translations import translate_rulebook

PAGE_SIZE = 25
SafetyCoverage = Literal["all", "some", "none"]


class ScreeningListRow(NamedTuple):
    """One screening as the list shows it."""

    id: str
    tier: str
    tier_label: str
    flags: int
    acknowledged: bool
    patient: str
    name: str | None
    result: str | None
    status: str
    day: str
    time: str
    safety_coverage: SafetyCoverage
    state: str
    is_rescored: bool


class FilterChoice(NamedTuple):
    """One option of a list filter or of the choice of an instrument."""

    value: str
    label: str


class DisplayFormatter:
    """Formats rulebook terms in one language, and days and times in one time zone."""

    def __init__(self, rulebooks: Catalogue, language: str, time_zone: tzinfo) -> None:
        self.rulebooks = rulebooks
        self.time_zone = time_zone
        self.language = language
        self._phrases = load_phrases(language)

    def format_tier(self, rulebook: str, tier: str) -> str:
        """Return the id of a tier with its label."""
        book = self.find_rulebook(rulebook)
        labels = {entry.id: entry.label for entry in book.tier} if book else {}
        return f"{tier} \N{MIDDLE DOT} {labels[tier]}" if tier in labels else tier

    def format_band(self, rulebook: str, band: str | None) -> str | None:
        """Return the label of a band, or its id if it is unknown."""
        book = self.find_rulebook(rulebook)
        labels = {entry.id: entry.label for entry in book.band} if book else {}
        return labels.get(band, band) if band is not None else None

    def measure_safety_coverage(self, rulebook: str, unanswered: int) -> SafetyCoverage:
        """Return how many of the instrument's red-flag questions were answered."""
        book = self.find_rulebook(rulebook)
        questions = book.rulebook.safety_questions if book else ()
        if unanswered >= len(questions):
            return "none"
        return "some" if unanswered else "all"

    def format_title(self, rulebook: str) -> str:
        """Return the title of the instrument."""
        book = self.find_rulebook(rulebook)
        return book.rulebook.title if book else rulebook

    def format_day(self, at: datetime | date) -> str:
        """Return the day in words."""
        day = at.astimezone(self.time_zone).date() if isinstance(at, datetime) else at
        return self._phrases.format_date(day) or ""

    def format_time(self, at: datetime) -> str:
        """Return the time with the abbreviation of the time zone."""
        return f"{at.astimezone(self.time_zone):%H:%M %Z}"

    def format_moment(self, at: datetime) -> str:
        """Return the day and the time."""
        return f"{self.format_day(at)}, {self.format_time(at)}"

    def has_translation(self, rulebook: str, language: str) -> bool:
        """Return whether the rulebook is available in a language."""
        loaded = self.find_loaded(rulebook)
        return loaded is not None and translate_rulebook(loaded, language) is not None

    def find_rulebook(self, rulebook: str) -> Rulebook | None:
        """Return the rulebook, translated if possible; None if it is unknown."""
        loaded = self.find_loaded(rulebook)
        if loaded is None:
            return None
        return translate_rulebook(loaded, self.language) or loaded.rulebook

    def find_loaded(self, rulebook: str) -> LoadedRulebook | None:
        """Return the rulebook as loaded; None if it is unknown."""
        try:
            return self.rulebooks.find_version(rulebook)
        except UnknownRulebookError:
            return None


def build_row(line: ScreeningListItem, formatter: DisplayFormatter) -> ScreeningListRow:
    """Return a screening as a row of the list."""
    return ScreeningListRow(
        id=line.id,
        tier=line.tier,
        tier_label=formatter.format_tier(line.rulebook, line.tier),
        flags=line.flags,
        acknowledged=line.acknowledged,
        patient=line.patient.reference,
        name=line.patient.name,
        result=formatter.format_band(line.rulebook, line.band),
        status=line.status,
        day=formatter.format_day(line.created_at),
        time=formatter.format_time(line.created_at),
        safety_coverage=formatter.measure_safety_coverage(line.rulebook, line.not_asked),
        state=line.state,
        is_rescored=line.rescored_from is not None,
    )


def list_tier_choices(formatter: DisplayFormatter) -> list[FilterChoice]:
    """Return the tiers of all active rulebooks."""
    tiers = map_tiers(formatter.rulebooks)
    return [FilterChoice(tier, formatter.format_tier(tiers[tier], tier)) for tier in sorted(tiers)]


def map_tiers(rulebooks: Catalogue) -> dict[str, str]:
    """Return the tiers of all active rulebooks, each with the name of a rulebook that has it."""
    active = rulebooks.list_active()
    return {tier.id: loaded.name for loaded in active for tier in loaded.rulebook.tier}


def list_instrument_choices(formatter: DisplayFormatter) -> list[FilterChoice]:
    """Return the instruments in use with the titles of their newest rulebooks.

    The one with the most questions comes first: a short measure is rarely asked on its own.
    """
    rulebooks = sorted(
        formatter.rulebooks.list_current(), key=lambda it: -len(it.rulebook.question)
    )
    return [
        FilterChoice(loaded.instrument, formatter.format_title(loaded.name)) for loaded in rulebooks
    ]


def parse_filters(values: Mapping[str, str], formatter: DisplayFormatter) -> ScreeningFilters:
    """Parse the filters of a form or a query string. Raises Problem for an invalid one."""
    tier = values.get("tier", "").strip().lower()
    tiers = {tier_id.lower(): tier_id for tier_id in (*map_tiers(formatter.rulebooks), NO_TIER)}
    if tier and tier not in tiers:
        raise Problem("not_found")
    try:
        return ScreeningFilters(
            patient=values.get("patient", "").strip()[:200] or None,
            rulebook=values.get("rulebook", "")[:60] or None,
            tier=tiers.get(tier),
            created_from=_parse_since(values.get("since", ""), formatter.time_zone),
        )
    except ValidationError:
        raise Problem(
            "invalid_request", "Use only letters, digits and punctuation in a search."
        ) from None


def _parse_since(text: str, time_zone: tzinfo) -> datetime | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(day.year, day.month, day.day, tzinfo=time_zone)
