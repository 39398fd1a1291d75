"""What a rulebook knows of its questions once it is compiled."""

import pytest
from support.scoring.small_second_rulebook import load_small_second

from scoring.compiled_rulebook import LoadedRulebook

SMALL = load_small_second()


def compile_with(**header_changes):
    book = SMALL.rulebook
    header = book.rulebook.model_copy(update=header_changes)
    return LoadedRulebook(book.model_copy(update={"rulebook": header}), SMALL.sha256)


@pytest.mark.parametrize(
    ("scope_questions", "must_answer", "names"),
    [
        (("fog",), (), ["fog"]),
        ((), (), ["age", "indoors"]),
        ((), ("age", "storms"), ["indoors"]),
    ],
)
def test_the_questions_of_the_scope_are_those_named_or_those_its_rules_read(
    scope_questions, must_answer, names
):
    loaded = compile_with(scope_questions=scope_questions, must_answer=must_answer)
    assert loaded.scope_questions == names


def test_the_questions_of_the_clinician_are_in_questionnaire_order():
    assert compile_with().clinician_questions == ["shelter", "shelter_depth", "looked_at"]


def test_a_rulebook_is_known_by_name_and_version():
    loaded = compile_with()
    assert (loaded.name, loaded.instrument, loaded.version) == ("weather@2.0.0", "weather", "2.0.0")
