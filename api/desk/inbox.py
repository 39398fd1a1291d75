"""What waits at the top of the desk: red flags that nobody acknowledged, or that were never sent.

Tier first; each draft with what it reports and what to do about it, as its screening would say.
"""

from typing import NamedTuple

from api.desk.screening_rows import NO_TIER, Line, Names, shown
from api.store.forms import links
from api.store.screenings import search
from api.store.transaction import Transaction
from schemas.links import KeptLink
from schemas.patient import KnownPatient
from schemas.rulebook import Flag
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook
from scoring.safety import safety

EACH_TIER = 100
"""So many screenings of a tier at most; the list, narrowed to the tier, has them all."""


class Begun(NamedTuple):
    """Answers under a link that were not sent, and the red flags in them."""

    patient: KnownPatient
    tier: str
    tier_words: str
    when: str
    flags: tuple[Flag, ...]


class Waiting(NamedTuple):
    """Begun answers and kept screenings; `more` where there are more than stand here."""

    begun: tuple[Begun, ...] = ()
    unseen: tuple[Line, ...] = ()
    more: bool = False


def unseen(work: Transaction, rulebooks: Catalogue, names: Names) -> Waiting:
    """Screenings of the tiers that come before any score, not acknowledged yet."""
    found = search.unseen(work, _withholding(rulebooks), EACH_TIER + 1)
    held: dict[str, list[Line]] = {}
    for line in found:
        held.setdefault(line.tier, []).append(shown(line, names))
    told = tuple(each for lines in held.values() for each in lines[:EACH_TIER])
    return Waiting(unseen=told, more=len(told) < len(found))


def begun(work: Transaction, rulebooks: Catalogue, names: Names) -> tuple[Begun, ...]:
    """What was begun under links and not sent, where a red flag was marked."""
    held = [
        _begun(link, _rulebook(rulebooks, link.rulebook), names)
        for link in links.begun_urgent(work)
    ]
    work.audit("list", "draft", count=max(len(held), 1))
    return tuple(sorted(held, key=lambda each: each.tier))


def _begun(link: KeptLink, loaded: LoadedRulebook | None, names: Names) -> Begun:
    tier = link.tier or NO_TIER
    return Begun(
        link.patient,
        tier,
        names.tier(link.rulebook, tier),
        names.moment(link.started_at or link.created_at),
        _flags(link, loaded, names) if loaded else (),
    )


def _flags(link: KeptLink, loaded: LoadedRulebook, names: Names) -> tuple[Flag, ...]:
    """The flags in the answers, in the words of the desk, in the order of a screening's page."""
    answers = link.draft.answers if link.draft else {}
    raised = safety(loaded, loaded.facts(answers)).safety.flags
    book = names.book(link.rulebook) or loaded.rulebook
    worded = {each.id: each for each in book.flag}
    return tuple(worded[each.id] for each in raised)


def _withholding(rulebooks: Catalogue) -> list[str]:
    """The tiers that hold a score back, the most urgent first, of every rulebook there is."""
    every = (_rulebook(rulebooks, each.name) for each in rulebooks.entries)
    found = {
        tier.id: place
        for loaded in every
        if loaded is not None
        for place, tier in enumerate(loaded.rulebook.tier)
        if tier.withholds
    }
    return sorted(found, key=lambda tier: found[tier])


def _rulebook(rulebooks: Catalogue, name: str) -> LoadedRulebook | None:
    instrument, _, version = name.partition("@")
    try:
        return rulebooks.any_status(instrument, version)
    except UnknownRulebookError:
        return None
