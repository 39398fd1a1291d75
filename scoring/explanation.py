"""Writes the sentence that explains a criterion's points, in the wording of the rulebook."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache, partial
from typing import Any, NamedTuple

from schemas.base import plain_number
from schemas.conditions import statements
from schemas.rulebook import Criterion, Discount, Rulebook, Wording
from scoring.conditions import Facts, found
from scoring.weighing import Weight

WriteText = Callable[[Facts], str]


class Explanation(NamedTuple):
    """The sentence of a criterion, and the reason for its discount or an empty text."""

    because: str
    discounted_because: str = ""


Explain = Callable[[Weight, Facts], Explanation]
PLACE = re.compile(r"\{([A-Za-z0-9_]+)\}")


@cache
def points_text(points: int) -> str:
    """Return hundredths as signed points: +1.5, 0, -3."""
    return f"{plain_number(Decimal(points) / 100):+}" if points else "0"


class Explainer:
    """Writes the sentences of one rulebook."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._wording = rulebook.wording
        self._points_phrase = cache(partial(_format_points_phrase, rulebook.wording))
        self._questions = {question.id: question for question in rulebook.question}
        self._labels = {
            (question.id, option.id): option.label
            for question in rulebook.question
            for option in question.options
        }

    def explains(self, criterion: Criterion, reads: Iterable[str]) -> Explain:
        """Return a function that explains the criterion from its weight and the facts."""
        findings = [self.filled(level.finding) for level in criterion.level]
        reasons = [self._compile_reason(discount) for discount in criterion.discount]
        labels = [(question, mid_sentence(self._questions[question].label)) for question in reads]

        def explain(weight: Weight, facts: Facts) -> Explanation:
            if weight.level is None:
                unanswered = [label for question, label in labels if facts.get(question) is None]
                return Explanation(
                    self._wording.unanswered.format(
                        questions=self.listed(unanswered),
                        least=points_text(weight.least),
                        most=points_text(weight.most),
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
                    full_points=self._points_phrase(weight.full),
                    factor=plain_number(criterion.discount[weight.discount].factor),
                    points=self._points_phrase(weight.points),
                    because=reason,
                ),
                reason,
            )

        return explain

    def filled(self, template: str) -> WriteText:
        """Return a function of facts that fills each {id} in the template with that answer."""
        pieces = PLACE.split(template)
        if len(pieces) == 1:
            return lambda _: template
        texts, names = pieces[::2], pieces[1::2]

        def fill(facts: Facts) -> str:
            words = [self.words(name, facts.get(name)) for name in names]
            return texts[0] + "".join(
                word + text for word, text in zip(words, texts[1:], strict=True)
            )

        return fill

    def words(self, name: str, answer: Any) -> str:
        """Return an answer in words: option labels, yes or no, or the number."""
        match answer:
            case None:
                return self._wording.not_answered
            case bool():
                return self._wording.truth_true if answer else self._wording.truth_false
            case str():
                return self._labels[name, answer]
            case int():
                return str(answer)
            case float() | Decimal():
                return str(plain_number(Decimal(str(answer))))
        return self.listed(self._marked_labels(name, answer)) or self._wording.nothing_marked

    def listed(self, words: Iterable[str]) -> str:
        """Join words for a sentence: a, b and c."""
        *first, last = [*words] or [""]
        return self._wording.and_.join([self._wording.listed.join(first), last]) if first else last

    def _marked_labels(self, name: str, answer: Iterable[str]) -> list[str]:
        """Return the labels of the marked options in questionnaire order."""
        marked = set(answer)
        return [option.label for option in self._questions[name].options if option.id in marked]

    def _compile_reason(self, discount: Discount) -> WriteText:
        if "{which}" not in discount.because:
            return lambda _: discount.because

        subjects = {statement.subject for statement in statements(discount.when)}
        labels = {key: label for key, label in self._labels.items() if key[0] in subjects}
        order = {key: index for index, key in enumerate(labels)}

        def reason(facts: Facts) -> str:
            matched = set(found(discount.when, facts, self._questions))
            which = self.listed(labels[key] for key in sorted(matched, key=order.__getitem__))
            return discount.because.replace("{which}", which)

        return reason


def _format_points_phrase(wording: Wording, points: int) -> str:
    template = wording.point if abs(points) == 100 else wording.points
    return template.format(number=points_text(points))


def mid_sentence(label: str) -> str:
    """Return the label with its first letter in lower case, unless it starts an abbreviation."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]
