"""A second implementation of the specification, by brute force.

It shares nothing with the engine. For an unanswered question it tries every possible value; the
numbers come from `oracle_table.toml`, which was written from the specification.
"""

import tomllib
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

TABLE = tomllib.loads(
    Path(__file__).with_name("oracle_table.toml").read_text(encoding="utf-8"), parse_float=Decimal
)
QUESTIONS = {question["id"]: question for question in TABLE["question"]}
CRITERIA = {criterion["id"]: criterion for criterion in TABLE["criterion"]}
DOMAINS = {domain["id"]: domain for domain in TABLE["domain"]}
SITES = {site["id"]: site for site in TABLE["site"]}
SITES_BY_REGION = {
    name: {site["id"] for site in TABLE["site"] if site["region"] == name}
    for name in ("left_upper", "right_upper", "left_lower", "right_lower", "axial", "head")
}
INFLAMMATORY = {
    "rheumatoid_arthritis",
    "psoriatic_arthritis",
    "axial_spondyloarthritis",
    "connective_tissue_disease",
    "polymyalgia_rheumatica",
}
MUST_ANSWER = (
    "age_years",
    "pain_duration_months",
    "diagnoses",
    "rf_spine_and_nerves",
    "rf_head_and_face",
    "rf_chest_and_abdomen",
    "rf_limbs_and_joints",
    "rf_general",
    "rf_personal_safety",
)
RED_FLAGS = tuple(name for name in QUESTIONS if name.startswith("rf_"))
SCOPE_QUESTIONS = ("pregnant", "surgery_within_3_months", "cannot_self_report")
OPTIONAL = ("ace_count", "ptsd")
PERSONAL = {
    "suicidal_plan_or_intent",
    "suicidal_thoughts",
    "unsafe_at_home",
    "medicine_overuse_or_withdrawal",
    "phq9_item9_positive",
}
CONTRIBUTION = ("distribution", "sensitivity", "behaviour", "onset", "psychosocial")
GATE_NEEDS = ("distribution", "sensitivity", "behaviour")
BANDS = ("points_away", "little", "some", "many", "strong")
SSS = tuple(name for name in QUESTIONS if name.startswith("sss_"))
ZERO = Decimal(0)
Answers = Mapping[str, Any]


# The facts each criterion reads, and its level if all of them are known.

Level = Callable[..., str]


def _truth_level(known_value: bool) -> str:
    return "true" if known_value else "false"


def _marked_level(count: int) -> str:
    return "one_or_more" if count >= 1 else "none"


def _region_level(count: int) -> str:
    return "four_or_more" if count >= 4 else "two_or_three" if count >= 2 else "none_or_one"


def _overlap_level(count: int) -> str:
    return {0: "none", 1: "one"}.get(count, "two_or_more")


def _adversity_level(count: int) -> str:
    return "four_or_more" if count >= 4 else "one_to_three" if count >= 1 else "none"


LEVELS: dict[str, tuple[tuple[str, ...], Level]] = {
    "A1": (("regions",), _region_level),
    "A2": (("pain_extent",), lambda extent: "spot" if extent == "spot" else "regional"),
    "A3": (("pain_ignores_territories",), _truth_level),
    "A4": (("pain_symmetric",), _truth_level),
    "A5": (("pain_moves_or_spreads",), _truth_level),
    "B1": (("hypersensitive_to",), _marked_level),
    "B2": (("sensory_sensitivity",), _marked_level),
    "B3": (("sleep_broken",), _truth_level),
    "B4": (("fatigue",), _truth_level),
    "B5": (("concentration_problems",), _truth_level),
    "B6": (("overlapping_conditions",), _overlap_level),
    "B7": (("evoked_on_examination",), _marked_level),
    "B8": (("acr2016_met",), lambda is_met: "met" if is_met else "not_met"),
    "C1": (("pain_inconsistent",), _truth_level),
    "C2": (("pain_out_of_proportion",), _truth_level),
    "C3": (("worse_with_stress",), _truth_level),
    "C4": (("nonphysical_triggers",), _truth_level),
    "C5": (("better_when_absorbed",), _truth_level),
    "C6": (("delayed_after_activity",), _truth_level),
    "D1": (("onset_during_stress",), _truth_level),
    "D2": (
        ("onset_injury", "physical_explanation"),
        lambda injury, cause: _truth_level(injury != "not_healed" and cause != "not_assessed"),
    ),
    "E1": (("physical_explanation",), str),
    "F1": (("gad2", "gad7_total"), lambda short, long: _truth_level(short >= 3 or long >= 10)),
    "F2": (("phq2", "phq9_total"), lambda short, long: _truth_level(short >= 3 or long >= 10)),
    "F3": (("worry_means_damage",), _truth_level),
    "F4": (("traits",), _marked_level),
    "G1": (("ace_count",), _adversity_level),
    "G2": (("ptsd",), _truth_level),
    "H1": (("mechanical_provocation",), _truth_level),
    "H2": (("focal_tenderness",), _truth_level),
    "H3": (("morning_stiffness_over_30_min",), _truth_level),
    "H4": (("active_inflammation",), _truth_level),
    "H5": (("lasting_local_relief",), _truth_level),
    "I1": (("nerve_lesion_in_territory",), _truth_level),
    "I2": (("sensory_or_motor_loss",), _truth_level),
    "I3": (
        ("nerve_descriptors", "acr2016_met"),
        lambda n, is_met: _truth_level(n >= 3 and not is_met),
    ),
}
COUNTED_FROM = {
    "regions": ("pain_sites",),
    "gad2": ("phq4_nervous", "phq4_worrying"),
    "phq2": ("phq4_interest", "phq4_down"),
    "acr2016_met": ("pain_sites", *SSS, "pain_duration_months"),
}


