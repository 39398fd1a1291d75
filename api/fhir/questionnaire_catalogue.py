"""The questionnaires there are: each released rulebook version, for clinicians and patients."""

from typing import NamedTuple

from api.fhir.elements import Base
from schemas.rulebook import Question, Topic
from scoring.catalogue import Catalogue, Entry
from scoring.compiled_rulebook import LoadedRulebook

PATIENTS = "-patient"


class Form(NamedTuple):
    """One questionnaire. The patients' leaves out weights, totals and what a clinician answers."""

    loaded: LoadedRulebook
    entry: Entry
    for_patient: bool
    base: Base

    @property
    def id(self) -> str:
        """The logical id, the same for every version."""
        return form_id(self.entry.instrument, for_patient=self.for_patient)

    @property
    def url(self) -> str:
        """The canonical address without the version."""
        return self.base.questionnaire(self.id)

    @property
    def canonical(self) -> str:
        """The canonical address with the version."""
        return f"{self.url}|{self.entry.version}"

    @property
    def totals(self) -> tuple[str, ...]:
        """The link ids of the totals, which are computed and never asked."""
        return () if self.for_patient else tuple(map(total_link, self._total_ids))

    @property
    def _total_ids(self) -> list[str]:
        return [each.id for each in self.loaded.rulebook.total]

    def topics(self) -> list[tuple[Topic, list[Question]]]:
        """What is asked, in order, by topic; no topic is empty."""
        asked = [
            each
            for each in self.loaded.rulebook.question
            if not (self.for_patient and each.who == "clinician")
        ]
        by_topic = [
            (topic, [each for each in asked if each.topic == topic.id])
            for topic in self.loaded.rulebook.topic
        ]
        return [(topic, questions) for topic, questions in by_topic if questions]


def form_id(instrument: str, *, for_patient: bool = False) -> str:
    """The logical id of the questionnaires of an instrument."""
    return instrument.replace("_", "-") + (PATIENTS if for_patient else "")


def topic_link(topic: str) -> str:
    """The link id of a group of questions; no question's id has a dot."""
    return f"topic.{topic}"


def total_link(total: str) -> str:
    """The link id of a total."""
    return f"total.{total}"


def forms(catalogue: Catalogue, base: Base) -> list[Form]:
    """Every questionnaire of a rulebook that is or was in use, in the order of the index."""
    return [
        Form(catalogue.any_status(entry.instrument, entry.version), entry, for_patient, base)
        for entry in catalogue.entries
        if entry.status != "draft"
        for for_patient in (False, True)
    ]


def newest(found: list[Form]) -> Form | None:
    """The newest of these that is in use, or else the newest."""
    return max(
        found, key=lambda each: (each.entry.status == "active", each.entry.order), default=None
    )
