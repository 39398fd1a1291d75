"""The form: a rulebook in, the steps out in which one kind of person is asked, one topic each.

Questions and options are named by their places (`q3`, `o1`), so that no page tells what a rulebook
calls them: an id can say what is suspected.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from api.forms.layout import Layout, layout_of
from schemas.rulebook import Question, Rulebook, Topic
from scoring.compiled_rulebook import LoadedRulebook
from scoring.translations import in_language

Who = Literal["patient", "clinician"]
Control = Literal["one", "scale", "several", "number"]
YES, NO, NONE, UNKNOWN, SKIPPED = "yes", "no", "none", "unknown", "skipped"
LONGEST_SCALE = 11


class Choice(NamedTuple):
    """One thing that can be marked: as it is sent, as it is read, as it is kept."""

    value: str
    label: str
    answer: str | bool | int


class Asked(NamedTuple):
    """One question as it stands on a page. `unsure`: needed, and not to know is an answer too."""

    id: str
    name: str
    control: Control
    text: str
    help: str | None
    choices: tuple[Choice, ...]
    ends: tuple[str, str] | None
    least: int | None
    most: int | None
    whole: bool
    needed: bool
    unsure: bool
    body_map: bool
    unspoken: bool
    attribution: str | None


class Step(NamedTuple):
    """What is asked on one page. `consent` asks whether the next step may be asked at all."""

    heading: str
    intro: str | None
    asked: tuple[Asked, ...]
    for_clinician: bool = False
    consent: bool = False


class Form(NamedTuple):
    """All steps, in their order, and the language that they are in."""

    rulebook: str
    language: str
    steps: tuple[Step, ...]

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Every question of every step."""
        return tuple(each for step in self.steps for each in step.asked)


class Wish(NamedTuple):
    """For whom a form is, in which language, and whether adversity is asked.

    `adversity`: None asks for consent first; True and False are what was answered to that.
    """

    who: Who = "patient"
    language: str = "en"
    adversity_asked: bool = True
    adversity: bool | None = None


def form_of(loaded: LoadedRulebook, wish: Wish) -> Form:
    """The form of a rulebook. A language that it has no translation for is asked in English."""
    book = in_language(loaded, wish.language)
    language = wish.language if book is not None else "en"
    book = book or loaded.rulebook
    layout = layout_of(book.rulebook.instrument)
    maker = _Maker(book, layout, wish._replace(language=language))
    steps = maker.for_clinicians() if wish.who == "clinician" else maker.for_patients()
    return Form(loaded.name, language, tuple(steps))


