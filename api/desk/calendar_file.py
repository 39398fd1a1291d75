"""Write days as an iCalendar file (RFC 5545) of all-day events."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

CALENDAR_TYPE = "text/calendar; charset=utf-8"
_LINE_OCTETS = 75
_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


class CalendarDay(NamedTuple):
    """An all-day event. Its id must be the same in every file, so that it is not added twice."""

    id: str
    day: date
    summary: str
    url: str


def write_calendar(days: Iterable[CalendarDay], written_at: datetime) -> bytes:
    """Return the file with these events."""
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//nociscreen//nociscreen//EN",
        *(line for day in days for line in _list_event_lines(day, written_at)),
        "END:VCALENDAR",
    )
    return b"".join(_fold_line(line) for line in lines)


def _list_event_lines(event: CalendarDay, written_at: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{event.id}@nociscreen"
    yield f"DTSTAMP:{written_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    yield f"DTSTART;VALUE=DATE:{event.day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{event.day + timedelta(days=1):%Y%m%d}"
    yield f"SUMMARY:{event.summary.translate(_ESCAPES)}"
    yield f"URL:{event.url}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _fold_line(line: str) -> bytes:
    """Fold a line after 75 octets, never within a character."""
    text, octets = "", 0
    for character in line:
        size = len(character.encode())
        if octets + size > _LINE_OCTETS:
            text, octets = text + "\r\n ", 1
        text, octets = text + character, octets + size
    return f"{text}\r\n".encode()
