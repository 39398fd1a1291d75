"""What the engine says of one intake, as a row of a batch; and frames of many intakes."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl

from schemas.assessments.assessment import Safety, Scope
from schemas.rulebooks.rulebook import Question
from scoring import engine
from scoring.answers.intake_facts import IntakeFacts
from scoring.columns import compile_column_rules
from scoring.common_rules import clinical_context, safety, scale
from scoring.common_rules.weighed_intake import WeighedIntake, weigh_facts
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.first_rules.assessment import determine_status
from scoring.first_rules.missing_answers import list_missing_answers
from scoring.second_rules import explanations
from scoring.second_rules.band_range import BandRangeRules
from scoring.second_rules.missing_answers import MissingAnswerRules
from scoring.weighing import to_points

Row = dict[str, Any]
TYPES = {
    "boolean": pl.Boolean,
    "integer": pl.Int64,
    "decimal": pl.Float64,
    "choice": pl.String,
    "multi": pl.List(pl.String),
}


def frame_of(loaded: LoadedRulebook, intakes: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The answers as typed columns."""
    columns = {
        question.id: [_plain(intake.get(question.id)) for intake in intakes]
        for question in loaded.rulebook.question
    }
    types = {question.id: TYPES[question.kind] for question in loaded.rulebook.question}
    return pl.DataFrame(columns, schema=types)


