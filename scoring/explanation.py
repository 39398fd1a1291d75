"""Writes the sentence that explains a criterion's points, in the wording of the rulebook."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache, partial
from typing import Any, NamedTuple

from schemas.base import to_json_number
from schemas.rulebooks.conditions import list_subjects
from schemas.rulebooks.rulebook import Criterion, Discount, Rulebook, Wording
from scoring.conditions import Facts, find_matching_options
from scoring.weighing import CriterionPoints

WriteText = Callable[[Facts], str]


class Explanation(NamedTuple):
    """The sentence of a criterion, and the reason for its discount or an empty text."""

    because: str
    discount_reason: str = ""


Explain = Callable[[CriterionPoints, Facts], Explanation]


class _NotAsked(tuple[()]):
    """An answer of its own, without options."""

    __slots__ = ()


NOT_ASKED = _NotAsked()
"""Stands for the answer to a question that does not apply, among the facts of sentences."""

PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_]+)\}")


class SentenceStyle(NamedTuple):
    """How a language writes a decimal, and whether a label starts in lower case in a sentence."""

    decimal_mark: str = "."
    lowercase_labels: bool = True


ENGLISH_STYLE = SentenceStyle()


@cache
def format_points(points: int, decimal_mark: str = ".") -> str:
    """Return hundredths as signed points: +1.5, 0, -3."""
    number = f"{to_json_number(Decimal(points) / 100):+}" if points else "0"
    return number.replace(".", decimal_mark)


def format_points_phrase(wording: Wording, points: int, decimal_mark: str = ".") -> str:
    """Return hundredths as points with their unit: +1 point, -3 points."""
    template = wording.point if abs(points) == 100 else wording.points
    return template.format(number=format_points(points, decimal_mark))


class Explainer:
    """Writes the sentences of one rulebook."""

    def __init__(self, rulebook: Rulebook, style: SentenceStyle = ENGLISH_STYLE) -> None:
        self._wording = rulebook.wording
        self._style = style
        self._points_phrase = cache(
            partial(format_points_phrase, rulebook.wording, decimal_mark=style.decimal_mark)
        )
        self._questions = rulebook.questions_by_id
        self._labels = {
            (question.id, option.id): option.label
            for question in rulebook.question
            for option in question.options
        }

    def compile_explanation(self, criterion: Criterion, question_ids: Iterable[str]) -> Explain:
        """Return a function that explains the criterion from its weight and the facts."""
        findings = [self.compile_template(level.finding) for level in criterion.level]
        reasons = [self._compile_reason(discount) for discount in criterion.discount]
        labels = [
            (question, self._format_label(self._questions[question].label))
            for question in question_ids
        ]

        def explain(weight: CriterionPoints, facts: Facts) -> Explanation:
            if weight.level is None:
                unanswered = [label for question, label in labels if facts.get(question) is None]
                return Explanation(
                    self._wording.unanswered.format(
                        questions=self.join_words(unanswered),
                        points=self._points_phrase(weight.points),
                        least=format_points(weight.least, self._style.decimal_mark),
                        most=format_points(weight.most, self._style.decimal_mark),
                    )
                )
            finding = findings[weight.level](facts)
            if weight.discount is None:
                return Explanation(
                    self._wording.answered.format(
                        finding=finding, points=self._points_phrase(weight.points)
                    )
                )
            reason = reasons[weight.discount](facts)
            return Explanation(
                self._wording.discounted.format(
                    finding=finding,
                    full_points=self._points_phrase(weight.full_points),
                    factor=self._format_number(criterion.discount[weight.discount].factor),
                    points=self._points_phrase(weight.points),
                    because=reason,
                ),
                reason,
            )

        return explain

    def compile_template(self, template: str) -> WriteText:
        """Return a function of facts that fills each {id} in the template with that answer."""
        pieces = PLACEHOLDER.split(template)
        if len(pieces) == 1:
            return lambda _: template
        texts, names = pieces[::2], pieces[1::2]

        def fill(facts: Facts) -> str:
            words = [self.describe_answer(name, facts.get(name)) for name in names]
            return texts[0] + "".join(
                word + text for word, text in zip(words, texts[1:], strict=True)
            )

        return fill

    def describe_answer(self, name: str, answer: Any) -> str:
        """Return an answer in words: option labels, yes or no, or the number."""
        if answer is None or answer is NOT_ASKED:
            return self._describe_open(answer)
        match answer:
            case bool():
                return self._wording.truth_true if answer else self._wording.truth_false
            case str():
                return self._labels[name, answer]
            case int():
                return str(answer)
            case float() | Decimal():
                return self._format_number(Decimal(str(answer)))
        return self.join_words(self._marked_labels(name, answer)) or self._wording.nothing_marked

    def join_words(self, words: Iterable[str]) -> str:
        """Join words for a sentence: a, b and c."""
        *first, last = [*words] or [""]
        return self._wording.and_.join([self._wording.listed.join(first), last]) if first else last

    def _describe_open(self, answer: Any) -> str:
        not_asked = self._wording.does_not_concern if answer is NOT_ASKED else None
        return not_asked or self._wording.not_answered

    def _format_number(self, number: Decimal) -> str:
        return str(to_json_number(number)).replace(".", self._style.decimal_mark)

    def _format_label(self, label: str) -> str:
        return lowercase_first_letter(label) if self._style.lowercase_labels else label

    def _marked_labels(self, name: str, answer: Iterable[str]) -> list[str]:
        """Return the labels of the marked options in questionnaire order."""
        option_ids = set(answer)
        return [option.label for option in self._questions[name].options if option.id in option_ids]

    def _compile_reason(self, discount: Discount) -> WriteText:
        if "{which}" not in discount.because:
            return lambda _: discount.because

        subjects = list_subjects(discount.when)
        labels = {key: label for key, label in self._labels.items() if key[0] in subjects}
        order = {key: index for index, key in enumerate(labels)}

        def reason(facts: Facts) -> str:
            matched = set(find_matching_options(discount.when, facts, self._questions))
            option_list = self.join_words(
                labels[key] for key in sorted(matched, key=order.__getitem__)
            )
            return discount.because.replace("{which}", option_list)

        return reason


def lowercase_first_letter(label: str) -> str:
    """Return the label with its first letter in lower case, unless it starts an abbreviation."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]
