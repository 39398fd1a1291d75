"""Reports on an organisation's screenings: under another version, and replayed under their own."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from api.intakes.rescoring import Rescoring, replay_assessment, rescore_answers
from api.store.errors import NotFoundError
from api.store.screenings import rescorings
from api.store.screenings.rescorings import StoredAssessment
from api.store.store import Store
from api.store.transaction import Actor, Transaction
from schemas.assessments.rescoring import Change, ReplayFault, RescoredLine, RescoringReport
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

READ_AT_ONCE = 100
"""Screenings read in one transaction; they are scored outside of it."""


def report_rescoring(
    store: Store, actor: Actor, old: LoadedRulebook, new: LoadedRulebook
) -> RescoringReport:
    """Return what the actor's screenings in force would become. Raises UnknownChangesError."""
    counts: dict[str, Counter[str]] = {
        name: Counter()
        for name in ("status", "tier", "band", "lost_flags", "new_flags", "criteria", "ask_again")
    }
    changed, total = [], 0
    for screening_row in _read_screenings(store, actor, old.name):
        rescoring = _rescore(screening_row, old, new)
        total += 1
        _count(rescoring, counts)
        if rescoring.differences.changes_result:
            line = RescoredLine(
                screening=screening_row.screening.id, differences=rescoring.differences
            )
            changed.append(line)
    return RescoringReport(
        from_rulebook=old.name,
        to_rulebook=new.name,
        screenings=total,
        changed_results=len(changed),
        changed=tuple(changed),
        **{name: _sort_counts(counter) for name, counter in counts.items()},
    )


def find_replay_faults(
    store: Store, actor: Actor, rulebooks: Catalogue, screening_counts: Counter[str]
) -> Iterator[ReplayFault]:
    """Yield the actor's screenings whose assessment is not the same byte for byte.

    `screening_counts` counts the screenings by rulebook.
    """
    for screening_row in _read_screenings(store, actor):
        assessment = screening_row.screening.assessment
        screening_counts[assessment.rulebook] += 1
        fault = _find_replay_fault(screening_row, rulebooks)
        if fault is not None:
            yield ReplayFault(
                organisation=actor.organisation,
                screening=screening_row.screening.id,
                rulebook=assessment.rulebook,
                fault=fault,
            )


def _read_screenings(
    store: Store, actor: Actor, rulebook: str | None = None
) -> Iterator[StoredAssessment]:
    with store.transaction(actor) as work:
        ids = rescorings.list_screening_ids(work, rulebook)
        work.audit("list", "screening", count=max(len(ids), 1))
    for start in range(0, len(ids), READ_AT_ONCE):
        with store.transaction(actor) as work:
            screening_rows = list(_find_all(work, ids[start : start + READ_AT_ONCE]))
            work.audit("read", "screening", count=max(len(screening_rows), 1))
        yield from screening_rows


def _find_all(work: Transaction, ids: Iterable[str]) -> Iterator[StoredAssessment]:
    for screening_id in ids:
        try:
            yield rescorings.find_stored_assessment(work, screening_id)
        except NotFoundError:  # erased meanwhile
            continue


def _rescore(
    screening_row: StoredAssessment, old: LoadedRulebook, new: LoadedRulebook
) -> Rescoring:
    screening = screening_row.screening
    attested = screening.context.clinician is not None
    return rescore_answers(old, new, screening.answers, screening.assessment, attested=attested)


def _count(rescoring: Rescoring, counts: Mapping[str, Counter[str]]) -> None:
    differences = rescoring.differences
    for name in ("status", "tier", "band"):
        change: Change = getattr(differences, name)
        if change.before != change.after:
            counts[name][f"{change.before or 'none'} > {change.after or 'none'}"] += 1
    for name in ("lost_flags", "new_flags", "criteria"):
        counts[name].update(getattr(differences, name))
    counts["ask_again"].update(it.question for it in rescoring.carried_intake.ask_again)


def _sort_counts(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _find_replay_fault(screening_row: StoredAssessment, rulebooks: Catalogue) -> str | None:
    screening = screening_row.screening
    try:
        loaded = rulebooks.find_version(screening.assessment.rulebook)
    except UnknownRulebookError:
        return "its rulebook is not in the index"
    if loaded.sha256 != screening.assessment.rulebook_sha256:
        return "its rulebook has other bytes now"
    attested = screening.context.clinician is not None
    try:
        assessment = replay_assessment(loaded, screening.answers, attested=attested)
    except ValueError:  # pydantic's message would repeat an answer
        return "its answers no longer fit its rulebook"
    replayed = assessment.model_dump_json(by_alias=True).encode()
    return (
        None if replayed == screening_row.assessment_json else "its assessment comes out otherwise"
    )
