"""Build the form of a rulebook: the steps of one audience, one page each.

Questions and options are named by their positions (`q3`, `o1`), so that no page reveals a
rulebook's own ids: an id can say what is suspected.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from api.forms.layout import FormLayout, PageLayout, load_layout
from schemas.rulebooks.rulebook import Question, Rulebook, Topic
from scoring.compiled_rulebook import LoadedRulebook
from scoring.translations import translate_rulebook

Audience = Literal["patient", "clinician"]
ControlKind = Literal["one", "scale", "several", "number", "duration"]
YES, NO, NONE, UNKNOWN, SKIPPED = "yes", "no", "none", "unknown", "skipped"
NOT_CONCERNED = "not_concerned"
YEARS_SUFFIX = "-years"
"""Ends the name of the field for the years of a duration; the other field takes the months."""
MAX_SCALE_STEPS = 11


class QuestionChoice(NamedTuple):
    """One option of a question: its control's value, its label and the answer it stands for."""

    value: str
    label: str
    answer: str | bool | int


class ChoiceGroup(NamedTuple):
    """Choices of a long list under one label, by their positions; the first group has no label.

    `is_folded`: the choices are behind the label. `in_pairs`: left and right are side by side.
    """

    label: str | None
    positions: tuple[int, ...]
    is_folded: bool = False
    in_pairs: bool = False


class FormQuestion(NamedTuple):
    """One question as it appears on a page.

    `may_be_unsure`: an answer is required, and "not sure" counts as one. `confidential`: no page
    shows the answer again. `comes_first`: it comes before those behind "more questions".
    `offers_not_concerned`: those words stand for no. `never_prefilled`: a stored answer is not
    filled in. `within_age`: the question about the age, which these months may not exceed.
    """

    id: str
    name: str
    control: ControlKind
    text: str
    help: str | None
    choices: tuple[QuestionChoice, ...]
    end_labels: tuple[str, str] | None
    minimum: int | None
    maximum: int | None
    integer_only: bool
    required: bool
    may_be_unsure: bool
    has_body_map: bool
    confidential: bool
    attribution: str | None
    comes_first: bool = True
    offers_not_concerned: bool = False
    never_prefilled: bool = False
    groups: tuple[ChoiceGroup, ...] = ()
    within_age: str | None = None

    @property
    def text_names(self) -> tuple[str, ...]:
        """The names of its fields; a duration has one more for the years."""
        years = (self.name + YEARS_SUFFIX,) if self.control == "duration" else ()
        return (self.name, *years)


class FormStep(NamedTuple):
    """The questions of one page.

    `asks_consent` asks whether the next step may be asked at all; `offers_end` offers to send the
    answers so far or to answer the pages that follow.
    """

    heading: str
    intro: str | None
    questions: tuple[FormQuestion, ...]
    for_clinician: bool = False
    asks_consent: bool = False
    offers_end: bool = False

    @property
    def first_questions(self) -> tuple[FormQuestion, ...]:
        """The questions that are shown at once; all of them if none comes first."""
        first = tuple(question for question in self.questions if question.comes_first)
        return first or self.questions

    @property
    def more_questions(self) -> tuple[FormQuestion, ...]:
        """The questions behind "more questions"."""
        return tuple(it for it in self.questions if it not in self.first_questions)


class IntakeForm(NamedTuple):
    """All steps of a form in order, and their language."""

    rulebook: str
    language: str
    steps: tuple[FormStep, ...]

    @property
    def questions(self) -> tuple[FormQuestion, ...]:
        """The questions of all steps."""
        return tuple(question for step in self.steps for question in step.questions)


class FormOptions(NamedTuple):
    """The audience and the language of a form, and whether it asks about adversity.

    `adversity`: None asks for consent first; True and False are the patient's reply to that.
    """

    audience: Audience = "patient"
    language: str = "en"
    asks_adversity: bool = True
    adversity_consent: bool | None = None


def build_form(loaded: LoadedRulebook, options: FormOptions) -> IntakeForm:
    """Return the form of a rulebook, in English if it has no translation into the language."""
    book = translate_rulebook(loaded, options.language)
    language = options.language if book is not None else "en"
    book = book or loaded.rulebook
    layout = load_layout(loaded.name)
    builder = _FormBuilder(book, layout, options._replace(language=language))
    is_clinician = options.audience == "clinician"
    steps = builder.build_clinician_steps() if is_clinician else builder.build_patient_steps()
    return IntakeForm(loaded.name, language, tuple(steps))


