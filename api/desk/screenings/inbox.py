"""List the red flags at the top of the desk: not yet acknowledged, or in answers not yet sent.

The most urgent tier comes first. Red flags in unsent answers show the same text as on the page of a
screening.
"""

from typing import NamedTuple

from api.desk.screening_rows import DisplayFormatter, ScreeningListRow, build_row
from api.store.forms import links
from api.store.patients import draft_acknowledgements
from api.store.screenings import search
from api.store.transaction import Transaction
from reports.view.sections.flags import sort_flags
from schemas.patients.links import LinkDetail, LinkState
from schemas.patients.patient import KnownPatient
from scoring.common_rules.safety import NO_TIER
from scoring.engine import assess_safety

MAX_PER_TIER = 100
"""The most screenings shown for one tier; the list filtered by tier shows them all."""


class UnsubmittedFlag(NamedTuple):
    """One red flag in unsent answers, with its tier and the action to take."""

    id: str
    tier: str
    tier_label: str
    label: str
    action: str


class UnsubmittedRedFlag(NamedTuple):
    """Answers under a link that were not sent, and the red flags in them still to be dealt with."""

    link: str
    patient: KnownPatient
    birth_date: str
    tier: str
    tier_label: str
    started_at: str
    state: LinkState
    expires_at: str
    flags: tuple[UnsubmittedFlag, ...]


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
    """Return the unsent answers under links with a red flag that was not dealt with."""
    drafts = links.list_urgent_drafts(work)
    unsubmitted = [
        answers
        for link in drafts
        if (answers := _build_unsubmitted(work, link, formatter)) is not None
    ]
    work.audit("list", "draft", count=max(len(drafts), 1))
    return tuple(sorted(unsubmitted, key=lambda answers: answers.tier))


def list_draft_flags(link: LinkDetail, formatter: DisplayFormatter) -> tuple[UnsubmittedFlag, ...]:
    """Return the red flags in the unsent answers under a link, the most urgent first."""
    loaded, book = formatter.find_loaded(link.rulebook), formatter.find_rulebook(link.rulebook)
    if loaded is None or book is None:
        return ()
    answers = link.draft.answers if link.draft else {}
    definitions = {flag.id: flag for flag in book.flag}
    return tuple(
        UnsubmittedFlag(
            flag.id,
            flag.tier,
            formatter.format_tier(link.rulebook, flag.tier),
            definitions[flag.id].label,
            definitions[flag.id].action,
        )
        for flag in sort_flags(book, assess_safety(loaded, answers).flags)
    )


def _build_unsubmitted(
    work: Transaction, link: LinkDetail, formatter: DisplayFormatter
) -> UnsubmittedRedFlag | None:
    acknowledged = {it.flag for it in draft_acknowledgements.list_acknowledged(work, link.id)}
    flags = list_draft_flags(link, formatter)
    open_flags = tuple(flag for flag in flags if flag.id not in acknowledged)
    if not open_flags and acknowledged:
        return None
    tier = open_flags[0].tier if open_flags else link.tier or NO_TIER
    birth_date = link.patient.birth_date
    return UnsubmittedRedFlag(
        link.id,
        link.patient,
        formatter.format_day(birth_date) if birth_date else "",
        tier,
        formatter.format_tier(link.rulebook, tier),
        formatter.format_moment(link.started_at or link.created_at),
        link.state,
        formatter.format_moment(link.expires_at),
        open_flags,
    )


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