class _Maker:
    """Brings topics, questions and layout together."""

    def __init__(self, book: Rulebook, layout: Layout, wish: Wish) -> None:
        self._book, self._layout, self._wish = book, layout, wish
        self._places = {each.id: place for place, each in enumerate(book.question)}
        places = {name: place for place, name in enumerate(layout.first)}
        self._topics = sorted(book.topic, key=lambda topic: places.get(topic.id, len(places)))

    def for_patients(self) -> Iterable[Step]:
        """What a patient can know; adversity at the end, by a consent of its own."""
        apart = set(self._layout.adversity)
        for topic in self._topics:
            asked = [each for each in self._of(topic) if self._is_patients(each)]
            yield from self._step(topic, [each for each in asked if each.id not in apart])
        sensitive = [each for each in self._book.question if each.id in apart]
        if sensitive and self._wish.adversity_asked:
            yield Step("", None, (), consent=True)
            if self._wish.adversity:
                yield Step("", None, tuple(map(self._asked, sensitive)))

    def for_clinicians(self) -> Iterable[Step]:
        """Everything, first what patients can know, then what clinicians alone can."""
        for clinicians in (False, True):
            for topic in self._book.topic:
                asked = [
                    each
                    for each in self._of(topic)
                    if self._is_patients(each) != clinicians
                    and (self._wish.adversity_asked or each.id not in self._layout.adversity)
                ]
                for step in self._step(topic, asked):
                    yield step._replace(for_clinician=clinicians)

    def _of(self, topic: Topic) -> list[Question]:
        return [each for each in self._book.question if each.topic == topic.id]

    def _is_patients(self, question: Question) -> bool:
        return question.who != "clinician" and question.id not in self._layout.for_clinician

    def _step(self, topic: Topic, asked: list[Question]) -> Iterable[Step]:
        if not asked:
            return
        own = self._wish.who == "patient"
        heading = self._layout.heading.get(topic.id, {}) if own else {}
        intro = self._layout.intro.get(topic.id, {}) if own else {}
        yield Step(
            heading.get(self._wish.language, topic.label),
            intro.get(self._wish.language, topic.intro),
            tuple(map(self._asked, asked)),
        )

    def _asked(self, question: Question) -> Asked:
        place = self._places[question.id]
        labels = scale_labels(question)
        ends = None if labels else scale_ends(question)
        needed = (
            self._wish.who == "patient"
            and question.id in self._book.rulebook.must_answer
            and question.id not in self._layout.may_be_left
        )
        return Asked(
            id=question.id,
            name=f"q{place}",
            control=_control(question, labels),
            text=self._text(question),
            help=_before_labels(question.help)
            if labels
            else None
            if ends
            else self._help(question),
            choices=tuple(_choices(self._book, question, labels)),
            ends=ends,
            least=None if question.minimum is None else int(question.minimum),
            most=None if question.maximum is None else int(question.maximum),
            whole=question.kind == "integer",
            needed=needed,
            unsure=needed and question.id in self._layout.may_be_unsure,
            unspoken=self._wish.who == "patient" and question.id in self._layout.unspoken,
            body_map=question.id == self._layout.body_map,
            attribution=question.attribution,
        )

    def _help(self, question: Question) -> str | None:
        """What is said beside it; of either kind of person, where the layout says it otherwise."""
        own = self._layout.help.get(question.id, {})
        return own.get(self._wish.language, question.help)

    def _text(self, question: Question) -> str:
        """What is asked; where others of its topic ask in the same words, with its label."""
        same = [each for each in self._book.question if each.text == question.text]
        if any(each.topic == question.topic for each in same if each is not question):
            return f"{question.label}. {question.text}"
        return question.text


def scale_labels(question: Question) -> list[str] | None:
    """What each number means, where the help says it of all: `0 never, 1 sometimes, 2 often.`"""
    if not _is_scale(question) or question.help is None:
        return None
    parts = question.help.rpartition(":")[2].strip().rstrip(".").split(", ")
    numbers = range(int(question.minimum or 0), int(question.maximum or 0) + 1)
    if len(parts) != len(numbers):
        return None
    found = [re.fullmatch(rf"{n} (.+)", part) for n, part in zip(numbers, parts, strict=True)]
    return [each[1] for each in found if each] if all(found) else None


def scale_ends(question: Question) -> tuple[str, str] | None:
    """What the least and the most mean, where the help says only that: `0 none to 10 worst.`"""
    if not _is_scale(question) or question.help is None:
        return None
    least, most = int(question.minimum or 0), int(question.maximum or 0)
    found = re.fullmatch(rf"{least} (.+) \S+ {most} (.+?)\.?", question.help)
    return (found[1], found[2]) if found else None


def _before_labels(text: str | None) -> str | None:
    start, colon, _ = (text or "").rpartition(":")
    return f"{start}." if colon else None


def _is_scale(question: Question) -> bool:
    if question.kind != "integer":
        return False
    return int(question.maximum or 0) - int(question.minimum or 0) < LONGEST_SCALE


def _control(question: Question, labels: list[str] | None) -> Control:
    match question.kind:
        case "multi":
            return "several"
        case "boolean" | "choice":
            return "one"
        case _:
            if not _is_scale(question):
                return "number"
            return "one" if labels else "scale"


def _choices(book: Rulebook, question: Question, labels: list[str] | None) -> Iterable[Choice]:
    if question.kind == "boolean":
        yield Choice(YES, _started(book.wording.truth_true), True)
        yield Choice(NO, _started(book.wording.truth_false), False)
    elif question.options:
        for place, option in enumerate(question.options):
            yield Choice(f"o{place}", _started(option.label), option.id)
    elif _is_scale(question):
        least = int(question.minimum or 0)
        for number in range(least, int(question.maximum or 0) + 1):
            label = _started(labels[number - least]) if labels else str(number)
            yield Choice(f"n{number}", label, number)


def _started(label: str) -> str:
    return label[:1].upper() + label[1:]
