"""Invents the people of a sandbox: who they are, when they came and what they answered.

The same number of people and the same last day always give the same people. The answers are in
`cases.json`, which together have every tier, status and picture of the newest rulebook.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from schemas.patients.patient import KnownPatient

CASES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("cases.json").read_text(encoding="utf-8")
)
"""Each with `name`, `answers`, and `before`, the case of the visits before the last one."""
GIVEN_NAMES = {
    "en": ("Ada", "Bryn", "Clara", "Dylan", "Edith", "Frank", "Grace", "Henry", "Iris"),
    "de": ("Anke", "Bernd", "Carla", "Detlef", "Elke", "Fritz", "Gerda", "Holger", "Ilse"),
    "es": ("Alba", "Bruno", "Carmen", "Diego", "Elena", "Felipe", "Gloria", "Hugo", "Inés"),
}
FAMILY_NAMES = {"en": "Example", "de": "Beispiel", "es": "Ejemplo"}
SYSTEM = "urn:nociscreen:demo"
IMPROVING = ("peg_pain", "peg_enjoyment", "peg_activity")
"""Scales from 0 to 10 that fall by one from visit to visit."""


class Visit(NamedTuple):
    """One set of answers of a person."""

    at: datetime
    answers: dict[str, Any]


class Person(NamedTuple):
    """An invented person with their visits, oldest first."""

    number: int
    patient: KnownPatient
    language: str
    visits: tuple[Visit, ...]


def invent_people(count: int, until: date) -> Iterator[Person]:
    """Yield people whose visits lie within the two years before `until`."""
    languages = tuple(GIVEN_NAMES)
    cases = {case["name"]: case for case in CASES}
    for number in range(count):
        language = languages[number % len(languages)]
        names = GIVEN_NAMES[language]
        case = CASES[number % len(CASES)]
        last_day = until - timedelta(days=1 + 11 * number % 200)
        age = case["answers"]["age_years"]
        birth_date = date(last_day.year - age, 1, 1) + timedelta(days=7 * number % 28)
        visit_count = 2 + 7 * number % 4
        yield Person(
            number,
            KnownPatient(
                reference=f"DEMO-{number + 1:03}",
                system=SYSTEM,
                name=f"{names[number // len(languages) % len(names)]} {FAMILY_NAMES[language]}",
                birth_date=birth_date,
            ),
            language,
            tuple(
                _invent_visit(
                    (case if remaining == 0 else cases[case["before"]])["answers"],
                    birth_date,
                    datetime.combine(
                        last_day - timedelta(days=remaining * (100 + number % 5 * 8)),
                        time(8 + number % 9, 7 * number % 60),
                        UTC,
                    ),
                    remaining,
                )
                for remaining in reversed(range(visit_count))
            ),
        )


def _invent_visit(answers: dict[str, Any], birth_date: date, at: datetime, remaining: int) -> Visit:
    """Return the answers as they were when this many visits were still to come."""
    own = {"age_years": at.year - birth_date.year}
    own |= {name: min(10, answers[name] + remaining) for name in IMPROVING if name in answers}
    return Visit(at, answers | own)
