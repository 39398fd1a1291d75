"""Load the vignettes in the TOML files of tests/vignettes, each with its complete intake."""

import json
import tomllib
from collections.abc import Callable
from dataclasses import astuple
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel
from support.scoring.second_rulebook import load_second

from schemas.assessments.assessment import Assessment
from schemas.base import to_json_number
from scoring.answer_model import find_answer_model
from scoring.catalogue import load_catalogue
from scoring.compiled_rulebook import LoadedRulebook

FOLDER = Path(__file__).parents[2] / "vignettes"
LOADED = load_catalogue().find_version("nociplastic@1.0.0")
SECOND_FOLDER = FOLDER / "nociplastic_2_0_0"
SECOND = load_second()
WITHHELD = "withheld"


class Vignette(NamedTuple):
    """One clinical case: its intake as JSON text, its validated answers, the expected results.

    `clinician_named` means that the request names a clinician for the clinician's answers.
    """

    name: str
    file: str
    intake: str
    answers: dict[str, Any]
    expectations: dict[str, Any]
    clinician_named: bool


def load_vignettes(folder: Path = FOLDER, loaded: LoadedRulebook = LOADED) -> list[Vignette]:
    """Return every vignette of the folder, in the order of the files and within them."""
    bases = _read_toml(folder / "bases.toml")
    return [
        _build_vignette(path.stem, case, bases, loaded)
        for path in sorted(folder.glob("*.toml"))
        if path.name != "bases.toml"
        for case in _read_toml(path)["vignette"]
    ]


def validate_answers(intake: str, loaded: LoadedRulebook = LOADED) -> dict[str, Any]:
    """Return the answers of a JSON intake as the engine takes them."""
    return _build_answers(loaded).model_validate_json(intake).model_dump(exclude_none=True)


def extract_results(assessment: Assessment, expectations: dict[str, Any]) -> dict[str, Any]:
    """Return the results that the vignette has expectations of, in the vignette's words."""
    return {
        word: {name: WORDS[word](assessment)[name] for name in expectation}
        if isinstance(expectation, dict) and word not in COMPARED_WHOLE
        else WORDS[word](assessment)
        for word, expectation in expectations.items()
    }


@cache
def _build_answers(loaded: LoadedRulebook) -> type[BaseModel]:
    return find_answer_model(loaded)


def _read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def _build_vignette(
    file: str, case: dict[str, Any], bases: dict[str, Any], loaded: LoadedRulebook
) -> Vignette:
    allowed_keys = {"name", "story", "from", "unanswered", "answers", "expected", "clinician_named"}
    if not {"name", "story", "expected"} <= set(case) <= allowed_keys:
        raise ValueError(
            f"{file}: {case.get('name')}: has other blocks than {sorted(allowed_keys)}"
        )
    answers = {**(bases[case["from"]] if "from" in case else {}), **case.get("answers", {})}
    for name in case.get("unanswered", ()):
        del answers[name]
    intake = json.dumps(answers, default=to_json_number)
    return Vignette(
        name=case["name"],
        file=file,
        intake=intake,
        answers=validate_answers(intake, loaded),
        expectations=_expand_unknown(case["expected"]),
        clinician_named=case.get("clinician_named", True),
    )


def _expand_unknown(expectations: dict[str, Any]) -> dict[str, Any]:
    """Set to None the names in `derived_unknown` and `met_unknown`, as TOML has no null."""
    expanded = {
        word: value for word, value in expectations.items() if not word.endswith("_unknown")
    }
    for word in ("derived", "met"):
        unknown = dict.fromkeys(expectations.get(f"{word}_unknown", ()))
        if unknown:
            expanded[word] = {**expanded.get(word, {}), **unknown}
    return expanded


def _list_levels(assessment: Assessment) -> dict[str, str]:
    return {item.id: item.level or "unanswered" for item in assessment.criteria}


def _list_met_criteria(assessment: Assessment) -> dict[str, bool | None]:
    schemes = [assessment.gradings["iasp_2021"], assessment.gradings["neupsig"]]
    return {line.id: line.met for scheme in schemes for line in scheme.criteria}


