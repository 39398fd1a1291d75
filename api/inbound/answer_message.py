"""Reads the results of an ORU message as answers, by the mapping of a rule."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.batch_scoring.mapping.cell_parser import (
    UNANSWERED,
    CellError,
    build_cell_rules,
    parse_answer,
)
from api.batch_scoring.mapping.day_parser import parse_day
from api.batch_scoring.mapping.mapping_file import DateColumn, ImportMapping
from api.hl7v2.acknowledgement import Hl7ErrorDetail, RefusedMessageError
from api.hl7v2.parser import Hl7Message
from api.inbound.rules import MessageRule
from api.intakes import reader
from api.intakes.models import StorableIntake, build_intake_model
from api.problems import build_body_problem
from api.store.screenings.scored_intake import ScoredIntake
from schemas.batches.batch import LIST_SEPARATOR
from schemas.patients.patient import KnownPatient
from scoring.catalogue import Catalogue, UnknownRulebookError
from scoring.compiled_rulebook import LoadedRulebook

_OBSERVED_ON = DateColumn(column="OBR-7", format="%Y%m%d")
_FINAL = ("", "F", "C", "U")
_NOT_ANSWERED = ("X", "N", "O", "I")
"""The results of table 0085 (OBX-11) that say that there is no answer."""


def read_screening(
    rulebooks: Catalogue, rule: MessageRule, message: Hl7Message, patient: KnownPatient
) -> ScoredIntake:
    """Score the results of a message. Raises RefusedMessageError that names what is not clear."""
    mapping = rule.answers
    if mapping is None:
        raise RuntimeError("a rule that stores answers has a mapping")
    try:
        loaded = rulebooks.find_active(mapping.rulebook)
    except UnknownRulebookError:
        raise _refuse("unknown_rulebook", "the rulebook of the rule is not active") from None
    if message.read_component(message.find_segment("OBR"), 25) == "C":
        raise _refuse("correction", "OBR-25: corrections of results are not taken")
    row = _read_row(mapping, message)
    body = {
        "rulebook": loaded.name,
        "patient": patient,
        "answered_on": _read_day(mapping, message, row),
        "answered_by": mapping.answered_by,
        "answers": _read_answers(mapping, loaded, row),
    }
    intake_model = TypeAdapter[Any](build_intake_model(loaded, [loaded.name], StorableIntake))
    try:
        intake = intake_model.validate_python(body)
    except ValidationError as error:
        fault = build_body_problem(error, body).errors[0]
        raise _refuse("not_valid", f"{fault.pointer}: {fault.detail}") from None
    return reader.score_intake(rulebooks, intake, patient, "hl7v2")


def _read_row(mapping: ImportMapping, message: Hl7Message) -> dict[str, str]:
    """Return the value of each code in OBX-3; several values of one code are joined."""
    values: dict[str, list[str]] = {}
    for number, segment in enumerate(message.list_segments("OBX"), 1):
        code = message.read_component(segment, 3).strip()
        state = message.read_component(segment, 11).strip()
        if code not in mapping.column_uses:
            if mapping.ignore_rest:
                continue
            detail = f"OBX {number}: expected a code of the mapping in OBX-3"
            raise _refuse("unknown_code", detail)
        if state not in (*_FINAL, *_NOT_ANSWERED):
            raise _refuse("not_final", f"OBX {number}: expected a final result in OBX-11")
        new_values = [] if state in _NOT_ANSWERED else _read_values(message, segment, number)
        values.setdefault(code, []).extend(new_values)
    if not values:
        raise _refuse("no_answers", "OBX: expected results with codes of the mapping")
    return {code: LIST_SEPARATOR.join(dict.fromkeys(texts)) for code, texts in values.items()}


def _read_values(message: Hl7Message, segment: tuple[str, ...], number: int) -> list[str]:
    """Return the values in OBX-5: the code of coded ones, the number of structured ones."""
    value_type = message.read_component(segment, 2).strip()
    values = []
    for components in message.read_repetitions(segment, 5):
        first, second = (*map(message.unescape, components), "")[:2]
        if value_type == "SN":
            if first.strip() not in ("", "="):
                raise _refuse("comparator", f"OBX {number}: expected a number without a comparator")
            first = second
        values.append(first.strip() or second.strip())
    return [value for value in values if value not in ("", '""')]


def _read_answers(
    mapping: ImportMapping, loaded: LoadedRulebook, row: dict[str, str]
) -> dict[str, Any]:
    """Return the answers by question. Raises RefusedMessageError for a value that is none."""
    questions = {question.id: question for question in loaded.rulebook.question}
    rules = build_cell_rules(mapping, loaded)
    answers: dict[str, Any] = dict(mapping.constants)
    for question_map in mapping.question:
        cells = {column: row.get(column, "") for column in question_map.column_names}
        try:
            answer = parse_answer(question_map, questions[question_map.id], cells, rules)
        except CellError as error:
            detail = f"OBX-5 of {question_map.column_names[0]}: {error}"
            raise _refuse("not_an_answer", detail) from None
        if answer is not UNANSWERED:
            answers[question_map.id] = answer
    return answers


def _read_day(mapping: ImportMapping, message: Hl7Message, row: dict[str, str]) -> str | None:
    """Return the day in the result that the mapping names, else in OBR-7; None without one."""
    if mapping.answered_on is None:
        place, date_column = "OBR-7", _OBSERVED_ON
        text = message.read_component(message.find_segment("OBR"), 7).strip()[:8]
    else:
        date_column = mapping.answered_on
        place, text = f"OBX-5 of {date_column.column}", row.get(date_column.column, "")
    day, fault = parse_day(text, date_column)
    if fault is not None:
        raise _refuse("no_day", f"{place}: {fault}")
    return day


def _refuse(reason: str, detail: str) -> RefusedMessageError:
    return RefusedMessageError(reason, Hl7ErrorDetail("102", "Data type error", detail))
