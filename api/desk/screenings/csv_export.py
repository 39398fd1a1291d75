"""Export screenings as a CSV file in which no cell is a spreadsheet formula."""

from collections.abc import Iterator, Sequence

from pydantic import MISSING

from api.desk.access.session_guard import PractitionerPage
from api.documents.result_lines import list_explanations
from api.spreadsheets import encode_rows
from api.store.patients import patient_search
from api.store.screenings import screenings, search
from reports.view.result_words import find_banded_total
from reports.view.sections.flags import sort_by_tier
from schemas.assessments.assessment import Assessment, RaisedFlag, TotalPoints
from schemas.patients.screening import Screening, ScreeningFilters
from scoring.compiled_rulebook import LoadedRulebook

COLUMNS = (
    "kept_at", "patient_reference", "patient_system", "tier", "red_flags", "all_asked", "not_asked",
    "acknowledged", "status", "band", "points", "least", "most", "picture", "state", "rulebook",
    "answered_on", "screening", "band_least", "band_most", "ask_first", "alternatives",
    "contradictions",
)  # fmt: skip
PAGE_SIZE = 100


def stream_csv(
    desk: PractitionerPage, filters: ScreeningFilters, searched: str = ""
) -> Iterator[bytes]:
    """Yield the file in parts; each part is read and audited in one transaction.

    With a searched text it has the screenings of the patients found, and the filters are not used.
    """
    yield b"\xef\xbb\xbf" + encode_rows([COLUMNS])
    formatter = desk.formatter
    batches = _load_found(desk, searched) if searched else _load_filtered(desk, filters)
    for batch in batches:
        yield encode_rows(
            _build_row(screening, formatter.find_loaded(screening.assessment.rulebook))
            for screening in batch
        )


def _load_found(desk: PractitionerPage, searched: str) -> Iterator[list[Screening]]:
    with desk.context.transaction() as work:
        ids = [match.id for match in patient_search.list_matches(work, searched)]
        work.audit("list", "screening", count=max(len(ids), 1))
    for start in range(0, len(ids), PAGE_SIZE):
        with desk.context.transaction() as work:
            batch = [
                screenings.find_screening(work, line.id)
                for line in search.list_lines(work, ids[start : start + PAGE_SIZE])
            ]
            work.audit("export", "screening", count=max(len(batch), 1))
        yield batch


def _load_filtered(desk: PractitionerPage, filters: ScreeningFilters) -> Iterator[list[Screening]]:
    cursor = None
    while True:
        with desk.context.transaction() as work:
            page = (
                search.list_first_page(work, filters, PAGE_SIZE)
                if cursor is None
                else search.list_next_page(work, cursor)
            )
            batch = [screenings.find_screening(work, line.id) for line in page.lines]
            work.audit("export", "screening", count=max(len(batch), 1))
        yield batch
        cursor = page.next_cursor
        if cursor is None:
            return


def _build_row(screening: Screening, loaded: LoadedRulebook | None) -> tuple[str, ...]:
    assessment = screening.assessment
    total = _find_main_total(assessment, loaded)
    answered_on = screening.context.answered_on
    cells_before = (
        screening.created_at.isoformat(timespec="seconds"),
        screening.patient.reference,
        screening.patient.system or "",
        assessment.safety.tier,
        "|".join(flag.id for flag in _sort_flags(assessment, loaded)),
        "yes" if assessment.safety.all_asked else "no",
        str(len(assessment.safety.unanswered)),
        "yes" if screening.acknowledgements and screening.is_acknowledged else "no",
        assessment.status,
        total.band or "" if total else "",
    )
    numbers = (total.points, total.range.least, total.range.most) if total else ("", "", "")
    picture = assessment.picture.id if assessment.picture else None
    cells_after = (
        picture or "",
        screening.state,
        assessment.rulebook,
        answered_on.isoformat() if answered_on else "",
        screening.id,
        *_list_possible_bands(total),
        *_list_explanation_ids(assessment),
    )
    return (*cells_before, *map(str, numbers), *cells_after)


def _sort_flags(assessment: Assessment, loaded: LoadedRulebook | None) -> Sequence[RaisedFlag]:
    """Return the flags by tier; those of an unknown rulebook as they are stored."""
    return sort_by_tier(loaded.rulebook, assessment) if loaded else assessment.safety.flags


def _find_main_total(assessment: Assessment, loaded: LoadedRulebook | None) -> TotalPoints | None:
    """Return the total that the bands refer to; of an unknown rulebook, the one with a band."""
    totals = assessment.totals or {}
    main = find_banded_total(loaded.rulebook) if loaded else None
    if main is not None:
        return totals.get(main.id)
    return next((total for total in totals.values() if total.band), None)


def _list_possible_bands(total: TotalPoints | None) -> tuple[str, str]:
    """Return the bands at the ends of the range; empty by the first generation of rules."""
    band_range = total.band_range if total else None
    if band_range is MISSING or band_range is None:
        return "", ""
    return band_range.least, band_range.most


def _list_explanation_ids(assessment: Assessment) -> Iterator[str]:
    """Yield the ids of what to ask first, other explanations, and contradictions."""
    explanations = list_explanations(assessment)
    yield "|".join(explanations.ask_first)
    yield "|".join(alternative.id for alternative in explanations.alternatives)
    yield "|".join(contradiction.id for contradiction in explanations.contradictions)
