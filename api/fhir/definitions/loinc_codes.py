"""LOINC codes of questions and questionnaires, where one is certain; all others have own codes."""

from typing import NamedTuple

from api.fhir.elements import Resource

_SYSTEM = "http://loinc.org"


class LoincCode(NamedTuple):
    """A code, and whether independent published questionnaires give it for this very text.

    Only verified codes are sent. None was compared with the LOINC table itself.
    """

    code: str
    display: str
    is_verified: bool


QUESTION_CODES = {
    "phq4_nervous": LoincCode("69725-0", "Feeling nervous, anxious or on edge", True),
    "phq4_worrying": LoincCode("68509-9", "Not able to stop or control worrying", True),
    "phq4_interest": LoincCode("44250-9", "Little interest or pleasure in doing things", True),
    "phq4_down": LoincCode("44255-8", "Feeling down, depressed, or hopeless", True),
    "phq9_item9": LoincCode("44260-8", "Thoughts that you would be better off dead", True),
    "phq9_total": LoincCode("44261-6", "PHQ-9 total score", True),
    "gad7_total": LoincCode("70274-6", "GAD-7 total score", True),
    "peg_pain": LoincCode("75893-8", "Pain on average in the past week", True),
    "peg_enjoyment": LoincCode("91145-3", "Interference with enjoyment of life", False),
    "peg_activity": LoincCode("91146-1", "Interference with general activity", False),
}
"""Codes by the id of the question, the same in every rulebook."""
INSTRUMENT_CODES = {"phq4": LoincCode("69724-3", "Patient Health Questionnaire 4 item", True)}
"""Codes of whole questionnaires by the instrument."""


def build_codes(code: LoincCode | None) -> Resource:
    """Return the element `code` of an item or a questionnaire; nothing without a verified code."""
    if code is None or not code.is_verified:
        return {}
    return {"code": [{"system": _SYSTEM, "code": code.code}]}
