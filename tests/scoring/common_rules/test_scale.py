"""The scale in hundredths: where bands start, what a band needs, and which picture is met."""

import pytest
from support.scoring.small_second_rulebook import load_small_second

from schemas.rulebooks.rulebook import Band
from schemas.rulebooks.scale import Ledger, Picture
from scoring.common_rules.scale import build_picture, select_band
from scoring.compiled_rulebook import LoadedRulebook
from scoring.weighing import Sums, find_band_start

SMALL = load_small_second()
STRONG = 600
OTHER_PICTURE = Picture(id="other", label="Other", meaning="Other.")


def make_sums(*, sky=0, mood=0, house=0, total=0):
    return Sums([sky, mood, house], [sky, mood, house], [total])


def describe_picture(sums, *, demands=None, parts=None):
    """Return the ledgers, and whether the picture with these demands is met."""
    parts = parts or {"first": {"domain": "sky"}, "second": {"domain": "mood"}}
    ledgers = [
        {"id": name, "label": name, "part": [{"factor": 1, **part}]} for name, part in parts.items()
    ]
    picture = Picture(id="asked", label="Asked", meaning="Asked.", **(demands or {}))
    rulebook = SMALL.rulebook.model_copy(
        update={
            "ledger": tuple(map(Ledger.model_validate, ledgers)),
            "picture": (picture, OTHER_PICTURE),
        }
    )
    mechanism_picture = build_picture(
        LoadedRulebook(rulebook, SMALL.sha256), sums, {}, is_identified=True
    )
    return mechanism_picture.ledgers, mechanism_picture.id == "asked"


@pytest.mark.parametrize(
    ("edge", "start"), [({}, None), ({"from": 2}, 200), ({"above": 2}, 201), ({"from": 0}, 0)]
)
def test_a_band_starts_at_its_edge_or_right_above_it(edge, start):
    band = Band.model_validate({"id": "b", "label": "B", "meaning": "M"} | edge)
    assert find_band_start(band) == start


@pytest.mark.parametrize(
    ("total", "sky", "shelter", "if_unknown", "band"),
    [
        (STRONG, 1, "roof", False, "strong"),
        (STRONG, 0, "roof", False, "some"),
        (STRONG, 1, "tent", True, "some"),
        (STRONG, 1, None, False, "some"),
        (STRONG, 1, None, True, "strong"),
        (STRONG, 0, None, True, "some"),
        (STRONG - 1, 0, None, False, "some"),
    ],
)
def test_a_band_is_given_where_its_needs_are_met(total, sky, shelter, if_unknown, band):
    sums = make_sums(sky=sky, total=total)
    selected_band = select_band(SMALL, sums, {"shelter": shelter}, if_unknown=if_unknown)
    assert selected_band.id == band


@pytest.mark.parametrize(("sky", "band"), [(0, "some"), (1, "strong")])
def test_a_band_may_need_points_of_a_domain_alone(sky, band):
    bands = list(SMALL.rulebook.band)
    needs = bands[-1].needs.model_copy(update={"when": None})
    bands[-1] = bands[-1].model_copy(update={"needs": needs})
    loaded = LoadedRulebook(SMALL.rulebook.model_copy(update={"band": tuple(bands)}), SMALL.sha256)
    assert select_band(loaded, make_sums(sky=sky, total=STRONG), {}).id == band


def test_a_need_of_unknown_truth_is_not_met_unless_it_is_said_so():
    assert select_band(SMALL, make_sums(sky=1, total=STRONG), {}).id == "some"


@pytest.mark.parametrize(
    ("demands", "sky", "mood", "is_met"),
    [
        ({"at_least": {"first": 1}}, 100, 0, True),
        ({"at_least": {"first": 1}}, 99, 900, False),
        ({"any_at_least": {"first": 1, "second": 2}}, 100, 0, True),
        ({"any_at_least": {"first": 1, "second": 2}}, 0, 200, True),
        ({"any_at_least": {"first": 1, "second": 2}}, 99, 199, False),
        ({"below": {"first": 1}}, 99, 0, True),
        ({"below": {"first": 1}}, 100, 0, False),
        ({"exceeds": {"first": "second"}}, 101, 100, True),
        ({"exceeds": {"first": "second"}}, 100, 100, False),
        ({"at_least": {"first": 1}, "below": {"second": 1}}, 100, 100, False),
    ],
)
def test_a_picture_is_met_on_its_edges_and_not_beside_them(demands, sky, mood, is_met):
    assert describe_picture(make_sums(sky=sky, mood=mood), demands=demands)[1] is is_met


@pytest.mark.parametrize(
    ("part", "sums", "points"),
    [
        ({"domain": "house"}, {"house": 150, "total": 7}, "1.5"),
        ({"total": "sum"}, {"house": 150, "total": 7}, "0.07"),
        ({"domain": "sky", "factor": 0.5}, {"sky": 3}, "0.01"),
        ({"domain": "sky", "factor": 0.5}, {"sky": -3}, "-0.02"),
        ({"domain": "sky", "only_negative": True}, {"sky": 1}, "0"),
        ({"domain": "sky", "only_negative": True}, {"sky": -1}, "-0.01"),
        ({"domain": "sky", "when": {"question": "fog", "is": True}}, {"sky": 100}, "0"),
    ],
)
def test_a_ledger_adds_whole_hundredths_of_its_parts(part, sums, points):
    ledgers, _ = describe_picture(make_sums(**sums), parts={"only": part})
    assert {name: str(value) for name, value in ledgers.items()} == {"only": points}
