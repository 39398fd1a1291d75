"""Vignettes as data: the TOML files of tests/vignettes in, cases with their whole intake out."""

import json
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from schemas.assessment import Assessment
from schemas.base import to_json_number
from scoring.answer_model import build_answer_model
from scoring.catalogue import load_catalogue

FOLDER = Path(__file__).parents[2] / "vignettes"
LOADED = load_catalogue().find_active("nociplastic")
ANSWERS = build_answer_model(LOADED.rulebook)
WITHHELD = "withheld"


class Vignette(NamedTuple):
    """One clinical case: its intake as JSON text, its accepted answers, what must be said of it."""

    name: str
    file: str
    intake: str
    answers: dict[str, Any]
    expected: dict[str, Any]


def vignettes() -> list[Vignette]:
    """Every vignette, in the order of the files and within them."""
    bases = _read(FOLDER / "bases.toml")
    return [
        _vignette(path.stem, case, bases)
        for path in sorted(FOLDER.glob("*.toml"))
        if path.name != "bases.toml"
        for case in _read(path)["vignette"]
    ]


def accepted(intake: str) -> dict[str, Any]:
    """The answers of a JSON intake, as the edge hands them to the engine."""
    return ANSWERS.model_validate_json(intake).model_dump(exclude_none=True)


def said(assessment: Assessment, expected: dict[str, Any]) -> dict[str, Any]:
    """What the assessment says of each thing that the vignette expects, in the same words."""
    return {
        word: {name: WORDS[word](assessment)[name] for name in wanted}
        if isinstance(wanted, dict) and word not in WHOLE
        else WORDS[word](assessment)
        for word, wanted in expected.items()
    }


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def _vignette(file: str, case: dict[str, Any], bases: dict[str, Any]) -> Vignette:
    known = {"name", "story", "from", "unanswered", "answers", "expected"}
    if not {"name", "story", "expected"} <= set(case) <= known:
        raise ValueError(f"{file}: {case.get('name')}: has other blocks than {sorted(known)}")
    answers = {**(bases[case["from"]] if "from" in case else {}), **case.get("answers", {})}
    for name in case.get("unanswered", ()):
        del answers[name]
    intake = json.dumps(answers, default=to_json_number)
    expected = _listed(case["expected"])
    return Vignette(case["name"], file, intake, accepted(intake), expected)


def _listed(expected: dict[str, Any]) -> dict[str, Any]:
    """`derived_unknown` and `met_unknown` name in a list what TOML has no null for."""
    listed = {word: wanted for word, wanted in expected.items() if not word.endswith("_unknown")}
    for word in ("derived", "met"):
        unknown = dict.fromkeys(expected.get(f"{word}_unknown", ()))
        if unknown:
            listed[word] = {**listed.get(word, {}), **unknown}
    return listed


def _level(assessment: Assessment) -> dict[str, str]:
    return {each.id: each.level or "unanswered" for each in assessment.criteria}


def _met(assessment: Assessment) -> dict[str, bool | None]:
    schemes = [assessment.gradings["iasp_2021"], assessment.gradings["neupsig"]]
    return {line.id: line.met for each in schemes for line in each.criteria}


def _ends(assessment: Assessment, total: str) -> list[Decimal]:
    reach = assessment.totals[total].range
    return [reach.least, reach.most]


def _nothing_given(assessment: Assessment) -> bool:
    withheld = ("totals", "picture", "domains", "criteria", "missing", "what_if", "patterns")
    withheld += ("findings", "next_steps")
    return any(getattr(assessment, part) is not None for part in withheld)


WHOLE = {"discounts"}
WORDS: dict[str, Callable[[Assessment], Any]] = {
    "status": lambda a: a.status,
    "tier": lambda a: a.safety.tier,
    "flags": lambda a: [each.id for each in a.safety.flags],
    "all_asked": lambda a: a.safety.all_asked,
    "not_asked": lambda a: list(a.safety.unanswered),
    "scope": lambda a: [each.id for each in a.scope.reasons],
    "scope_open": lambda a: list(a.scope.unanswered),
    "totals_given": _nothing_given,
    "contribution": lambda a: a.totals["contribution"].points,
    "contribution_range": lambda a: _ends(a, "contribution"),
    "predominance": lambda a: a.totals["predominance"].points,
    "predominance_range": lambda a: _ends(a, "predominance"),
    "band": lambda a: a.totals["predominance"].band or WITHHELD,
    "picture": lambda a: a.picture.id or WITHHELD,
    "ledgers": lambda a: a.picture.ledgers,
    "domains": lambda a: {each.id: each.points for each in a.domains},
    "sums": lambda a: {each.id: each.sum for each in a.domains},
    "levels": _level,
    "points": lambda a: {each.id: each.points for each in a.criteria},
    "discounts": lambda a: {e.id: e.discount.factor for e in a.criteria if e.discount},
    "missing": lambda a: [each.question for each in a.missing],
    "swings": lambda a: {each.question: each.swing for each in a.missing},
    "what_if": lambda a: {each.criterion: [each.points, each.band] for each in a.what_if},
    "iasp_2021": lambda a: a.gradings["iasp_2021"].grade,
    "neupsig": lambda a: a.gradings["neupsig"].grade,
    "acr_2016": lambda a: a.gradings["acr_2016"].grade,
    "met": _met,
    "derived": lambda a: a.derived,
    "patterns": lambda a: {str(each.number): each.state for each in a.patterns.list},
    "findings": lambda a: [each.id for each in a.findings],
    "limitation": lambda a: "musculoskeletal" if "musculoskeletal" in str(a.limitations) else None,
}
