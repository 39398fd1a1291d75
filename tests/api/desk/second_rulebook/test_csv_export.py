"""The export: a row for a screening of every version, scored or not."""

import csv
import io
import json

from support import builders
from support.browser.practitioners import (
    submit_form,
)
from support.first_release import FIRST, FLAGGED_ANSWERS, ORDER_BY_TIER
from support.path_resources import create_resource
from support.second_release import EXPLAINED, SCORED, SECOND, UNSETTLED, WITHHELD, assess_case

NEW_COLUMNS = ("band_least", "band_most", "ask_first", "alternatives", "contradictions")
BAND_COLUMNS = ("status", "band", "points", "least", "most")


def export(client, desk, rulebook: str, answers: dict) -> dict[str, str]:
    """Store a screening of these answers and return its row."""
    body = {
        "rulebook": rulebook,
        "patient": {"reference": "MRN-1"},
        "clinician": {"reference": "dr"},
        "answers": answers,
    }
    create_resource(client, "/v1/screenings", body)
    response = submit_form(desk, "/desk", "/desk/export")
    (row,) = csv.DictReader(io.StringIO(response.content.decode("utf-8-sig")))
    return row


def export_case(client, desk, case, **changes) -> dict[str, str]:
    return export(client, desk, SECOND.name, json.loads(case.intake) | changes)


def pick(row: dict[str, str], columns: tuple[str, ...]) -> list[str]:
    return [row[column] for column in columns]


class TestARowOfTheSecondVersion:
    def test_has_the_bands_that_the_total_can_still_become(self, client, desk):
        row = export_case(client, desk, EXPLAINED)
        assert pick(row, BAND_COLUMNS) == ["scored", "points_away", "-4.55", "-15.55", "4.25"]
        ask_first = "pain_out_of_proportion|focal_tenderness|sensory_sensitivity"
        assert pick(row, NEW_COLUMNS) == [
            "points_away",
            "some",
            ask_first,
            "|".join(explanation.id for explanation in assess_case(EXPLAINED).alternatives),
            "",
        ]
        assert row["alternatives"].startswith("central_neuropathic_pain|small_fibre_neuropathy|")

    def test_without_a_band_has_the_total_and_its_range(self, client, desk):
        row = export_case(client, desk, UNSETTLED)
        assert pick(row, BAND_COLUMNS) == ["insufficient_information", "", "0", "-32.9", "20"]
        assert pick(row, NEW_COLUMNS) == [
            "points_away",
            "strong",
            "physical_explanation|diagnoses|swollen_joints",
            "polymyalgia_or_giant_cell_arteritis|radiculopathy",
            "",
        ]

    def test_names_contradictions(self, client, desk):
        row = export_case(client, desk, SCORED, pain_extent="spot")
        assert row["contradictions"] == "many_areas_one_spot"

    def test_that_is_withheld_has_no_number(self, client, desk):
        row = export_case(client, desk, WITHHELD)
        assert pick(row, BAND_COLUMNS) == ["withheld_red_flag", "", "", "", ""]
        assert pick(row, ("band_least", "band_most", "ask_first")) == ["", "", ""]
        assert row["alternatives"] == "polymyalgia_or_giant_cell_arteritis"


class TestARowOfTheFirstVersion:
    def test_names_the_flags_by_tier(self, client, desk):
        row = export(client, desk, FIRST.name, FLAGGED_ANSWERS)
        assert row["red_flags"] == "|".join(ORDER_BY_TIER)

    def test_leaves_the_new_columns_empty(self, client, desk):
        answers, assessment = builders.assessed("widespread_pain")
        row = export(client, desk, FIRST.name, answers)
        total = assessment.totals["predominance"]
        numbers = total.points, total.range.least, total.range.most
        assert pick(row, BAND_COLUMNS) == ["scored", total.band, *map(str, numbers)]
        assert pick(row, NEW_COLUMNS) == [""] * 5

    def test_without_a_band_has_the_total_and_its_range(self, client, desk):
        answers, assessment = builders.assessed("too_little_known")
        row = export(client, desk, FIRST.name, answers)
        total = assessment.totals["predominance"]
        assert total.band is None
        assert pick(row, ("points", "least", "most")) == [
            str(total.points),
            str(total.range.least),
            str(total.range.most),
        ]
        assert pick(row, NEW_COLUMNS) == [""] * 5
