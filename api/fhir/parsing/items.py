"""Parses the items of a QuestionnaireResponse into answers, claims and issues.

Totals and weights that a client computed are collected as claims; they are never used as answers.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple, TypeGuard

from api.fhir.elements import EXTENSION_BASE, NONE_OF_THESE, Resource
from api.fhir.questionnaire_catalogue import QuestionnaireForm, topic_link_id
from api.fhir.resources.operation_outcome import OutcomeIssue
from schemas.base import to_json_number
from schemas.rulebook import Question

_ITEM_ELEMENTS = {"id", "extension", "linkId", "definition", "text", "answer", "item"}
_ANSWER_ELEMENTS = {"id", "extension", "item"}
_VALUE_ELEMENTS = {
    "boolean": "valueBoolean",
    "integer": "valueInteger",
    "decimal": "valueDecimal",
    "choice": "valueCoding",
    "multi": "valueCoding",
}
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
    """Parses the items of one response to one form, and collects every issue."""

    def __init__(self, form: QuestionnaireForm) -> None:
        self._form = form
        self._groups = {
            topic_link_id(topic.id): questions for topic, questions in form.questions_by_topic()
        }
        self._group_of = {
            question.id: link for link, questions in self._groups.items() for question in questions
        }
        self._result = ParsedItems({}, [], [])

    def parse(self, items: Any) -> ParsedItems:
        """Parse the items at the top of the response."""
        known_links = [*self._groups, *self._form.totals]
        for link, item, path in self._valid_items(items, "QuestionnaireResponse.item", known_links):
            if link in self._groups:
                self._parse_group(link, item, path)
            else:
                self._parse_total(link.removeprefix("total."), item, path)
        return self._result

    def _refuse(self, code: str, text: str, path: str) -> None:
        self._result.issues.append(OutcomeIssue(code, text, path))

    def _valid_items(
        self, items: Any, parent: str, known_links: list[str]
    ) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        """Yield link id, item and path of each valid item; refuse the others."""
        earlier_links: list[str] = []
        for index, item in enumerate(self._require_list(items, parent)):
            path = f"{parent}[{index}]"
            if not isinstance(item, dict) or not item:
                self._refuse("structure", "must be an item with a linkId", path)
                continue
            self._check_elements(item, _ITEM_ELEMENTS, path)
            link = item.get("linkId")
            if link not in known_links:
                self._refuse_misplaced(link, path)
            elif link in earlier_links:
                self._refuse("duplicate", f"'{link}' appears twice", path)
            else:
                if earlier_links and known_links.index(link) < known_links.index(earlier_links[-1]):
                    self._refuse(
                        "invariant", f"'{link}' must come before '{earlier_links[-1]}'", path
                    )
                earlier_links.append(link)
                yield link, item, path

    def _require_list(self, items: Any, path: str) -> list[Any]:
        if isinstance(items, list) and items:
            return items
        self._refuse("structure", "must be a list that is not empty", path)
        return []

    def _refuse_misplaced(self, link: Any, path: str) -> None:
        link_path = f"{path}.linkId"
        if isinstance(link, str) and link in self._group_of:
            self._refuse(
                "invariant", f"'{link}' belongs in group '{self._group_of[link]}'", link_path
            )
        elif isinstance(link, str) and link in self._form.loaded.questions:
            self._refuse("business-rule", f"'{link}' is not asked by this questionnaire", link_path)
        else:
            self._refuse(
                "not-found", "the questionnaire has no item with this linkId here", link_path
            )

    def _check_elements(self, element: Mapping[str, Any], names: set[str], path: str) -> None:
        """Refuse unknown and empty child elements."""
        for name, value in element.items():
            if name.removeprefix("_") not in names:
                self._refuse("structure", "contains an unknown element", path)
            elif value in (None, "", [], {}):
                self._refuse("structure", "contains an empty element", path)

    def _parse_group(self, link: str, group: Mapping[str, Any], path: str) -> None:
        if "answer" in group:
            self._refuse("structure", f"'{link}' is a group and takes no answer", f"{path}.answer")
        if "item" not in group:
            return
        questions = {question.id: question for question in self._groups[link]}
        children = self._valid_items(group["item"], f"{path}.item", list(questions))
        for question_id, item, item_path in children:
            self._parse_question(questions[question_id], item, item_path)

    def _parse_question(self, question: Question, item: Mapping[str, Any], path: str) -> None:
        if "item" in item:
            text = f"'{question.id}' has no items that are answered"
            self._refuse("structure", text, f"{path}.item")
        if "answer" not in item:
            return
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
            text = f"'{question.id}': '{NONE_OF_THESE}' must stand alone"
            self._refuse("business-rule", text, path)
        else:
            self._result.answers[question.id] = [
                option for option in options if option != NONE_OF_THESE
            ]

    def _parse_value(self, question: Question, answer: Any, path: str) -> Iterator[Any]:
        """Yield the value of one answer, if it is valid for the question."""
        element = _VALUE_ELEMENTS[question.kind]
        if not isinstance(answer, dict) or element not in answer:
            self._refuse("structure", f"'{question.id}' must be answered by a {element}", path)
            return
        self._check_elements(answer, _ANSWER_ELEMENTS | {element}, path)
        self._collect_weights(question, answer, path)
        value = answer[element]
        if question.options:
            yield from self._parse_option(question, value, f"{path}.value")
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
        system = self._form.urls.option_system(self._form.entry.instrument, question.id)
        codes = [option.id for option in question.options]
        if question.kind == "multi":
            codes.append(NONE_OF_THESE)
        members = coding if isinstance(coding, dict) else {}
        if members.get("system") == system and members.get("code") in codes:
            yield members["code"]
        else:
            text = f"'{question.id}' must be an option of this question, by system and code"
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


def _extensions(element: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    extensions = element.get("extension")
    if not isinstance(extensions, list):
        return []
    return [extension for extension in extensions if isinstance(extension, dict)]


def _is_decimal(value: Any) -> TypeGuard[int | Decimal]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
