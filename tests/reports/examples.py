"""Views of the example intakes, made as the service makes them."""

import json
from datetime import UTC, datetime
from pathlib import Path

from reports.heading import Heading
from reports.lines import View
from reports.view import view
from schemas.assessment import Assessment
from scoring.answers import answer_model
from scoring.catalogue import catalogue
from scoring.engine import assess

EXAMPLES = Path(__file__).parents[2] / "api" / "examples"
NAMES = ("widespread_pain", "red_flag", "too_little_known", "phq4")


def assessed(name: str, **changed) -> tuple[str, Assessment]:
    intake = json.loads((EXAMPLES / f"{name}.json").read_text())
    loaded = catalogue().active(intake["rulebook"])
    given = json.dumps(intake["answers"] | changed)
    answers = answer_model(loaded.rulebook).model_validate_json(given)
    return loaded.name, assess(loaded, answers.model_dump(exclude_none=True))


def viewed(name: str, answers: dict | None = None, **heading) -> View:
    rulebook, assessment = assessed(name, **(answers or {}))
    now = {"produced_at": datetime(2026, 11, 24, 10, tzinfo=UTC)}
    return view(catalogue().active(rulebook).rulebook, assessment, Heading(**(now | heading)))