class _FormBuilder:
    """Combines the topics and questions of a rulebook with a layout."""

    def __init__(self, book: Rulebook, layout: FormLayout, options: FormOptions) -> None:
        self._book, self._layout, self._options = book, layout, options
        self._positions = {question.id: n for n, question in enumerate(book.question)}
        self._has_core = any(question.core for question in book.question)
        first = {topic_id: n for n, topic_id in enumerate(layout.first_topics)}
        self._topics = sorted(
            book.topic,
            key=lambda topic: (first.get(topic.id, len(first)), not self._has_first_one(topic)),
        )

    def build_patient_steps(self) -> Iterable[FormStep]:
        """Yield what a patient can know; adversity comes last, after a consent of its own."""
        adversity = set(self._layout.adversity)
        if self._layout.page:
            yield from self._build_pages()
        for topic in () if self._layout.page else self._topics:
            questions = [q for q in self._find_questions(topic) if self._is_for_patient(q)]
            yield from self._build_step(topic, [q for q in questions if q.id not in adversity])
        sensitive = [question for question in self._book.question if question.id in adversity]
        if sensitive and self._options.asks_adversity:
            yield FormStep("", None, (), asks_consent=True)
            if self._options.adversity_consent:
                yield FormStep("", None, tuple(map(self._build_question, sensitive)))

    def _build_pages(self) -> Iterable[FormStep]:
        questions = {question.id: question for question in self._book.question}
        for page in self._layout.page:
            yield FormStep(
                self._write_heading(page),
                self._write_intro(page),
                tuple(
                    self._build_question(questions[name])._replace(comes_first=True)
                    for name in page.questions
                ),
            )
            if self._layout.offer_after in page.questions:
                yield FormStep("", None, (), offers_end=True)

    def _write_heading(self, page: PageLayout) -> str:
        if page.heading:
            return page.heading[self._options.language]
        topic = next(topic for topic in self._book.topic if topic.id == page.topic)
        headings = self._layout.heading.get(topic.id, {})
        return headings.get(self._options.language, topic.label)

    def _write_intro(self, page: PageLayout) -> str | None:
        intros = page.intro or self._layout.intro.get(page.topic or "", {})
        return intros.get(self._options.language)

    def build_clinician_steps(self) -> Iterable[FormStep]:
        """Yield all questions: first those a patient can answer, then those for clinicians only."""
        for for_clinician in (False, True):
            for topic in self._book.topic:
                questions = [
                    question
                    for question in self._find_questions(topic)
                    if self._is_for_patient(question) != for_clinician
                    and (self._options.asks_adversity or question.id not in self._layout.adversity)
                ]
                for step in self._build_step(topic, questions):
                    yield step._replace(for_clinician=for_clinician)

    def _find_questions(self, topic: Topic) -> list[Question]:
        """Return the questions of a topic: those that must be answered first, then the core."""
        must_answer = self._book.rulebook.must_answer if self._has_core else ()
        return sorted(
            (question for question in self._book.question if question.topic == topic.id),
            key=lambda question: (question.id not in must_answer, not self._comes_first(question)),
        )

    def _comes_first(self, question: Question) -> bool:
        return not self._has_core or question.core or question.id in self._layout.with_core

    def _has_first_one(self, topic: Topic) -> bool:
        return any(
            self._comes_first(question) and self._is_for_patient(question)
            for question in self._book.question
            if question.topic == topic.id
        )

    def _is_for_patient(self, question: Question) -> bool:
        return question.who != "clinician" and question.id not in self._layout.for_clinician

    def _build_step(self, topic: Topic, questions: list[Question]) -> Iterable[FormStep]:
        if not questions:
            return
        is_patient = self._options.audience == "patient"
        headings = self._layout.heading.get(topic.id, {}) if is_patient else {}
        intros = self._layout.intro.get(topic.id, {}) if is_patient else {}
        yield FormStep(
            headings.get(self._options.language, topic.label),
            intros.get(self._options.language, topic.intro),
            tuple(map(self._build_question, questions)),
        )

    def _build_question(self, question: Question) -> FormQuestion:
        labels = parse_scale_labels(question)
        ends = None if labels else parse_scale_ends(question)
        if labels:
            start, colon, _ = (question.help or "").rpartition(":")
            help_text = f"{start}." if colon else None
        else:
            replacements = self._layout.help.get(question.id, {})
            help_text = None if ends else replacements.get(self._options.language, question.help)
        is_patient = self._options.audience == "patient"
        if is_patient and question.id in self._layout.without_help:
            help_text = None
        needed = (
            is_patient
            and question.id in self._book.rulebook.must_answer
            and question.id not in self._layout.may_stay_open
        )
        is_duration = question.id == self._layout.duration
        if is_duration:
            ends = self._layout.duration_units[self._options.language]
        return FormQuestion(
            id=question.id,
            name=f"q{self._positions[question.id]}",
            control="duration" if is_duration else _select_control(question, labels),
            text=self._build_text(question),
            help=help_text,
            choices=self._build_labelled_choices(question, labels),
            end_labels=ends,
            minimum=None if question.minimum is None else int(question.minimum),
            maximum=None if question.maximum is None else int(question.maximum),
            integer_only=question.kind == "integer",
            required=needed,
            may_be_unsure=needed and question.id in self._layout.may_be_unsure,
            confidential=is_patient and question.id in self._layout.confidential,
            has_body_map=question.id == self._layout.body_map,
            attribution=question.attribution,
            comes_first=self._comes_first(question),
            offers_not_concerned=question.offers_not_concerned,
            never_prefilled=question.id == self._book.rulebook.assessed_question,
            groups=self._build_groups(question),
            within_age=self._layout.age if question.id == self._layout.within_age else None,
        )

    def _build_labelled_choices(
        self, question: Question, labels: list[str] | None
    ) -> tuple[QuestionChoice, ...]:
        """Return the choices, in the layout's words for patients where it has some."""
        is_patient = self._options.audience == "patient"
        texts = self._layout.label.get(question.id, {}) if is_patient else {}
        language = self._options.language
        return tuple(
            choice._replace(label=texts.get(str(choice.answer), {}).get(language, choice.label))
            for choice in _build_choices(self._book, question, labels)
        )

    def _build_groups(self, question: Question) -> tuple[ChoiceGroup, ...]:
        positions = {option.id: n for n, option in enumerate(question.options)}
        return tuple(
            ChoiceGroup(
                group.label.get(self._options.language),
                tuple(positions[option] for option in group.options),
                group.folded and self._options.audience == "patient",
                group.pairs,
            )
            for group in self._layout.option_group
            if group.question == question.id
        )

    def _build_text(self, question: Question) -> str:
        """Return the text; prefixed by the label if the topic repeats the same text."""
        texts = self._layout.text.get(question.id)
        if texts and self._options.audience == "patient":
            return texts[self._options.language]
        is_repeated = any(
            sibling.text == question.text and sibling.topic == question.topic
            for sibling in self._book.question
            if sibling is not question
        )
        return f"{question.label}. {question.text}" if is_repeated else question.text


