"""Screenings as patients sent them, for the pages of the desk: a trend of three, and red flags."""

import json
from copy import deepcopy
from typing import Any

from support.builders import load_example

_TREND_SITES = [
    "neck", "upper_back", "lower_back", "shoulder_left", "shoulder_right", "hip_left", "hip_right",
    "upper_leg_left", "upper_leg_right",
]  # fmt: skip
_RED_FLAG_GROUPS = (
    "rf_spine_and_nerves", "rf_head_and_face", "rf_chest_and_abdomen", "rf_limbs_and_joints",
    "rf_general", "rf_personal_safety",
)  # fmt: skip
FLAGS_BY_TIER = ["saddle_numbness", "unsafe_at_home", "new_or_changed_symptom"]
PEG_SCORES = ["8.3", "6.7", "3.7"]
_PEG_ITEMS = ((8, 8, 9), (6, 7, 7), (3, 4, 4))
_TREND_DAYS = ("2026-05-10", "2026-08-12", "2026-11-20")


def build_trend(reference: str = "MRN-0042") -> list[dict[str, Any]]:
    """Return three intakes of one patient, whose pain spreads less and limits less each time."""
    intakes = []
    for place, (day, items) in enumerate(zip(_TREND_DAYS, _PEG_ITEMS, strict=True)):
        intake = deepcopy(load_example("widespread_pain"))
        intake |= {"answered_on": day, "patient": {"reference": reference, "name": "Ada Example"}}
        intake["answers"] |= {
            "rf_general": [],
            "pain_sites": _TREND_SITES[: 9 - 3 * place],
            "peg_pain": items[0],
            "peg_enjoyment": items[1],
            "peg_activity": items[2],
        }
        intakes.append(intake)
    return intakes


def build_flagged(reference: str = "FLAG-0001") -> dict[str, Any]:
    """Return an intake with three red flags, which are stored in another order than by tier."""
    answers: dict[str, Any] = {name: [] for name in _RED_FLAG_GROUPS}
    answers |= {"age_years": 44, "pain_duration_months": 60, "diagnoses": []}
    answers |= {
        "rf_spine_and_nerves": ["saddle_numbness"],
        "rf_general": ["new_or_changed_symptom"],
        "rf_personal_safety": ["unsafe_at_home"],
    }
    return {
        "rulebook": "nociplastic@1.0.0",
        "patient": {"reference": reference},
        "answered_by": "patient",
        "answers": answers,
    }


def build_patient_only() -> dict[str, Any]:
    """Return an intake in which the patient answered everything, and no clinician anything."""
    return {
        "rulebook": "nociplastic@1.0.0",
        "patient": {"reference": "PAT-0001"},
        "answered_by": "patient",
        "answers": json.loads(_PATIENT_ANSWERS),
    }


_PATIENT_ANSWERS = """
{"age_years": 52, "pain_duration_months": 36, "pregnant": false, "surgery_within_3_months":
false, "pain_sites": ["shoulder_left", "shoulder_right", "hip_left", "hip_right", "neck",
"upper_back", "lower_back"], "pain_extent": "large_area", "pain_symmetric": true,
"pain_moves_or_spreads": true, "hypersensitive_to": ["touch", "pressure"],
"sensory_sensitivity": ["sound", "light"], "sleep_broken": true, "fatigue": true,
"concentration_problems": true, "overlapping_conditions": ["irritable_bowel",
"temporomandibular_disorder"], "sss_fatigue": 2, "sss_unrefreshed": 2, "sss_cognition": 2,
"sss_headache": true, "sss_abdominal": true, "sss_depression": true, "pain_inconsistent": true,
"worse_with_stress": true, "nonphysical_triggers": true, "better_when_absorbed": true,
"delayed_after_activity": true, "onset_during_stress": true, "onset_injury": "not_healed",
"phq4_nervous": 2, "phq4_worrying": 2, "phq4_interest": 2, "phq4_down": 2, "worry_means_damage":
true, "traits": ["self_criticism", "pressure"], "mechanical_provocation": false,
"morning_stiffness_over_30_min": false, "lasting_local_relief": false,
"nerve_lesion_in_territory": false, "nerve_descriptors": [], "diagnoses": [], "medicines": [],
"rf_spine_and_nerves": [], "rf_head_and_face": [], "rf_chest_and_abdomen": [],
"rf_limbs_and_joints": [], "rf_general": [], "rf_personal_safety": [], "peg_pain": 2,
"peg_enjoyment": 2, "peg_activity": 2}
"""
