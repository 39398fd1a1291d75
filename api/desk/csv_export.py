"""The export: screenings as a CSV file that no spreadsheet takes for formulas."""

import csv
import io
from collections.abc import Iterator

from api.desk.session_guard import Desk
from api.store.screenings import screenings, search
from schemas.screening import Screening, ScreeningFilters

COLUMNS = (
    "kept_at", "patient_reference", "patient_system", "tier", "red_flags", "all_asked", "not_asked",
    "acknowledged", "status", "band", "points", "least", "most", "picture", "state", "rulebook",
    "answered_on", "screening",
)  # fmt: skip
AT_ONCE = 100
_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def exported(desk: Desk, filters: ScreeningFilters) -> Iterator[bytes]:
    """The file by parts; each part is read and audited in one transaction."""
    yield b"\xef\xbb\xbf" + _lines([COLUMNS])
    cursor = None
    while True:
        with desk.acts.transaction() as work:
            page = (
                search.first_page(work, filters, AT_ONCE)
                if cursor is None
                else search.next_page(work, cursor)
            )
            found = [screenings.found(work, each.id) for each in page.lines]
            work.audit("export", "screening", count=max(len(found), 1))
        yield _lines(map(_row, found))
        cursor = page.next
        if cursor is None:
            return


def harmless(text: str) -> str:
    """The text, with a mark in front where a spreadsheet would reckon with it."""
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS) else text


def _row(screening: Screening) -> tuple[str, ...]:
    assessment = screening.assessment
    totals = assessment.totals or {}
    main = next((each for each in totals.values() if each.band), None)
    answered_on = screening.context.answered_on
    told = (
        screening.created_at.isoformat(timespec="seconds"),
        screening.patient.reference,
        screening.patient.system or "",
        assessment.safety.tier,
        "|".join(each.id for each in assessment.safety.flags),
        "yes" if assessment.safety.all_asked else "no",
        str(len(assessment.safety.unanswered)),
        "yes" if screening.acknowledgements else "no",
        assessment.status,
        main.band or "" if main else "",
    )
    numbers = (main.points, main.range.least, main.range.most) if main else ("", "", "")
    picture = assessment.picture.id if assessment.picture else None
    rest = (
        picture or "",
        screening.state,
        assessment.rulebook,
        answered_on.isoformat() if answered_on else "",
        screening.id,
    )
    return (*map(harmless, told), *map(str, numbers), *map(harmless, rest))


def _lines(rows: "Iterator[tuple[str, ...]] | list[tuple[str, ...]]") -> bytes:
    held = io.StringIO()
    csv.writer(held).writerows(rows)
    return held.getvalue().encode("utf-8", "replace")
