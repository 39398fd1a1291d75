"""The items of a QuestionnaireResponse as answers to a rulebook: every finding, each by its path.

What a client computed itself is no answer: totals and weights are set aside as claims.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeGuard

from api.fhir.elements import EXTENSION, NONE_OF_THESE, Resource
from api.fhir.questionnaire_catalogue import Form, topic_link
from api.fhir.resources.operation_outcome import Issue
from schemas.base import plain_number
from schemas.rulebook import Question

_ITEM = {"id", "extension", "linkId", "definition", "text", "answer", "item"}
_ANSWER = {"id", "extension", "item"}
_VALUES = {
    "boolean": "valueBoolean",
    "integer": "valueInteger",
    "decimal": "valueDecimal",
    "choice": "valueCoding",
    "multi": "valueCoding",
}
_WEIGHTS = {f"{EXTENSION}/ordinalValue", f"{EXTENSION}/itemWeight"}


class Claim(NamedTuple):
    """A number that the client computed: of a total, or the weight of an answer."""

    total: str | None
    question: str | None
    value: Decimal
    path: str


class Answered(NamedTuple):
    """What the items say."""

    answers: dict[str, Any]
    claims: list[Claim]
    issues: list[Issue]


class _Reader:
    """Reads the items of one response to one form; gathers what it finds."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._groups = {topic_link(topic.id): questions for topic, questions in form.topics()}
        self._group_of = {
            question.id: link for link, questions in self._groups.items() for question in questions
        }
        self.told = Answered({}, [], [])

    def read(self, items: Any) -> Answered:
        """All that the items of the response say."""
        known = [*self._groups, *self._form.totals]
        for link, item, path in self._linked(items, "QuestionnaireResponse.item", known):
            if link in self._groups:
                self._group(link, item, path)
            else:
                self._total(link.removeprefix("total."), item, path)
        return self.told

    def refuse(self, code: str, text: str, path: str) -> None:
        """Note one finding."""
        self.told.issues.append(Issue(code, text, path))

    def _linked(
        self, items: Any, here: str, known: list[str]
    ) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        """Each item whose link id belongs here, once and in order; what is wrong is noted."""
        seen: list[str] = []
        for place, item in enumerate(self._listed(items, here)):
            path = f"{here}[{place}]"
            if not isinstance(item, dict) or not item:
                self.refuse("structure", "must be an item with a linkId", path)
                continue
            self._only(item, _ITEM, path)
            link = item.get("linkId")
            if link not in known:
                self._misplaced(link, path)
            elif link in seen:
                self.refuse("duplicate", f"'{link}' is here a second time", path)
            else:
                if seen and known.index(link) < known.index(seen[-1]):
                    self.refuse("invariant", f"'{link}' must come before '{seen[-1]}'", path)
                seen.append(link)
                yield link, item, path

    def _listed(self, items: Any, path: str) -> list[Any]:
        if isinstance(items, list) and items:
            return items
        self.refuse("structure", "must be a list that is not empty", path)
        return []

    def _misplaced(self, link: Any, path: str) -> None:
        place = f"{path}.linkId"
        if isinstance(link, str) and link in self._group_of:
            self.refuse("invariant", f"'{link}' belongs into '{self._group_of[link]}'", place)
        elif isinstance(link, str) and link in self._form.loaded.questions:
            self.refuse("business-rule", f"'{link}' is not asked by this questionnaire", place)
        else:
            self.refuse("not-found", "the questionnaire has no item of this linkId here", place)

    def _only(self, element: Mapping[str, Any], names: set[str], path: str) -> None:
        """Refuse what the element must not hold, and what is there without a value."""
        for name, value in element.items():
            if name.removeprefix("_") not in names:
                self.refuse("structure", "holds an element that is not known here", path)
            elif value in (None, "", [], {}):
                self.refuse("structure", "holds an element without a value", path)

    def _group(self, link: str, group: Mapping[str, Any], path: str) -> None:
        if "answer" in group:
            self.refuse("structure", f"'{link}' is a group and takes no answer", f"{path}.answer")
        if "item" not in group:
            return
        questions = {question.id: question for question in self._groups[link]}
        for name, item, place in self._linked(group["item"], f"{path}.item", list(questions)):
            self._question(questions[name], item, place)

    def _question(self, question: Question, item: Mapping[str, Any], path: str) -> None:
        if "item" in item:
            text = f"'{question.id}' has no items that are answered"
            self.refuse("structure", text, f"{path}.item")
        if "answer" not in item:
            return
        answers = self._listed(item["answer"], f"{path}.answer")
        found = [
            value
            for place, answer in enumerate(answers)
            for value in self._value(question, answer, f"{path}.answer[{place}]")
        ]
        if question.kind == "multi":
            self._several(question, found, f"{path}.answer")
        elif len(answers) > 1:
            self.refuse("structure", f"'{question.id}' takes one answer", f"{path}.answer")
        elif found:
            self.told.answers[question.id] = found[0]

    def _several(self, question: Question, options: list[Any], path: str) -> None:
        if len(set(options)) < len(options):
            self.refuse("duplicate", f"'{question.id}' must name each option once", path)
        elif NONE_OF_THESE in options and len(options) > 1:
            text = f"'{question.id}': '{NONE_OF_THESE}' must stand alone"
            self.refuse("business-rule", text, path)
        else:
            self.told.answers[question.id] = [each for each in options if each != NONE_OF_THESE]

    def _value(self, question: Question, answer: Any, path: str) -> Iterator[Any]:
        """The value of one answer, where it is one of the question."""
        kind = _VALUES[question.kind]
        if not isinstance(answer, dict) or kind not in answer:
            self.refuse("structure", f"'{question.id}' must be answered by a {kind}", path)
            return
        self._only(answer, _ANSWER | {kind}, path)
        self._claimed_weights(question, answer, path)
        value = answer[kind]
        if question.options:
            yield from self._option(question, value, f"{path}.value")
        elif question.kind == "boolean":
            if isinstance(value, bool):
                yield value
            else:
                self.refuse("value", f"'{question.id}' must be true or false", f"{path}.value")
        elif self._is_number(question, value, f"{path}.value"):
            yield value

    def _is_number(self, question: Question, value: Any, path: str) -> bool:
        least, most = question.minimum or Decimal(0), question.maximum or Decimal(0)
        whole = question.kind == "integer"
        number = isinstance(value, int if whole else (int, Decimal)) and not isinstance(value, bool)
        if not number:
            kind = "a whole number" if whole else "a number"
            self.refuse("value", f"'{question.id}' must be {kind}", path)
        elif not least <= value <= most:
            limits = f"from {plain_number(least)} to {plain_number(most)}"
            self.refuse("value", f"'{question.id}' must be {limits}", path)
            return False
        elif value * 100 % 1:
            self.refuse("value", f"'{question.id}' must have at most two decimals", path)
            return False
        return number

    def _option(self, question: Question, coding: Any, path: str) -> Iterator[str]:
        system = self._form.base.options(self._form.entry.instrument, question.id)
        codes = [option.id for option in question.options]
        if question.kind == "multi":
            codes.append(NONE_OF_THESE)
        given = coding if isinstance(coding, dict) else {}
        if given.get("system") == system and given.get("code") in codes:
            yield given["code"]
        else:
            text = f"'{question.id}' must be an option of this question, by system and code"
            self.refuse("code-invalid", text, path)

    def _claimed_weights(self, question: Question, answer: Resource, path: str) -> None:
        coding = answer.get("valueCoding")
        for holder in (answer, coding if isinstance(coding, dict) else {}):
            for extension in _extensions(holder):
                value = extension.get("valueDecimal")
                if str(extension.get("url")) in _WEIGHTS and _is_decimal(value):
                    claim = Claim(None, question.id, Decimal(value), path)
                    self.told.claims.append(claim)

    def _total(self, total: str, item: Mapping[str, Any], path: str) -> None:
        """A total that the client computed; anything but one number is refused."""
        answers = item.get("answer")
        value = answers[0] if isinstance(answers, list) and len(answers) == 1 else None
        number = value.get("valueDecimal") if isinstance(value, dict) else None
        if not _is_decimal(number):
            text = "is computed here: leave it out, or send one valueDecimal to compare"
            self.refuse("structure", text, path)
        else:
            self.told.claims.append(Claim(total, None, Decimal(number), f"{path}.answer[0].value"))


def answered(form: Form, items: Any) -> Answered:
    """The answers in the items of a response to this form, with every finding."""
    return _Reader(form).read(items)


def _extensions(holder: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = holder.get("extension")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _is_decimal(value: Any) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
