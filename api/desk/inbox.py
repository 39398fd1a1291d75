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
from scoring.safety import assess_safety

MAX_PER_TIER = 100
"""The most screenings shown for one tier; the list filtered by tier shows them all."""


class UnsubmittedRedFlag(NamedTuple):
    """Answers under a link that were not sent, and the red flags in them."""

    patient: KnownPatient
    tier: str
    tier_label: str
    started_at: str
    flags: tuple[Flag, ...]


class Inbox(NamedTuple):
    """Unsent answers and unacknowledged screenings; `has_more` if some are not shown."""

    unsubmitted: tuple[UnsubmittedRedFlag, ...] = ()
    unacknowledged: tuple[ScreeningListRow, ...] = ()
    has_more: bool = False


def list_unacknowledged(work: Transaction, formatter: DisplayFormatter) -> Inbox:
    """Return the unacknowledged screenings of the tiers that withhold a score."""
    tiers = _list_withholding_tiers(formatter)
    lines = search.list_unacknowledged(work, tiers, MAX_PER_TIER + 1)
    by_tier: dict[str, list[ScreeningListRow]] = {}
    for line in lines:
        by_tier.setdefault(line.tier, []).append(build_row(line, formatter))
    rows = tuple(row for tier_rows in by_tier.values() for row in tier_rows[:MAX_PER_TIER])
    return Inbox(unacknowledged=rows, has_more=len(rows) < len(lines))


def list_unsubmitted(
    work: Transaction, formatter: DisplayFormatter
) -> tuple[UnsubmittedRedFlag, ...]:
    """Return the unsent answers under links with a red flag in them."""
    unsubmitted = [_build_unsubmitted(link, formatter) for link in links.list_urgent_drafts(work)]
    work.audit("list", "draft", count=max(len(unsubmitted), 1))
    return tuple(sorted(unsubmitted, key=lambda answers: answers.tier))


def _build_unsubmitted(link: LinkDetail, formatter: DisplayFormatter) -> UnsubmittedRedFlag:
    tier = link.tier or NO_TIER
    return UnsubmittedRedFlag(
        link.patient,
        tier,
        formatter.format_tier(link.rulebook, tier),
        formatter.format_moment(link.started_at or link.created_at),
        _translate_flags(link, formatter),
    )


def _translate_flags(link: LinkDetail, formatter: DisplayFormatter) -> tuple[Flag, ...]:
    loaded, book = formatter.find_loaded(link.rulebook), formatter.find_rulebook(link.rulebook)
    if loaded is None or book is None:
        return ()
    answers = link.draft.answers if link.draft else {}
    red_flags = assess_safety(loaded, loaded.derive_facts(answers)).safety.flags
    flags = {flag.id: flag for flag in book.flag}
    return tuple(flags[flag.id] for flag in red_flags)


def _list_withholding_tiers(formatter: DisplayFormatter) -> list[str]:
    """Return the tiers of all rulebooks that withhold a score, the most urgent first."""
    rulebooks = formatter.rulebooks
    ranks = {
        tier.id: rank
        for entry in rulebooks.entries
        for rank, tier in enumerate(rulebooks.find_version(entry.name).rulebook.tier)
        if tier.withholds
    }
    return sorted(ranks, key=lambda tier: ranks[tier])