def assessed_row(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> Row:
    """Return the assessment of one intake as the row a batch must give, with sentences."""
    assessment = assess(loaded, answers)
    outline = compile_column_rules(loaded).output_columns
    has_totals = assessment.totals is not None
    totals = assessment.totals or {}
    row: Row = {
        **_empty_row(loaded),
        "status": assessment.status,
        **_safety_part(assessment.safety),
        **_scope_part(assessment.scope),
        "missing": [missing_answer.question for missing_answer in assessment.missing]
        if has_totals
        else None,
    }
    for total in loaded.rulebook.total:
        total_points = totals.get(total.id)
        row[total.id] = _number(total_points and total_points.points)
        if total.banded:
            row["least"] = _number(total_points and total_points.range.least)
            row["most"] = _number(total_points and total_points.range.most)
            row["band"] = total_points and total_points.band
            if is_second(loaded):
                band_range = total_points and total_points.band_range
                row["band_least"] = band_range and band_range.least
                row["band_most"] = band_range and band_range.most
    if is_second(loaded):
        row["alternatives"] = [alternative.id for alternative in assessment.alternatives]
        row["contradictions"] = [rule.id for rule in assessment.contradictions]
        row["ask_first"] = None if assessment.ask_first is None else [*assessment.ask_first]
        reasons = assessment.why_no_band
        row["why_no_band"] = None if reasons is None else [reason.id for reason in reasons]
    if loaded.rulebook.ledger:
        row["picture"] = assessment.picture.id if assessment.picture else None
        for ledger in loaded.rulebook.ledger:
            row[ledger.id] = _number(assessment.picture and assessment.picture.ledgers[ledger.id])
    for name in outline.gradings:
        row[name] = assessment.gradings[name].grade if assessment.gradings else None
    for place, domain in enumerate(loaded.rulebook.domain):
        row[f"domain_{domain.id}"] = _number(
            assessment.domains and assessment.domains[place].points
        )
    for place, criterion in enumerate(loaded.rulebook.criterion):
        result = assessment.criteria[place] if assessment.criteria else None
        row[criterion.id] = _number(result and result.points)
        row[f"because_{criterion.id}"] = result and result.because
    return row


def weighed_row(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> Row:
    """Return the row without sentences, from parts of the engine, in a quarter of the time."""
    intake, rules = loaded.read_answers(answers), engine.compile_rules(loaded)
    reading = rules.assess_safety(intake)
    row: Row = dict.fromkeys(compile_column_rules(loaded).columns) | _empty_row(loaded)
    row |= {
        **_safety_part(reading.safety),
        **_scope_part(safety.assess_scope(loaded, intake)),
        "status": "withheld_red_flag" if reading.withholds_score else "out_of_scope",
    }
    if is_second(loaded):
        alternatives = explanations.list_alternatives(loaded, intake.facts)
        contradictions = explanations.list_contradictions(loaded, intake.facts)
        row["alternatives"] = [alternative.id for alternative in alternatives]
        row["contradictions"] = [contradiction.id for contradiction in contradictions]
    if reading.withholds_score:
        return row
    graded = clinical_context.apply_gradings(loaded, intake.facts)
    row |= {
        name: graded[name].grade for name in compile_column_rules(loaded).output_columns.gradings
    }
    outside = safety.assess_scope(loaded, intake).reasons
    return row if outside else row | _points(loaded, intake)


def is_second(loaded: LoadedRulebook) -> bool:
    """Whether the rulebook is scored by the second generation of rules."""
    return loaded.rulebook.rulebook.scoring_rules == 2


def _points(loaded: LoadedRulebook, intake: IntakeFacts) -> Row:
    facts = intake.facts
    points = weigh_facts(loaded, facts)
    row: Row = _second_part(loaded, intake, points) if is_second(loaded) else {}
    if not is_second(loaded):
        missing = list_missing_answers(loaded, points.criteria, facts)
        row["missing"] = [missing_answer.question for missing_answer in missing]
        row["status"] = determine_status(loaded, points, facts)
    is_scored = row["status"] == "scored"
    for place, total in enumerate(loaded.rulebook.total):
        row[total.id] = _number(to_points(points.current.totals[place]))
        if total.banded:
            row["least"] = _number(to_points(points.least.totals[place]))
            row["most"] = _number(to_points(points.most.totals[place]))
            if is_scored:
                row["band"] = scale.select_band(loaded, points.current, facts).id
    picture = scale.build_picture(loaded, points.current, facts, is_identified=is_scored)
    if picture is not None:
        row |= {"picture": picture.id} | {n: float(p) for n, p in picture.ledgers.items()}
    for domain, domain_points in zip(
        loaded.rulebook.domain, points.current.domain_points, strict=True
    ):
        row[f"domain_{domain.id}"] = _number(to_points(domain_points))
    for criterion, weight in zip(loaded.rulebook.criterion, points.criteria, strict=True):
        has_points = weight.level is not None or is_second(loaded)
        row[criterion.id] = _number(to_points(weight.points)) if has_points else None
    return row


def _second_part(loaded: LoadedRulebook, intake: IntakeFacts, points: WeighedIntake) -> Row:
    bands, answers = BandRangeRules(loaded), MissingAnswerRules(loaded)
    band_range = bands.find_band_range(points, intake.facts)
    missing = answers.list_missing_answers(intake, points)
    reasons = bands.list_no_band_reasons(band_range, intake)
    return {
        "status": "insufficient_information" if reasons else "scored",
        "why_no_band": [reason.id for reason in reasons],
        "band_least": band_range.least,
        "band_most": band_range.most,
        "missing": [missing_answer.question for missing_answer in missing],
        "ask_first": [
            *answers.list_first_questions(
                missing, changes_band=bands.count_bands_apart(band_range) > 0
            )
        ],
    }


def random_intake(loaded: LoadedRulebook, random: Random) -> Row:
    """Return random answers that reach every status and are scored more often than by chance."""
    share, calm = random.choice([0.2, 0.6, 0.9, 1]), random.random() < 0.7
    required = loaded.rulebook.rulebook.must_answer
    return {
        question.id: _draw_answer(question, random, calm=calm)
        for question in loaded.rulebook.question
        if random.random() < (0.98 if question.id in required else share)
    }


def _draw_answer(question: Question, random: Random, *, calm: bool) -> Any:
    options = [option.id for option in question.options]
    match question.kind:
        case "boolean":
            in_scope = calm and question.id in SCOPE
            return random.random() < (0.01 if in_scope else 0.5)
        case "choice":
            return random.choice(options)
        case "multi" if calm and question.id.startswith("rf_"):
            return [random.choice(options)] if random.random() < 0.01 else []
        case "multi":
            most = min(len(options), 6)
            return random.sample(options, random.choice([0, 0, 1, 1, random.randint(0, most)]))
        case "decimal":
            return Decimal(random.choice([0, 299, 300, 301, random.randint(300, 120_000)])) / 100
        case "integer":
            least = 18 if calm and question.id == "age_years" else int(question.minimum or 0)
            return random.randint(least, int(question.maximum or 0))


SCOPE = ("pregnant", "surgery_within_3_months", "cannot_self_report", "cancer_ever")


def _safety_part(safety_result: Safety) -> Row:
    is_unknown = safety_result.tier == "none" and not safety_result.all_asked
    return {
        "tier": "not_all_asked" if is_unknown else safety_result.tier,
        "flags": [flag.id for flag in safety_result.flags],
        "all_asked": safety_result.all_asked,
        "not_asked": [*safety_result.unanswered],
    }


def _scope_part(scope: Scope) -> Row:
    return {
        "scope_reasons": [reason.id for reason in scope.reasons],
        "scope_unanswered": [*scope.unanswered],
    }


def _empty_row(loaded: LoadedRulebook) -> Row:
    row = dict.fromkeys(("row_id", "patient_reference", "problems"))
    return {**row, "rulebook": loaded.name, "rulebook_sha256": loaded.sha256}


def _plain(answer: Any) -> Any:
    if isinstance(answer, Decimal):
        return float(answer)
    return list(answer) if isinstance(answer, tuple) else answer


def _number(points: Decimal | None) -> float | None:
    return None if points is None else float(points)
