"""Divide a long answer form into parts of a few topics, each small enough for one page.

A part is shown with the answers to the other parts as hidden fields, so that any part can be saved.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from api.forms.answer_parser import ControlState
from api.forms.form_model import SKIPPED, UNKNOWN, YEARS_SUFFIX, FormStep

MAX_OPTIONS = 120
"""How many options a part may have, unless a single topic has more."""
FOR_CLINICIANS = "clinician"
"""Stands for the first topic for clinicians where a topic is named."""


class FormTopic(NamedTuple):
    """A topic of the form with the state of its controls; `number` counts from 1."""

    number: int
    step: FormStep
    control_state: ControlState

    @property
    def answer_count(self) -> int:
        """How many of its questions are answered."""
        open_values = {UNKNOWN, SKIPPED}
        selections = [
            values
            for values in self.control_state.selected_options.values()
            if values and not values & open_values
        ]
        entered_names = {
            name.removesuffix(YEARS_SUFFIX)
            for name, text in self.control_state.entered_text.items()
            if text
        }
        return len(selections) + len(entered_names)

    def is_faulty(self, faults: Collection[str]) -> bool:
        """Return whether one of its questions has a fault."""
        return any(question.name in faults for question in self.step.questions)


class FormPart(NamedTuple):
    """The topics shown, those before and those after them."""

    before: Sequence[FormTopic]
    topics: Sequence[FormTopic]
    after: Sequence[FormTopic]

    @property
    def all_topics(self) -> tuple[FormTopic, ...]:
        """The topics of all parts."""
        return (*self.before, *self.topics, *self.after)

    @property
    def hidden_fields(self) -> list[tuple[str, str]]:
        """The names and values of the fields of the topics that are not shown."""
        return [
            field
            for topic in (*self.before, *self.after)
            for field in _list_fields(topic.control_state)
        ]

    @property
    def question_names(self) -> frozenset[str]:
        """The names of the questions that are shown."""
        return frozenset(
            question.name for topic in self.topics for question in topic.step.questions
        )


def select_part(
    topics: Sequence[FormTopic], faults: Mapping[str, str], topic_name: str
) -> FormPart:
    """Return the part with the first fault, else with this topic, else the first one."""
    parts = _divide(topics)
    faulty = next((topic for topic in topics if topic.is_faulty(faults)), None)
    target = faulty or _find_topic(topics, topic_name)
    place = next((n for n, part in enumerate(parts) if target in part), 0)
    before = [topic for part in parts[:place] for topic in part]
    return FormPart(before, parts[place], [it for part in parts[place + 1 :] for it in part])


def _find_topic(topics: Sequence[FormTopic], topic_name: str) -> FormTopic | None:
    if topic_name == FOR_CLINICIANS:
        return next((topic for topic in topics if topic.step.for_clinician), None)
    return next((topic for topic in topics if str(topic.number) == topic_name), None)


def _divide(topics: Sequence[FormTopic]) -> list[list[FormTopic]]:
    """Return the topics in parts; what only clinicians answer begins a new one."""
    parts: list[list[FormTopic]] = []
    size = 0
    for topic in topics:
        options = sum(len(question.choices) for question in topic.step.questions)
        begins_clinician = (
            bool(parts) and topic.step.for_clinician > parts[-1][0].step.for_clinician
        )
        if not parts or size + options > MAX_OPTIONS or begins_clinician:
            parts.append([])
            size = 0
        parts[-1].append(topic)
        size += options
    return parts or [[]]


def _list_fields(control_state: ControlState) -> Iterator[tuple[str, str]]:
    for name, values in control_state.selected_options.items():
        yield from ((name, value) for value in sorted(values))
    yield from ((name, text) for name, text in control_state.entered_text.items() if text)
