"""List the red flags at the top of the desk: not yet acknowledged, or in answers not yet sent.

The most urgent tier comes first. Red flags in unsent answers show the same text as on the page of a
screening.
"""

from typing import NamedTuple

from api.desk.screening_rows import NO_TIER, DisplayFormatter, ScreeningListRow, build_row
from api.store.forms import links
from api.store.screenings import search
from api.store.transaction import Transaction
from schemas.links import LinkDetail
from schemas.patient import KnownPatient
from schemas.rulebook import Flag
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook
from scoring.safety import assess_safety

MAX_PER_TIER = 100
"""The most screenings shown for one tier; the list filtered by tier shows them all."""


class UnsubmittedRedFlag(NamedTuple):
    """Answers under a link that were not sent, and the red flags in them."""

    patient: KnownPatient
    tier: str
    tier_label: str
    started: str
    flags: tuple[Flag, ...]


class Inbox(NamedTuple):
    """Unsent answers and unacknowledged screenings; `has_more` if some are not shown."""

    unsubmitted: tuple[UnsubmittedRedFlag, ...] = ()
    unacknowledged: tuple[ScreeningListRow, ...] = ()
    has_more: bool = False


def list_unacknowledged(
    work: Transaction, rulebooks: Catalogue, formatter: DisplayFormatter
) -> Inbox:
    """Return the unacknowledged screenings of the tiers that withhold a score."""
    lines = search.list_unacknowledged(work, _withholding_tiers(rulebooks), MAX_PER_TIER + 1)
    by_tier: dict[str, list[ScreeningListRow]] = {}
    for line in lines:
        by_tier.setdefault(line.tier, []).append(build_row(line, formatter))
    shown = tuple(row for rows in by_tier.values() for row in rows[:MAX_PER_TIER])
    return Inbox(unacknowledged=shown, has_more=len(shown) < len(lines))


def list_unsubmitted(
    work: Transaction, rulebooks: Catalogue, formatter: DisplayFormatter
) -> tuple[UnsubmittedRedFlag, ...]:
    """Return the unsent answers under links in which a red flag was marked."""
    unsubmitted = [
        _build_unsubmitted(link, _find_rulebook(rulebooks, link.rulebook), formatter)
        for link in links.list_urgent_drafts(work)
    ]
    work.audit("list", "draft", count=max(len(unsubmitted), 1))
    return tuple(sorted(unsubmitted, key=lambda answers: answers.tier))


def _build_unsubmitted(
    link: LinkDetail, loaded: LoadedRulebook | None, formatter: DisplayFormatter
) -> UnsubmittedRedFlag:
    tier = link.tier or NO_TIER
    return UnsubmittedRedFlag(
        link.patient,
        tier,
        formatter.format_tier(link.rulebook, tier),
        formatter.format_moment(link.started_at or link.created_at),
        _translated_flags(link, loaded, formatter) if loaded else (),
    )


def _translated_flags(
    link: LinkDetail, loaded: LoadedRulebook, formatter: DisplayFormatter
) -> tuple[Flag, ...]:
    """Return the flags raised by the answers, in the language of the desk."""
    answers = link.draft.answers if link.draft else {}
    raised = assess_safety(loaded, loaded.derive_facts(answers)).safety.flags
    book = formatter.find_rulebook(link.rulebook) or loaded.rulebook
    flags = {flag.id: flag for flag in book.flag}
    return tuple(flags[flag.id] for flag in raised)


def _withholding_tiers(rulebooks: Catalogue) -> list[str]:
    """Return the tiers of all rulebooks that withhold a score, the most urgent first."""
    all_loaded = (_find_rulebook(rulebooks, entry.name) for entry in rulebooks.entries)
    ranks = {
        tier.id: rank
        for loaded in all_loaded
        if loaded is not None
        for rank, tier in enumerate(loaded.rulebook.tier)
        if tier.withholds
    }
    return sorted(ranks, key=lambda tier: ranks[tier])


def _find_rulebook(rulebooks: Catalogue, name: str) -> LoadedRulebook | None:
    instrument, _, version = name.partition("@")
    try:
        return rulebooks.find_version(instrument, version)
    except UnknownRulebookError:
        return None