def _get_range(assessment: Assessment, total: str) -> list[Decimal]:
    points = assessment.totals[total].range
    return [points.least, points.most]


def _has_any_result(assessment: Assessment) -> bool:
    parts = ("totals", "picture", "domains", "criteria", "missing", "what_if", "patterns")
    parts += ("findings", "next_steps")
    return any(getattr(assessment, part) is not None for part in parts)


def _list_cautions(assessment: Assessment) -> dict[str, list[str]]:
    """Return the ids of the cautions under each step that has any."""
    ids = {caution.text: caution.id for caution in SECOND.rulebook.caution}
    return {x.id: [ids[text] for text in x.cautions] for x in assessment.next_steps if x.cautions}


def _count_attestation_limits(assessment: Assessment) -> int:
    texts = {x.text for x in SECOND.rulebook.limitation if x.where_not_attested}
    return len(texts.intersection(assessment.limitations))


COMPARED_WHOLE = {"discounts", "cautions", "caution_counts"}
WORDS: dict[str, Callable[[Assessment], Any]] = {
    "status": lambda a: a.status,
    "tier": lambda a: a.safety.tier,
    "flags": lambda a: [x.id for x in a.safety.flags],
    "all_asked": lambda a: a.safety.all_asked,
    "not_asked": lambda a: list(a.safety.unanswered),
    "scope": lambda a: [x.id for x in a.scope.reasons],
    "scope_open": lambda a: list(a.scope.unanswered),
    "totals_given": _has_any_result,
    "contribution": lambda a: a.totals["contribution"].points,
    "contribution_range": lambda a: _get_range(a, "contribution"),
    "predominance": lambda a: a.totals["predominance"].points,
    "predominance_range": lambda a: _get_range(a, "predominance"),
    "band": lambda a: a.totals["predominance"].band or WITHHELD,
    "picture": lambda a: a.picture.id or WITHHELD,
    "ledgers": lambda a: a.picture.ledgers,
    "domains": lambda a: {x.id: x.points for x in a.domains},
    "sums": lambda a: {x.id: x.sum for x in a.domains},
    "levels": _list_levels,
    "points": lambda a: {x.id: x.points for x in a.criteria},
    "discounts": lambda a: {x.id: x.discount.factor for x in a.criteria if x.discount},
    "missing": lambda a: [x.question for x in a.missing],
    "swings": lambda a: {x.question: x.swing for x in a.missing},
    "what_if": lambda a: {x.criterion: [x.points, x.band or WITHHELD] for x in a.what_if},
    "iasp_2021": lambda a: a.gradings["iasp_2021"].grade,
    "neupsig": lambda a: a.gradings["neupsig"].grade,
    "acr_2016": lambda a: a.gradings["acr_2016"].grade,
    "met": _list_met_criteria,
    "derived": lambda a: a.derived,
    "patterns": lambda a: {str(x.number): x.state for x in a.patterns.list},
    "findings": lambda a: [x.id for x in a.findings],
    "limitation": lambda a: "musculoskeletal" if "musculoskeletal" in str(a.limitations) else None,
    "assessed": lambda a: [x.id for x in a.safety.flags if x.assessed],
    "band_range": lambda a: list(astuple(a.totals["predominance"].band_range)),
    "why_no_band": lambda a: [x.id for x in a.why_no_band],
    "ask_first": lambda a: list(a.ask_first),
    "does_not_concern": lambda a: list(a.not_asked),
    "missing_count": lambda a: len(a.missing),
    "alternatives": lambda a: [f"{x.id} {x.strength}" for x in a.alternatives],
    "contradictions": lambda a: [x.id for x in a.contradictions],
    "next_steps": lambda a: [x.id for x in a.next_steps],
    "cautions": _list_cautions,
    "caution_counts": lambda a: {x.id: len(x.cautions) for x in a.next_steps if x.cautions},
    "sheet": lambda a: a.sheet.kind,
    "crisis_lines": lambda a: a.sheet.crisis_lines,
    "confidential": lambda a: a.confidential,
    "attestation_limits": _count_attestation_limits,
}