def parse_scale_labels(question: Question) -> list[str] | None:
    """Parse the labels of all numbers from a help text like `0 never, 1 sometimes, 2 often.`"""
    if not _is_scale(question) or question.help is None:
        return None
    parts = question.help.rpartition(":")[2].strip().rstrip(".").split(", ")
    numbers = range(int(question.minimum or 0), int(question.maximum or 0) + 1)
    if len(parts) != len(numbers):
        return None
    matches = [re.fullmatch(rf"{n} (.+)", part) for n, part in zip(numbers, parts, strict=True)]
    return [match[1] for match in matches if match] if all(matches) else None


def parse_scale_ends(question: Question) -> tuple[str, str] | None:
    """Parse the labels of both ends of a scale from a help text like `0 none to 10 worst.`"""
    if not _is_scale(question) or question.help is None:
        return None
    least, most = int(question.minimum or 0), int(question.maximum or 0)
    match = re.fullmatch(rf"{least} (.+) \S+ {most} (.+?)\.?", question.help)
    return (match[1], match[2]) if match else None


def _is_scale(question: Question) -> bool:
    if question.kind != "integer":
        return False
    return int(question.maximum or 0) - int(question.minimum or 0) < MAX_SCALE_STEPS


def _select_control(question: Question, labels: list[str] | None) -> ControlKind:
    match question.kind:
        case "multi":
            return "several"
        case "boolean" | "choice":
            return "one"
        case _:
            if not _is_scale(question):
                return "number"
            return "one" if labels else "scale"


def _build_choices(
    book: Rulebook, question: Question, labels: list[str] | None
) -> Iterable[QuestionChoice]:
    if question.kind == "boolean":
        yield QuestionChoice(YES, _capitalise_first(book.wording.truth_true), True)
        yield QuestionChoice(NO, _capitalise_first(book.wording.truth_false), False)
    elif question.options:
        for position, option in enumerate(question.options):
            yield QuestionChoice(f"o{position}", _capitalise_first(option.label), option.id)
    elif _is_scale(question):
        least = int(question.minimum or 0)
        for number in range(least, int(question.maximum or 0) + 1):
            label = _capitalise_first(labels[number - least]) if labels else str(number)
            yield QuestionChoice(f"n{number}", label, number)


def _capitalise_first(label: str) -> str:
    return label[:1].upper() + label[1:]
