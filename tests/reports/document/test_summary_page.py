"""Page one of the clinician's report: it shows the strongest reasons and counts the others."""

import pytest
from support.reports.report_examples import build_example_view, list_texts

from reports.document.summary_page import MAX_OTHER_REASONS, MAX_REASONS, build_report
from reports.phrases import list_languages, load_phrases

SIDES = [("supporting", MAX_REASONS), ("opposing", MAX_OTHER_REASONS)]


def list_lines_about_more(view, language: str) -> list[str]:
    """Return the lines that count reasons left out, for any number."""
    phrases = load_phrases(language)
    lines = {phrases.say("and_more", number=str(number)) for number in range(100)}
    texts = list_texts(build_report(view, phrases).blocks)
    return [text for text in texts if text in lines]


@pytest.mark.parametrize("language", list_languages())
@pytest.mark.parametrize(("side", "limit"), SIDES)
@pytest.mark.parametrize("surplus", [1, 2])
def test_reasons_beyond_the_limit_are_counted(side, limit, surplus, language):
    view = build_example_view("widespread_pain", language=language)
    reasons = view.supporting[:1] * (limit + surplus)
    view = view.model_copy(update={"supporting": (), "opposing": (), side: reasons})
    expected_line = load_phrases(language).say("and_more", number=str(surplus))
    assert str(surplus) in expected_line
    assert list_lines_about_more(view, language) == [expected_line]


@pytest.mark.parametrize(("side", "limit"), SIDES)
def test_reasons_up_to_the_limit_are_all_shown(side, limit):
    view = build_example_view("widespread_pain")
    reasons = view.supporting[:limit] if side == "supporting" else view.supporting[:1] * limit
    assert len(reasons) == limit
    view = view.model_copy(update={"supporting": (), "opposing": (), side: reasons})
    assert list_lines_about_more(view, "en") == []


def test_the_longer_side_may_show_more_reasons():
    view = build_example_view("widespread_pain")
    assert len(view.supporting) > MAX_REASONS > MAX_OTHER_REASONS
    more = len(view.supporting) - MAX_REASONS
    assert list_lines_about_more(view, "en") == [load_phrases().say("and_more", number=str(more))]
