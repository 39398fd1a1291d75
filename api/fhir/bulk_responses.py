"""Reads the lines of a FHIR Bulk Data export of QuestionnaireResponses as intakes."""

from functools import lru_cache
from typing import Any

from api.fhir.elements import CanonicalUrls
from api.fhir.parsing.response_to_intake import parse_response
from api.fhir.questionnaire_catalogue import QuestionnaireForm, list_questionnaire_forms
from api.fhir.resources.operation_outcome import InvalidResource
from schemas.batches.batch import ANSWERED_ON, PATIENT_REFERENCE, ROW_ID
from scoring.catalogue import Catalogue
from scoring.compiled_rulebook import LoadedRulebook

LineFault = tuple[str | None, str, str]


class ResponseTranslator:
    """Translates responses to the forms of one rulebook, from any server."""

    def __init__(self, catalogue: Catalogue, loaded: LoadedRulebook) -> None:
        self._loaded = loaded
        self._list_forms = lru_cache(maxsize=16)(
            lambda base: list_questionnaire_forms(catalogue, CanonicalUrls(base))
        )

    def __call__(self, resource: dict[str, Any]) -> tuple[dict[str, Any], list[LineFault]]:
        """Return a response as a flat row, or its identifier and its faults."""
        number = resource.get("id")
        identifiers = {ROW_ID: number} if isinstance(number, str) else {}
        try:
            response = parse_response(
                resource, self._find_forms(resource), is_patient_required=False
            )
        except InvalidResource as error:
            return identifiers, [(None, issue.code, issue.text) for issue in error.issues]
        if response.form.loaded.name != self._loaded.name:
            return identifiers, [
                (None, "other_rulebook", f"must be a response to {self._loaded.name}")
            ]
        if response.patient is not None:
            identifiers[PATIENT_REFERENCE] = response.patient.reference
        day = response.context.answered_on
        if day is not None:
            identifiers[ANSWERED_ON] = day.isoformat()
        return response.answers_as_sent | identifiers, []

    def _find_forms(self, resource: dict[str, Any]) -> list[QuestionnaireForm]:
        canonical = resource.get("questionnaire")
        base = canonical.rpartition("/fhir/")[0] if isinstance(canonical, str) else ""
        return self._list_forms(base)
