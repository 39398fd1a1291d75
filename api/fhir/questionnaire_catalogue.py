"""Lists the questionnaires: one for clinicians and one for patients per released rulebook."""

from typing import NamedTuple

from api.fhir.elements import CanonicalUrls
from schemas.rulebooks.rulebook import Question, Topic
from scoring.catalogue import Catalogue, CatalogueEntry
from scoring.compiled_rulebook import LoadedRulebook

PATIENT_SUFFIX = "-patient"


class QuestionnaireForm(NamedTuple):
    """One questionnaire; the patients' form omits weights, totals and clinicians' questions."""

    loaded: LoadedRulebook
    entry: CatalogueEntry
    for_patient: bool
    urls: CanonicalUrls

    @property
    def id(self) -> str:
        """The logical id, shared by all versions."""
        return derive_form_id(self.entry.instrument, for_patient=self.for_patient)

    @property
    def url(self) -> str:
        """The canonical URL without the version."""
        return self.urls.questionnaire_url(self.id)

    @property
    def canonical(self) -> str:
        """The canonical URL with the version."""
        return f"{self.url}|{self.entry.version}"

    def is_named_by(self, url: str) -> bool:
        """Return whether a URL without a version names this form.

        It may be the canonical one, under an address of the service, or relative, and may end with
        a slash.
        """
        path = f"Questionnaire/{self.id}"
        url = self.urls.resolve_alias(url.removesuffix("/"))
        return url in (self.url, f"/fhir/{path}", path)

    @property
    def totals(self) -> tuple[str, ...]:
        """The link ids of the totals, which are computed and never asked."""
        if self.for_patient:
            return ()
        return tuple(total_link_id(total.id) for total in self.loaded.rulebook.total)

    def questions_by_topic(self) -> list[tuple[Topic, list[Question]]]:
        """Return the questions by topic, in order; topics without questions are left out."""
        included = [
            question
            for question in self.loaded.rulebook.question
            if not (self.for_patient and question.who == "clinician")
        ]
        by_topic = [
            (topic, [question for question in included if question.topic == topic.id])
            for topic in self.loaded.rulebook.topic
        ]
        return [(topic, questions) for topic, questions in by_topic if questions]


def derive_form_id(instrument: str, *, for_patient: bool = False) -> str:
    """Return the logical id of an instrument's questionnaire."""
    return instrument.replace("_", "-") + (PATIENT_SUFFIX if for_patient else "")


def topic_link_id(topic: str) -> str:
    """Return the link id of a topic; it cannot clash, since no question id has a dot."""
    return f"topic.{topic}"


def total_link_id(total: str) -> str:
    """Return the link id of a total."""
    return f"total.{total}"


def list_questionnaire_forms(catalogue: Catalogue, urls: CanonicalUrls) -> list[QuestionnaireForm]:
    """Return the questionnaires of all active and retired rulebooks, in index order."""
    return [
        QuestionnaireForm(catalogue.find_version(entry.name), entry, for_patient, urls)
        for entry in catalogue.entries
        if entry.status != "draft"
        for for_patient in (False, True)
    ]


def find_named_form(forms: list[QuestionnaireForm], canonical: str) -> QuestionnaireForm | None:
    """Return the form that a canonical URL names, or None.

    A URL without a version names the newest active one.
    """
    url, _, version = canonical.partition("|")
    versions = [form for form in forms if form.is_named_by(url)]
    if not version:
        return find_newest_form([form for form in versions if form.entry.status == "active"])
    return next((form for form in versions if form.entry.version == version), None)


def find_newest_form(candidates: list[QuestionnaireForm]) -> QuestionnaireForm | None:
    """Return the newest active form, or the newest if none is active; None for an empty list."""
    return max(
        candidates,
        key=lambda form: (form.entry.status == "active", form.entry.rulebook_name.version_numbers),
        default=None,
    )
