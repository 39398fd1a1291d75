"""The JSON of an assessment, joined from its parts, is that of its model, byte for byte."""

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scoring.answer_strategies import partial_answers, unflagged_answers
from support.scoring.replayed_intakes import BLOCKS, draw_block
from support.scoring.second_rulebook import FIRST_RULEBOOKS, SECOND_RULEBOOKS

from schemas.assessments.assessment import DomainPoints, Range
from schemas.assessments.assessment_json import write_assessment
from scoring.catalogue import load_catalogue
from scoring.engine import assess
from scoring.translations import translate_assessment

ONE = Decimal(1)
ONE_POINT = Range(least=ONE, most=ONE)
every_rulebook = pytest.mark.parametrize(
    "loaded", [*FIRST_RULEBOOKS, *SECOND_RULEBOOKS], ids=lambda it: it.name
)


def dump(model):
    return model.model_dump_json(by_alias=True).encode()


@every_rulebook
@given(data=st.data())
def test_it_is_the_json_of_the_model(loaded, data):
    answers = data.draw(st.one_of(partial_answers(loaded), unflagged_answers(loaded)))
    assessment = assess(loaded, answers, attested=data.draw(st.booleans()))
    assert write_assessment(assessment) == dump(assessment)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_it_is_the_json_of_the_model_in_every_language(name, language):
    loaded = load_catalogue().find_version(name)
    intakes = list(draw_block(loaded, 0))
    assessments = [
        translate_assessment(
            loaded,
            language,
            intake.answers,
            assess(loaded, intake.answers, attested=intake.attested),
        )
        for intake in intakes
    ]
    assert len(assessments) == len(intakes) == 100
    assert list(map(write_assessment, assessments)) == list(map(dump, assessments))


def test_a_part_and_its_changed_copy_have_json_of_their_own():
    ends = Range(least=Decimal(1), most=Decimal("1.50"))
    assert ends.json == b'{"least":1,"most":1.5}'
    assert replace(ends, most=Decimal(3)).json == b'{"least":1,"most":3}'
    assert deepcopy(ends) == ends


def test_a_part_has_no_other_attribute():
    with pytest.raises(AttributeError, match="jsom"):
        _ = ONE_POINT.jsom


def test_words_that_json_must_escape_are_escaped():
    label = 'a "quoted" \\ word,\nü'
    domain = DomainPoints(id="x", label=label, points=ONE, sum=ONE, floor=ONE, ceiling=ONE)
    assert '"a \\"quoted\\" \\\\ word,\\nü"'.encode() in domain.json
