"""An intake with its assessment, before it is stored."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.assessments.assessment import Assessment
from schemas.patients.patient import KnownPatient
from schemas.patients.screening import ScreeningContext, ScreeningSource


class ScoredIntake(NamedTuple):
    """A scored intake that is to be stored as a screening."""

    patient: KnownPatient
    context: ScreeningContext
    answers: Mapping[str, Any]
    assessment: Assessment
    means: ScreeningSource = "api"
