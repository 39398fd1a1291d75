"""Export screenings as a CSV file in which no cell is a spreadsheet formula."""

import csv
import io
from collections.abc import Iterable, Iterator

from api.desk.session_guard import PractitionerPage
from api.spreadsheets import escape_formula
from api.store.screenings import screenings, search
from schemas.screening import Screening, ScreeningFilters

COLUMNS = (
    "kept_at", "patient_reference", "patient_system", "tier", "red_flags", "all_asked", "not_asked",
    "acknowledged", "status", "band", "points", "least", "most", "picture", "state", "rulebook",
    "answered_on", "screening", "band_least", "band_most", "ask_first", "alternatives",
    "contradictions",
)  # fmt: skip
PAGE_SIZE = 100


def stream_csv(desk: PractitionerPage, filters: ScreeningFilters) -> Iterator[bytes]:
    """Yield the file in parts; each part is read and audited in one transaction."""
    yield b"\xef\xbb\xbf" + _encode_rows([COLUMNS])
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
        yield _encode_rows(map(_build_row, batch))
        cursor = page.next_cursor
        if cursor is None:
            return


def _build_row(screening: Screening) -> tuple[str, ...]:
    assessment = screening.assessment
    totals = assessment.totals or {}
    main = next((total for total in totals.values() if total.band), None)
    answered_on = screening.context.answered_on
    cells_before = (
        screening.created_at.isoformat(timespec="seconds"),
        screening.patient.reference,
        screening.patient.system or "",
        assessment.safety.tier,
        "|".join(flag.id for flag in assessment.safety.flags),
        "yes" if assessment.safety.all_asked else "no",
        str(len(assessment.safety.unanswered)),
        "yes" if screening.acknowledgements else "no",
        assessment.status,
        main.band or "" if main else "",
    )
    numbers = (main.points, main.range.least, main.range.most) if main else ("", "", "")
    picture = assessment.picture.id if assessment.picture else None
    cells_after = (
        picture or "",
        screening.state,
        assessment.rulebook,
        answered_on.isoformat() if answered_on else "",
        screening.id,
    )
    return (
        *map(escape_formula, cells_before),
        *map(str, numbers),
        *map(escape_formula, cells_after),
    )


def _encode_rows(rows: Iterable[tuple[str, ...]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode("utf-8", "replace")
