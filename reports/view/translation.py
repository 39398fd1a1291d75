"""Retelling: a stored assessment in another language. Nothing is scored again; only words change.

The rulebook and its translation have the same ids. A sentence is put together anew from what the
assessment holds: the level, the answers, the points and the discount; what only the sentence holds
is read out of it by the template that it was made from.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from reports.phrases import Wording
from schemas.assessment import Assessment, FindingInContext, TotalPoints, WeighedCriterion
from schemas.base import to_json_number
from schemas.rulebook import Criterion, Rulebook

_PLACE = re.compile(r"\{([A-Za-z0-9_]+)\}")


class Books(NamedTuple):
    """The rulebook as the assessment was made from it, and in the language to tell it in."""

    made: Rulebook
    told: Rulebook
    words: Wording


def retold(books: Books, assessment: Assessment) -> Assessment:
    """The assessment in the words of the other rulebook, its numbers as they are."""
    return assessment.model_copy(
        update={
            **_safety(books.told, assessment),
            **_results(books.told, assessment),
            "criteria": assessment.criteria
            and tuple(_criterion(books, each, assessment) for each in assessment.criteria),
            **_beside(books, assessment),
            "limitations": tuple(_limitation(books, each) for each in assessment.limitations),
        }
    )


def _by_id(parts: Iterable[Any]) -> dict[str, Any]:
    return {each.id: each for each in parts}


def _safety(told: Rulebook, assessment: Assessment) -> dict[str, Any]:
    flags, scope = _by_id(told.flag), _by_id(told.scope)
    raised = tuple(
        replace(
            each,
            label=flags[each.id].label,
            suspect=flags[each.id].suspect,
            action=flags[each.id].action,
        )
        for each in assessment.safety.flags
    )
    reasons = tuple(replace(e, label=scope[e.id].label) for e in assessment.scope.reasons)
    return {
        "safety": replace(assessment.safety, flags=raised),
        "scope": replace(assessment.scope, reasons=reasons),
    }


def _results(told: Rulebook, assessment: Assessment) -> dict[str, Any]:
    bands, pictures, domains = _by_id(told.band), _by_id(told.picture), _by_id(told.domain)

    def total(given: TotalPoints) -> TotalPoints:
        return replace(given, meaning=bands[given.band].meaning) if given.band else given

    picture = assessment.picture
    if picture is not None and picture.id is not None:
        picture = replace(picture, label=pictures[picture.id].label)
    return {
        "totals": assessment.totals and {k: total(v) for k, v in assessment.totals.items()},
        "picture": picture,
        "domains": assessment.domains
        and tuple(replace(each, label=domains[each.id].label) for each in assessment.domains),
    }


def _beside(books: Books, assessment: Assessment) -> dict[str, Any]:
    told = books.told
    gradings, steps = _by_id(told.grading), _by_id(told.next_step)
    listed = {each.number: each for each in told.pattern}
    patterns = assessment.patterns
    return {
        "gradings": assessment.gradings
        and {
            name: replace(
                given,
                label=_by_id(gradings[name].grade)[given.grade].label,
                criteria=tuple(
                    replace(line, label=_by_id(gradings[name].criterion)[line.id].label)
                    for line in given.criteria
                ),
            )
            for name, given in assessment.gradings.items()
        },
        "patterns": patterns
        and replace(
            patterns,
            list=tuple(
                replace(
                    each, label=listed[each.number].label, evidence=listed[each.number].evidence
                )
                for each in patterns.list
            ),
        ),
        "findings": assessment.findings
        and tuple(_finding(books, each) for each in assessment.findings),
        "next_steps": assessment.next_steps
        and tuple(
            replace(each, label=steps[each.id].label, certainty=steps[each.id].certainty)
            for each in assessment.next_steps
        ),
    }


def _finding(books: Books, given: FindingInContext) -> FindingInContext:
    made, told = (_by_id(book.finding)[given.id] for book in (books.made, books.told))
    texts = {made.text: told.text}
    for row, other in zip(made.at_age, told.at_age, strict=True):
        if row.age == given.age and row.note is not None:
            texts[row.note] = other.note
    return replace(
        given,
        label=told.label,
        population=told.population,
        text=texts.get(given.text),
        counter_evidence=told.counter_evidence,
    )


def _limitation(books: Books, given: str) -> str:
    for made, told in zip(books.made.limitation, books.told.limitation, strict=True):
        if made.text == given:
            return told.text
    (sources,) = _read(books.made.wording.unverified_sources, given)
    relisted = sources.replace(books.made.wording.and_, books.told.wording.and_)
    return books.told.wording.unverified_sources.format(sources=relisted)


def _criterion(books: Books, given: WeighedCriterion, assessment: Assessment) -> WeighedCriterion:
    made, told = (_by_id(book.criterion)[given.id] for book in (books.made, books.told))
    wording = books.told.wording
    if given.level is None:
        because = _unanswered(books, given)
        return replace(given, label=told.label, because=because)
    known = {**(assessment.derived or {}), **given.answers}
    finding = _filled(books, _by_id(told.level)[given.level].finding, known)
    if given.discount is None:
        because = wording.answered.format(finding=finding, points=_points(books, given.points))
        return replace(given, label=told.label, because=because)
    reason = _reason(books, made, told, given.discount.because)
    because = wording.discounted.format(
        finding=finding,
        full_points=_points(books, given.full_points),
        factor=_number(books, given.discount.factor),
        points=_points(books, given.points),
        because=reason,
    )
    discount = replace(given.discount, because=reason)
    return replace(given, label=told.label, because=because, discount=discount)


def _unanswered(books: Books, given: WeighedCriterion) -> str:
    labels = {each.id: books.words.lowered(each.label) for each in books.told.question}
    open_ = [labels[name] for name, answer in given.answers.items() if answer is None]
    _, least, most = _read(books.made.wording.unanswered, given.because)
    return books.told.wording.unanswered.format(
        questions=_listed(books, open_),
        least=least.replace(".", books.words.decimal),
        most=most.replace(".", books.words.decimal),
    )


def _reason(books: Books, made: Criterion, told: Criterion, given: str) -> str:
    for discount, other in zip(made.discount, told.discount, strict=True):
        found = _matched(discount.because, given)
        if found is None:
            continue
        which = _listed(books, (_option(books, each) for each in _split(books, "".join(found))))
        return other.because.replace("{which}", which)
    raise ValueError("the discount is not of this rulebook")


def _split(books: Books, listed: str) -> list[str]:
    """The labels in a list of them; a label may hold what joins the others."""
    labels = sorted({o.label for q in books.made.question for o in q.options}, key=len)
    found = []
    while listed:
        label = next(each for each in reversed(labels) if listed.startswith(each))
        found.append(label)
        listed = listed[len(label) :]
        for joint in (books.made.wording.listed, books.made.wording.and_):
            listed = listed.removeprefix(joint)
    return found


def _option(books: Books, label: str) -> str:
    for question, other in zip(books.made.question, books.told.question, strict=True):
        for option, told in zip(question.options, other.options, strict=True):
            if option.label == label:
                return told.label
    raise ValueError("the label is not of this rulebook")


def _filled(books: Books, template: str, known: Mapping[str, Any]) -> str:
    return _PLACE.sub(lambda place: _answer(books, place[1], known.get(place[1])), template)


def _answer(books: Books, name: str, answer: Any) -> str:
    wording = books.told.wording
    match answer:
        case None:
            return wording.not_answered
        case bool():
            return wording.truth_true if answer else wording.truth_false
        case int() | Decimal():
            return _number(books, Decimal(answer))
    options = next(each.options for each in books.told.question if each.id == name)
    marked = {answer} if isinstance(answer, str) else set(answer)
    labels = [each.label for each in options if each.id in marked]
    return _listed(books, labels) or wording.nothing_marked


def _listed(books: Books, words: Iterable[str]) -> str:
    *first, last = [*words] or [""]
    wording = books.told.wording
    return wording.and_.join([wording.listed.join(first), last]) if first else last


def _points(books: Books, points: Decimal | None) -> str:
    points = points or Decimal(0)
    wording = books.told.wording
    signed = f"{to_json_number(points):+}" if points else "0"
    template = wording.point if abs(points) == 1 else wording.points
    return template.format(number=signed.replace(".", books.words.decimal))


def _number(books: Books, number: Decimal) -> str:
    return str(to_json_number(number)).replace(".", books.words.decimal)


def _read(template: str, sentence: str) -> tuple[str, ...]:
    found = _matched(template, sentence)
    if found is None:
        raise ValueError("the sentence is not of this rulebook")
    return found


def _matched(template: str, sentence: str) -> tuple[str, ...] | None:
    """What stands in the places of the template; None where it is not the sentence's."""
    pieces = (re.escape(each) for each in _PLACE.split(template)[::2])
    found = re.fullmatch("(.+)".join(pieces), sentence)
    return None if found is None else found.groups()
