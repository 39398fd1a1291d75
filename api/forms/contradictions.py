"""Find the answers of a form that contradict each other, in the words of its language."""

from collections.abc import Mapping
from typing import Any

from pydantic import MISSING

from api.forms.form_model import IntakeForm
from scoring.answer_model import validate_answers
from scoring.answers.question_dependencies import find_condition_questions
from scoring.compiled_rulebook import LoadedRulebook
from scoring.engine import assess
from scoring.translations import translate_rulebook


def find_contradictions(
    loaded: LoadedRulebook, form: IntakeForm, answers: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the contradictions between answers to questions of the form, none confidential."""
    if not loaded.rulebook.contradiction:
        return ()
    contradictions = assess(loaded, validate_answers(loaded, answers)).contradictions
    if contradictions is MISSING:
        return ()
    book = translate_rulebook(loaded, form.language) or loaded.rulebook
    rules = {rule.id: rule for rule in book.contradiction}
    sources = {derived.id: derived for derived in book.derived}
    shown_ids = {question.id for question in form.questions if not question.confidential}
    return tuple(
        rules[contradiction.id].text
        for contradiction in contradictions
        if shown_ids.issuperset(find_condition_questions([rules[contradiction.id].when], sources))
    )
