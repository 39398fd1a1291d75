"""Parses the items of a QuestionnaireResponse into answers, claims and issues.

Totals and weights that a client computed are collected as claims; they are never used as answers.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeGuard

from api.fhir.elements import EXTENSION_BASE, NONE_OF_THESE, Resource
from api.fhir.questionnaire_catalogue import QuestionnaireForm, topic_link_id
from api.fhir.resources.operation_outcome import OutcomeIssue, locate_member
from schemas.base import to_json_number
from schemas.rulebooks.rulebook import Question

_ITEM_ELEMENTS = {"id", "extension", "linkId", "definition", "text", "answer", "item"}
_ANSWER_ELEMENTS = {"id", "extension", "item"}
_VALUE_ELEMENTS = {
    "boolean": ("valueBoolean",),
    "integer": ("valueInteger", "valueDecimal"),
    "decimal": ("valueDecimal", "valueInteger"),
    "choice": ("valueCoding", "valueString"),
    "multi": ("valueCoding", "valueString"),
}
"""The elements that can hold an answer of each kind, the one of the questionnaire first."""
_DISPLAY_SUFFIXES = (".help", ".attribution", ".weight")
_WEIGHT_URLS = {f"{EXTENSION_BASE}/ordinalValue", f"{EXTENSION_BASE}/itemWeight"}


class ClientScore(NamedTuple):
    """A number that the client computed: a total, or the weight of an answer."""

    total: str | None
    question: str | None
    value: Decimal
    path: str


class ParsedItems(NamedTuple):
    """The result of parsing the items: answers by question id, claims and issues."""

    answers: dict[str, Any]
    claims: list[ClientScore]
    issues: list[OutcomeIssue]


class _ItemParser:
    """Parses the items of one response to one form, and collects every issue.

    Questions may come in any order, in their group or outside of it: their link ids are unique.
    """

    def __init__(self, form: QuestionnaireForm) -> None:
        self._form = form
        topics = form.questions_by_topic()
        self._groups = {topic_link_id(topic.id) for topic, _ in topics}
        self._questions = {it.id: it for _, questions in topics for it in questions}
        self._parsed_questions: set[str] = set()
        self._result = ParsedItems({}, [], [])

    def parse(self, items: Any) -> ParsedItems:
        """Parse the items at the top of the response."""
        self._parse_list(items, "QuestionnaireResponse.item")
        return self._result

    def _refuse(self, code: str, text: str, path: str) -> None:
        self._result.issues.append(OutcomeIssue(code, text, path))

    def _parse_list(self, items: Any, parent: str) -> None:
        sibling_links = set()
        for index, item in enumerate(self._require_list(items, parent)):
            path = f"{parent}[{index}]"
            if not isinstance(item, dict) or not item:
                self._refuse("structure", "must be an item with a linkId", path)
                continue
            self._check_elements(item, _ITEM_ELEMENTS, path)
            link = item.get("linkId")
            if not isinstance(link, str):
                self._refuse_unknown(link, path)
            elif link in sibling_links:
                self._refuse("duplicate", "a linkId appears twice", path)
            else:
                sibling_links.add(link)
                self._parse_item(link, item, path)

    def _require_list(self, items: Any, path: str) -> list[Any]:
        if isinstance(items, list) and items:
            return items
        self._refuse("structure", "must be a list that is not empty", path)
        return []

    def _parse_item(self, link: str, item: Mapping[str, Any], path: str) -> None:
        if link in self._questions:
            self._parse_question(self._questions[link], item, path)
        elif link in self._form.totals:
            self._parse_total(link.removeprefix("total."), item, path)
        elif link in self._groups or self._is_display(link):
            if "answer" in item:
                self._refuse("structure", f"'{link}' takes no answer", f"{path}.answer")
        else:
            self._refuse_unknown(link, path)
            return
        if "item" in item:
            self._parse_list(item["item"], f"{path}.item")

    def _is_display(self, link: str) -> bool:
        """Return whether an item only shows the help, source or weight of a question."""
        return any(link.removesuffix(suffix) in self._questions for suffix in _DISPLAY_SUFFIXES)

    def _refuse_unknown(self, link: Any, path: str) -> None:
        link_path = f"{path}.linkId"
        if isinstance(link, str) and link in self._form.loaded.questions:
            self._refuse("business-rule", f"'{link}' is not asked by this questionnaire", link_path)
        else:
            self._refuse("not-found", "the questionnaire has no item with this linkId", link_path)

    def _check_elements(self, element: Mapping[str, Any], names: set[str], path: str) -> None:
        """Refuse unknown child elements."""
        for name in element:
            if name.removeprefix("_") not in names:
                text = "is no element of R4, or changes what others mean"
                self._refuse("structure", text, locate_member(path, name))

    def _parse_question(self, question: Question, item: Mapping[str, Any], path: str) -> None:
        if "answer" not in item:
            return
        if question.id in self._parsed_questions:
            self._refuse("duplicate", f"'{question.id}' is answered twice", path)
            return
        self._parsed_questions.add(question.id)
        answers = self._require_list(item["answer"], f"{path}.answer")
        values = [
            value
            for index, answer in enumerate(answers)
            for value in self._parse_value(question, answer, f"{path}.answer[{index}]")
        ]
        if question.kind == "multi":
            self._parse_options(question, values, f"{path}.answer")
        elif len(answers) > 1:
            self._refuse("structure", f"'{question.id}' takes one answer", f"{path}.answer")
        elif values:
            self._result.answers[question.id] = values[0]

    def _parse_options(self, question: Question, options: list[Any], path: str) -> None:
        if len(set(options)) < len(options):
            self._refuse("duplicate", f"'{question.id}' must name each option once", path)
        elif NONE_OF_THESE in options and len(options) > 1:
            text = f"'{question.id}': '{NONE_OF_THESE}' cannot be combined with other options"
            self._refuse("business-rule", text, path)
        else:
            self._result.answers[question.id] = [
                option for option in options if option != NONE_OF_THESE
            ]

    def _parse_value(self, question: Question, answer: Any, path: str) -> Iterator[Any]:
        """Yield the value of one answer, if it is valid for the question."""
        elements = _VALUE_ELEMENTS[question.kind]
        present_elements = [
            name for name in elements if isinstance(answer, dict) and name in answer
        ]
        if len(present_elements) != 1:
            self._refuse("structure", f"'{question.id}' must be answered by a {elements[0]}", path)
            return
        self._check_elements(answer, _ANSWER_ELEMENTS | {present_elements[0]}, path)
        if "item" in answer:
            self._parse_list(answer["item"], f"{path}.item")
        self._collect_weights(question, answer, path)
        value = answer[present_elements[0]]
        if question.options:
            coding = {"display": value} if present_elements[0] == "valueString" else value
            yield from self._parse_option(question, coding, f"{path}.value")
        elif question.kind == "boolean":
            if isinstance(value, bool):
                yield value
            else:
                self._refuse("value", f"'{question.id}' must be true or false", f"{path}.value")
        elif fault := _number_fault(question, value):
            self._refuse("value", f"'{question.id}' {fault}", f"{path}.value")
        else:
            yield value

    def _parse_option(self, question: Question, coding: Any, path: str) -> Iterator[str]:
        """Yield the option that a Coding means: by its code, or by a label that only one has."""
        labels = {option.id: option.label for option in question.options}
        if question.kind == "multi":
            labels[NONE_OF_THESE] = "None of these"
        members = coding if isinstance(coding, dict) else {}
        system = self._form.urls.option_system(self._form.entry.instrument, question.id)
        named_system = members.get("system", system)
        codes = [members.get("code")]
        if "code" not in members and "display" in members:
            display = _fold(members["display"])
            codes = [code for code, label in labels.items() if _fold(label) == display]
        if (
            (named_system is None or self._form.urls.resolve_alias(str(named_system)) == system)
            and len(codes) == 1
            and isinstance(codes[0], str)
            and codes[0] in labels
        ):
            yield codes[0]
        else:
            text = (
                f"'{question.id}' must be an option of this question: by its code, with no system "
                "or that of the question, or by a display that only one option has"
            )
            self._refuse("code-invalid", text, path)

    def _collect_weights(self, question: Question, answer: Resource, path: str) -> None:
        coding = answer.get("valueCoding")
        for element in (answer, coding if isinstance(coding, dict) else {}):
            for extension in _extensions(element):
                value = extension.get("valueDecimal")
                if str(extension.get("url")) in _WEIGHT_URLS and _is_decimal(value):
                    claim = ClientScore(None, question.id, Decimal(value), path)
                    self._result.claims.append(claim)

    def _parse_total(self, total: str, item: Mapping[str, Any], path: str) -> None:
        """Collect a total that the client computed; refuse anything but one number."""
        answers = item.get("answer")
        answer = answers[0] if isinstance(answers, list) and len(answers) == 1 else None
        number = answer.get("valueDecimal") if isinstance(answer, dict) else None
        if not _is_decimal(number):
            text = "is computed by the service: omit it, or send one valueDecimal for comparison"
            self._refuse("structure", text, path)
        else:
            self._result.claims.append(
                ClientScore(total, None, Decimal(number), f"{path}.answer[0].value")
            )


def parse_items(form: QuestionnaireForm, items: Any) -> ParsedItems:
    """Parse the items of a response to this form, and collect every issue."""
    return _ItemParser(form).parse(items)


def _number_fault(question: Question, value: Any) -> str | None:
    least, most = question.minimum or Decimal(0), question.maximum or Decimal(0)
    if question.kind == "integer" and (not isinstance(value, int) or isinstance(value, bool)):
        return "must be a whole number"
    if not _is_decimal(value):
        return "must be a number"
    if not least <= value <= most:
        return f"must be from {to_json_number(least)} to {to_json_number(most)}"
    if value * 100 % 1:
        return "must have at most two decimals"
    return None


def _fold(text: Any) -> str | None:
    """Return a label without regard to case and blanks; None for anything but text."""
    return " ".join(text.casefold().split()) if isinstance(text, str) else None


def _extensions(element: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    extensions = element.get("extension")
    if not isinstance(extensions, list):
        return []
    return [extension for extension in extensions if isinstance(extension, dict)]


def _is_decimal(value: Any) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
