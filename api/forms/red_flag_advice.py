"""Build the immediate advice for patients from the red flags in their answers.

Advice never reveals the label, suspicion or tier of a flag: it says in plain words what to do now
and which of the patient's answers call for it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from api.forms.answer_parser import describe_answer
from api.forms.form_model import IntakeForm
from api.forms.layout import FormLayout, load_layout
from schemas.organisations.form_settings import EmergencyNumber, FormSettings
from schemas.rulebooks.rulebook import Flag
from scoring.answers.question_dependencies import find_condition_questions
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import find_matching_options
from scoring.engine import assess_safety

ADVICE_ORDER = (
    "crisis_now",
    "now",
    "crisis_today",
    "unsafe",
    "today",
    "medicine",
    "soon",
    "mention",
)
"""All advice phrases, the most urgent first."""
SHOWN_ONCE = {"unsafe"}
"""Phrases of advice that no page shows a second time, for another person may read it."""
_URGENT = {"crisis_now", "now", "crisis_today", "today"}
_CRISIS = {"crisis_now", "crisis_today"}


class Advice(NamedTuple):
    """One thing to do now, and the answers that call for it: options and questions with a yes."""

    phrase: str
    selected_options: tuple[str, ...]
    urgent: bool
    shows_numbers: bool
    is_crisis: bool

    def select_numbers(self, settings: FormSettings) -> list[EmergencyNumber]:
        """Return the numbers to call; helplines for what it is about come first."""
        kinds = ["emergency"]
        if self.is_crisis:
            kinds.insert(0, "crisis")
        if self.phrase == "unsafe":
            kinds.insert(0, "violence")
        numbers = settings.emergency_numbers
        return [number for kind in kinds for number in numbers if number.kind == kind]


class PatientRedFlags(NamedTuple):
    """The red flags in answers: the tier, and the ids of the flags with advice for patients."""

    tier: str
    flags: tuple[str, ...]


def find_red_flags(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> PatientRedFlags:
    """Return the red flags that the answers raise."""
    result = assess_safety(loaded, answers)
    flags = [flag.id for flag in result.flags if _choose_phrase(loaded, flag.id)]
    return PatientRedFlags(result.tier, tuple(flags))


def find_once_shown_flags(loaded: LoadedRulebook, flags: Iterable[str]) -> tuple[str, ...]:
    """Return those of these flags whose advice is shown only once."""
    return tuple(flag for flag in flags if _choose_phrase(loaded, flag) in SHOWN_ONCE)


def build_advice(
    loaded: LoadedRulebook, form: IntakeForm, answers: Mapping[str, Any], flags: Iterable[str]
) -> list[Advice]:
    """Return the advice for these flags, the most urgent first, each phrase once."""
    facts, flag_ids = loaded.derive_facts(answers), set(flags)
    options_by_phrase: dict[str, list[str]] = {}
    for flag in loaded.rulebook.flag:
        phrase = _choose_phrase(loaded, flag.id)
        if flag.id in flag_ids and phrase:
            answers_in_words = _describe_answers(loaded, form, flag, facts)
            options_by_phrase.setdefault(phrase, []).extend(answers_in_words)
    return [
        Advice(
            phrase,
            tuple(dict.fromkeys(options_by_phrase[phrase])),
            urgent=phrase in _URGENT,
            shows_numbers=phrase in _URGENT,
            is_crisis=phrase in _CRISIS,
        )
        for phrase in ADVICE_ORDER
        if phrase in options_by_phrase
    ]


def find_confidential_flags(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> set[str]:
    """Return the ids of the red flags raised by answers that no page shows again."""
    facts = loaded.derive_facts(answers)
    confidential = set(load_layout(loaded.name).confidential)
    return {
        flag.id
        for flag in loaded.rulebook.flag
        if any(
            question in confidential
            for question, _ in find_matching_options(flag.when, facts, loaded.questions)
        )
    }


def _choose_phrase(loaded: LoadedRulebook, flag_id: str) -> str | None:
    flag = next(flag for flag in loaded.rulebook.flag if flag.id == flag_id)
    layout = load_layout(loaded.name)
    return (
        layout.advice.get(flag.id)
        or layout.advice_by_tier.get(flag.tier)
        or _choose_default_phrase(loaded, layout, flag)
    )


def _choose_default_phrase(loaded: LoadedRulebook, layout: FormLayout, flag: Flag) -> str | None:
    """Return cautious advice for a rulebook whose layout assigns none to its tiers."""
    if layout.advice_by_tier:
        return None
    tier = next(tier for tier in loaded.rulebook.tier if tier.id == flag.tier)
    return "today" if tier.withholds else "soon"


def _describe_answers(
    loaded: LoadedRulebook, form: IntakeForm, flag: Flag, facts: Mapping[str, Any]
) -> list[str]:
    questions = {question.id: question for question in form.questions if not question.confidential}
    options = [
        words
        for question_id, option in find_matching_options(flag.when, facts, loaded.questions)
        if question_id in questions
        for words in describe_answer(questions[question_id], [option])
    ]
    sources = {derived.id: derived for derived in loaded.rulebook.derived}
    read_ids = find_condition_questions([flag.when], sources)
    return options + [
        " ".join([question.text, *describe_answer(question, True)])
        for question in questions.values()
        if question.id in read_ids and facts.get(question.id) is True
    ]