def questions_behind(criterion: str) -> set[str]:
    """Return the questions a criterion reads: directly, by a derived value or a discount."""
    reads = {
        question for name in LEVELS[criterion][0] for question in COUNTED_FROM.get(name, (name,))
    }
    return reads | {discount["question"] for discount in CRITERIA[criterion].get("discounts", ())}


# Derived values; None while a part is unknown.


def derived(answers: Answers) -> dict[str, Any]:
    sites = answers.get("pain_sites")
    known_value = None if sites is None else set(sites)
    return {
        "regions": None
        if known_value is None
        else sum(bool(known_value & members) for members in SITES_BY_REGION.values()),
        "wpi": None if known_value is None else sum(SITES[site]["in_wpi"] for site in known_value),
        "sss": _sum(answers, SSS),
        "gad2": _sum(answers, COUNTED_FROM["gad2"]),
        "phq2": _sum(answers, COUNTED_FROM["phq2"]),
        "peg": _mean(answers, ("peg_pain", "peg_enjoyment", "peg_activity")),
    }


def _sum(answers: Answers, parts: tuple[str, ...]) -> int | None:
    known_value = [answers.get(part) for part in parts]
    return None if any(value is None for value in known_value) else sum(map(int, known_value))


def _mean(answers: Answers, parts: tuple[str, ...]) -> Decimal | None:
    total = _sum(answers, parts)
    if total is None:
        return None
    return (Decimal(total) / len(parts)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def general_regions(sites: Any) -> int | None:
    if sites is None:
        return None
    counting = {site for site in sites if SITES[site]["counts_for_generalised_pain"]}
    return sum(bool(counting & members) for members in SITES_BY_REGION.values())


def acr2016_met(answers: Answers) -> bool | None:
    """Return met, not met or unknown, by trying every value that is still possible."""
    values_derived = derived(answers)
    duration = answers.get("pain_duration_months")
    outcomes = _acr_outcomes(
        values_derived["wpi"],
        values_derived["sss"],
        general_regions(answers.get("pain_sites")),
        None if duration is None else duration >= 3,
    )
    return next(iter(outcomes)) if len(outcomes) == 1 else None


@cache
def _acr_outcomes(
    wpi: int | None, sss: int | None, general: int | None, long_enough: bool | None
) -> frozenset[bool]:
    return frozenset(
        ((w >= 7 and s >= 5) or (4 <= w <= 6 and s >= 9)) and g >= 4 and t
        for w in (range(20) if wpi is None else [wpi])
        for s in (range(13) if sss is None else [sss])
        for g in (range(6) if general is None else [general])
        for t in ([False, True] if long_enough is None else [long_enough])
    )


# Weighing.


def possible_levels(criterion: str, answers: Answers) -> frozenset[str]:
    names = LEVELS[criterion][0]
    return _possible(criterion, tuple(_read_value(name, answers) for name in names))


@cache
def _possible(criterion: str, known_value: tuple[Any, ...]) -> frozenset[str]:
    names, level = LEVELS[criterion]
    candidates = [
        values(name) if value is None else [value]
        for name, value in zip(names, known_value, strict=True)
    ]
    return frozenset(level(*combination) for combination in product(*candidates))


def _read_value(name: str, answers: Answers) -> Any:
    if name == "acr2016_met":
        return acr2016_met(answers)
    if name in COUNTED_FROM:
        return derived(answers)[name]
    answer = answers.get(name)
    is_multi = QUESTIONS[name]["kind"] == "multi"
    return len(answer) if is_multi and answer is not None else answer


def values(name: str) -> list[Any]:
    """Return all values of an answer or derived value; for a multi question, all counts."""
    match name:
        case "regions" | "gad2" | "phq2":
            return list(range(7))
        case "acr2016_met":
            return [False, True]
    question = QUESTIONS[name]
    match question["kind"]:
        case "boolean":
            return [False, True]
        case "choice":
            return list(question["options"])
        case "multi":
            return list(range(len(question["options"]) + 1))
    return list(range(question["minimum"], question["maximum"] + 1))


def discounts(criterion: str, answers: Answers) -> list[tuple[Decimal, bool | None]]:
    """Return the factor of each discount, and whether it applies."""
    return [
        (Decimal(discount["factor"]), _holds(discount, answers.get(discount["question"])))
        for discount in CRITERIA[criterion].get("discounts", ())
    ]


def _holds(discount: Mapping[str, Any], answer: Any) -> bool | None:
    if answer is None:
        return None
    if "includes" in discount:
        return any(option in discount["includes"] for option in answer)
    return bool(answer is discount["is"])


def weigh(criterion: str, answers: Answers) -> dict[str, Any]:
    """Return level, points, full points, factor, least and most of one criterion."""
    points = {level["id"]: Decimal(level["points"]) for level in CRITERIA[criterion]["levels"]}
    levels_possible = possible_levels(criterion, answers)
    truths = discounts(criterion, answers)
    sure = min([Decimal(1), *(factor for factor, holds in truths if holds is True)])
    feared = min([Decimal(1), *(factor for factor, holds in truths if holds is not False)])
    level = next(iter(levels_possible)) if len(levels_possible) == 1 else None
    full = None if level is None else points[level]
    return {
        "level": level,
        "full_points": full,
        "points": None if full is None else _discounted(full, sure),
        "factor": sure if full is not None and full > 0 and sure < 1 else None,
        "least": min(_discounted(points[name], feared) for name in levels_possible),
        "most": max(_discounted(points[name], sure) for name in levels_possible),
        "open": level is None or any(holds is None for _, holds in truths),
    }


def _discounted(points: Decimal, factor: Decimal) -> Decimal:
    return points * factor if points > 0 else points


def add_up(points: Mapping[str, Decimal]) -> dict[str, Any]:
    """Return sums, domain points after clamp and gate, and both totals."""
    sums = dict.fromkeys(DOMAINS, ZERO)
    for criterion, criterion_points in points.items():
        sums[CRITERIA[criterion]["domain"]] += criterion_points
    values_derived = {
        name: max(Decimal(domain["floor"]), min(Decimal(domain["ceiling"]), sums[name]))
        for name, domain in DOMAINS.items()
    }
    if sum(values_derived[name] for name in GATE_NEEDS) < 3:
        values_derived["psychosocial"] = ZERO
    contribution = sum((values_derived[name] for name in CONTRIBUTION), ZERO)
    other_points = (
        values_derived["workup"] + values_derived["nociceptive"] + values_derived["neuropathic"]
    )
    return {
        "sums": sums,
        "domains": values_derived,
        "contribution": contribution,
        "predominance": contribution + other_points,
    }


# The scale.


def band_of(points: Decimal) -> str:
    if points <= -4:
        return "points_away"
    if points < 2:
        return "little"
    if points < 6:
        return "some"
    return "many" if points < 11 else "strong"


def band_given(sums: Mapping[str, Any], answers: Answers) -> str:
    band = band_of(sums["predominance"])
    features = all(sums["domains"][name] > 0 for name in GATE_NEEDS)
    assessed = answers.get("physical_explanation") in ("none_found", "partly")
    return "many" if band == "strong" and not (features and assessed) else band


def ledgers(sums: Mapping[str, Any], answers: Answers) -> dict[str, Decimal]:
    share = max(ZERO, -sums["domains"]["workup"])
    kind = answers.get("physical_explanation_kind")
    part = {
        "nociceptive": (share, ZERO),
        "neuropathic": (ZERO, share),
        "both": (share / 2, share / 2),
    }.get(kind, (ZERO, ZERO))
    return {
        "nociplastic": sums["contribution"],
        "nociceptive": part[0] - sums["domains"]["nociceptive"],
        "neuropathic": part[1] - sums["domains"]["neuropathic"],
    }


def picture_of(led: Mapping[str, Decimal]) -> str:
    contribution, tissue, nerve = led["nociplastic"], led["nociceptive"], led["neuropathic"]
    if contribution >= 2 and max(tissue, nerve) >= 4:
        return "mixed"
    if contribution >= 6 and max(tissue, nerve) < 4:
        return "nociplastic"
    if contribution < 2 and tissue >= 4 and tissue > nerve:
        return "nociceptive"
    if contribution < 2 and nerve >= 4 and nerve > tissue:
        return "neuropathic"
    return "undetermined"


# Safety and scope.


def flags(answers: Answers) -> dict[str, str]:
    """Return every flag raised, with its tier."""
    flags_raised = {
        flag["id"]: flag["tier"]
        for flag in TABLE["flag"]
        if flag["id"] in (answers.get(flag["question"]) or ())
    }
    age, sites = answers.get("age_years"), set(answers.get("pain_sites") or ())
    stiff = answers.get("morning_stiffness_over_30_min") is True
    diagnoses = answers.get("diagnoses")
    back = {"lower_back", "upper_back", "hip_left", "hip_right", "pelvis"}
    girdles = ({"shoulder_left", "shoulder_right"}, {"hip_left", "hip_right"})
    if stiff and age is not None and age < 45 and sites & back:
        flags_raised["inflammatory_back_pain"] = "T3"
    if answers.get("active_inflammation") is True and diagnoses is not None:  # noqa: SIM102
        if not INFLAMMATORY & set(diagnoses):
            flags_raised["possible_early_arthritis"] = "T2"
    if stiff and age is not None and age >= 50 and answers.get("pain_symmetric") is True:  # noqa: SIM102
        if any(girdle <= sites for girdle in girdles):
            flags_raised["possible_polymyalgia"] = "T2"
    if (answers.get("phq9_item9") or 0) >= 1:
        flags_raised["phq9_item9_positive"] = "T1"
    if answers.get("sensory_or_motor_loss") is True:
        flags_raised["neurological_deficit"] = "T3"
    if {"fracture", "cord_signal_change"} & set(answers.get("imaging_findings") or ()):
        flags_raised["serious_imaging_finding"] = "T2"
    if "statin" in (answers.get("medicines") or ()) and (derived(answers)["regions"] or 0) >= 4:
        flags_raised["statin_with_widespread_pain"] = "T3"
    return flags_raised


def scope_reasons(answers: Answers) -> list[str]:
    age, months = answers.get("age_years"), answers.get("pain_duration_months")
    reasons = {
        "under_18": age is not None and age < 18,
        "under_3_months": months is not None and months < 3,
        "pregnant": answers.get("pregnant") is True,
        "recent_surgery": answers.get("surgery_within_3_months") is True,
        "active_cancer": "active_cancer" in (answers.get("diagnoses") or ()),
        "cannot_self_report": answers.get("cannot_self_report") is True,
    }
    return [name for name, applies in reasons.items() if applies]


# Gradings and patterns.


def iasp_2021(answers: Answers) -> str:
    months, sites = answers.get("pain_duration_months"), answers.get("pain_sites")
    extent, cause = answers.get("pain_extent"), answers.get("physical_explanation")
    evoked = answers.get("evoked_on_examination")
    if months is not None and months < 3:
        return "not_applicable"
    if sites and set(sites) <= {"head", "face", "chest", "abdomen"}:
        return "not_applicable"
    if extent == "spot" or cause == "fully" or (evoked is not None and not evoked):
        return "criteria_not_met"
    if months is None or extent is None or cause in (None, "not_assessed"):
        return "not_gradable_missing"
    if evoked is None:
        return "not_gradable_exam_required"
    comorbid = answers.get("sensory_sensitivity") or any(
        answers.get(name) is True for name in ("sleep_broken", "fatigue", "concentration_problems")
    )
    return "probable" if answers.get("hypersensitive_to") and comorbid else "possible"


def neupsig(answers: Answers) -> str:
    lesion, loss = answers.get("nerve_lesion_in_territory"), answers.get("sensory_or_motor_loss")
    if lesion is None:
        return "unknown"
    if lesion is False:
        return "none"
    return "probable" if loss is True else "possible"


def acr_2016(answers: Answers) -> str:
    return {True: "met", False: "not_met", None: "unknown"}[acr2016_met(answers)]


def patterns(answers: Answers) -> dict[int, str]:
    values_derived = derived(answers)
    cause = answers.get("physical_explanation")
    parts: dict[int, list[bool | None]] = {
        1: [answers.get("onset_during_stress")],
        2: [_if_known(answers.get("onset_injury"), lambda it: it in ("none", "healed"))],
        3: [
            _if_known(values_derived["regions"], lambda n: n >= 2),
            _if_known(answers.get("overlapping_conditions"), bool),
        ],
        4: [answers.get("pain_inconsistent")],
        5: [answers.get("pain_moves_or_spreads")],
        6: [answers.get("worse_with_stress")],
        7: [answers.get("nonphysical_triggers"), answers.get("better_when_absorbed")],
        8: [answers.get("pain_symmetric")],
        9: [answers.get("delayed_after_activity")],
        10: [_if_known(answers.get("ace_count"), lambda n: n >= 1)],
        11: [
            _if_known(answers.get("traits"), bool),
            _either(
                _if_known(values_derived["gad2"], lambda n: n >= 3),
                _if_known(answers.get("gad7_total"), lambda n: n >= 10),
            ),
        ],
        12: [answers.get("worry_means_damage")],
        13: [None if cause in (None, "not_assessed") else cause == "none_found"],
    }
    return {number: _pattern_state(truths) for number, truths in parts.items()}


def _if_known(known_value: Any, claim: Callable[[Any], bool]) -> bool | None:
    return None if known_value is None else bool(claim(known_value))


def _either(first: bool | None, second: bool | None) -> bool | None:
    if first or second:
        return True
    return None if first is None or second is None else False


def _pattern_state(parts: list[bool | None]) -> str:
    if any(part is True for part in parts):
        return "seen"
    return "not_seen" if all(part is False for part in parts) else "not_asked"


# Everything together.


def missing(answers: Answers) -> list[tuple[str, Decimal]]:
    swings = dict.fromkeys(QUESTIONS, ZERO)
    for criterion in CRITERIA:
        weighed_criteria = weigh(criterion, answers)
        if weighed_criteria["open"]:
            for name in questions_behind(criterion):
                swings[name] += weighed_criteria["most"] - weighed_criteria["least"]
    absent = [name for name in QUESTIONS if answers.get(name) is None and name not in OPTIONAL]
    first = [name for name in absent if name in MUST_ANSWER]
    then = [name for name in absent if name not in MUST_ANSWER and swings[name] > 0]
    then.sort(key=lambda name: -swings[name])
    return [(name, swings[name]) for name in first + then]


def status(answers: Answers, least: Decimal, most: Decimal) -> str:
    withholding = {name for name, tier in flags(answers).items() if tier in ("T0", "T1")}
    if withholding - PERSONAL:
        return "withheld_red_flag"
    if scope_reasons(answers):
        return "out_of_scope"
    apart = BANDS.index(band_of(most)) - BANDS.index(band_of(least))
    if any(answers.get(name) is None for name in MUST_ANSWER) or apart > 2:
        return "insufficient_information"
    return "scored"


def judge(answers: Answers) -> dict[str, Any]:
    """Return all that the specification demands for these answers."""
    weighed_criteria = {criterion: weigh(criterion, answers) for criterion in CRITERIA}
    now = add_up({name: result["points"] or ZERO for name, result in weighed_criteria.items()})
    least = add_up({name: result["least"] for name, result in weighed_criteria.items()})
    most = add_up({name: result["most"] for name, result in weighed_criteria.items()})
    status_name = status(answers, least["predominance"], most["predominance"])
    led = ledgers(now, answers)
    what_if = {}
    for name, result in weighed_criteria.items():
        if result["points"]:
            other_points = {
                criterion: other_result["points"] or ZERO
                for criterion, other_result in weighed_criteria.items()
                if criterion != name
            }
            sums_without = add_up(other_points)
            what_if[name] = (
                sums_without["predominance"],
                band_given(sums_without, answers) if status_name == "scored" else None,
            )
    return {
        "status": status_name,
        "criteria": weighed_criteria,
        "now": now,
        "least": least,
        "most": most,
        "band": band_given(now, answers) if status_name == "scored" else None,
        "picture": picture_of(led) if status_name == "scored" else None,
        "ledgers": led,
        "what_if": what_if,
        "missing": missing(answers),
        "flags": flags(answers),
        "scope": scope_reasons(answers),
        "derived": derived(answers),
        "iasp_2021": iasp_2021(answers),
        "neupsig": neupsig(answers),
        "acr_2016": acr_2016(answers),
        "patterns": patterns(answers),
    }
