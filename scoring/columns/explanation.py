"""Compiles the explanations of criteria into Polars expressions, in the wording of the rulebook."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import polars as pl

from schemas.base import to_json_number
from schemas.rulebooks.conditions import (
    AllOf,
    AnyOf,
    AtLeastOf,
    Condition,
    Either,
    Includes,
    list_parts,
)
from schemas.rulebooks.rulebook import Criterion, Discount
from scoring.columns.conditional_questions import is_hidden, is_open
from scoring.columns.conditions import MASK_TYPE, ConditionCompiler, answer_column
from scoring.columns.points.weighing import WeighingStages
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import expand_options
from scoring.explanation import PLACEHOLDER, format_points_phrase, lowercase_first_letter
from scoring.weighing import to_hundredths

_IS_WEIGHED, _VARIANT, _SENTENCE = "weighed", "variant", "sentence"


class SentenceVariant(NamedTuple):
    """A sentence that a criterion can have, and the condition under which it has it."""

    when: pl.Expr
    text: pl.Expr


class ExplanationExpressions:
    """The sentences of one rulebook as expressions over its answers and points."""

    def __init__(self, loaded: LoadedRulebook, meaning: ConditionCompiler) -> None:
        self._loaded = loaded
        self._meaning = meaning
        self._wording = loaded.rulebook.wording

    def explain_criterion(self, index: int, has_weight: pl.Expr) -> pl.Expr:
        """Return the sentence of the criterion at this index, equal to `scoring.explanation`.

        Rows without a weight (`has_weight`) have none. Each distinct combination of what the
        sentence depends on is put into words once.
        """
        variants = self._list_variants(index)
        inputs = {
            name
            for it in variants
            for part in (it.when, it.text)
            for name in part.meta.root_names()
        }
        is_weighed = has_weight.fill_null(value=False).alias(_IS_WEIGHED)
        return pl.struct(is_weighed, *sorted(inputs)).map_batches(
            partial(_write_distinct, variants=variants),
            return_dtype=pl.String,
            is_elementwise=True,
        )

    def _list_variants(self, index: int) -> list[SentenceVariant]:
        """Return the sentences that a criterion can have; the first whose `when` is true holds."""
        criterion = self._loaded.rulebook.criterion[index]
        is_unanswered = pl.col(WeighingStages.settled_column_name(index)).is_null()
        return [
            SentenceVariant(is_unanswered, self._explain_unanswered(index)),
            *(
                variant
                for n in range(len(criterion.level))
                for variant in self._explain_level(criterion, index, n)
            ),
        ]

    def _explain_level(
        self, criterion: Criterion, index: int, level: int
    ) -> Iterator[SentenceVariant]:
        full = to_hundredths(criterion.level[level].points)
        finding = self._fill(criterion.level[level].finding)
        is_reached = pl.col(f"level.{index}.{level}")
        factors = [to_hundredths(discount.factor) for discount in criterion.discount]
        smallest_first = sorted(range(len(factors)), key=factors.__getitem__)
        for n in [n for n in smallest_first if factors[n] < 100 and full > 0]:
            discounted = _fill_template(
                self._wording.discounted,
                {
                    "finding": finding,
                    "full_points": pl.lit(format_points_phrase(self._wording, full)),
                    "factor": pl.lit(str(to_json_number(criterion.discount[n].factor))),
                    "points": pl.lit(format_points_phrase(self._wording, full * factors[n] // 100)),
                    "because": self._reason(criterion.discount[n]),
                },
            )
            yield SentenceVariant(is_reached & pl.col(f"discount.{index}.{n}"), discounted)
        sentence = _fill_template(
            self._wording.answered,
            {"finding": finding, "points": pl.lit(format_points_phrase(self._wording, full))},
        )
        yield SentenceVariant(is_reached, sentence)

    def _explain_unanswered(self, index: int) -> pl.Expr:
        open_labels = [
            pl.when(is_open(self._loaded.questions[name])).then(
                pl.lit(lowercase_first_letter(self._loaded.questions[name].label))
            )
            for name in self._loaded.level_questions[index]
        ]
        least, most = (
            _signed_number(pl.col(WeighingStages.points_column_name(index, side)))
            for side in ("least", "most")
        )
        expressions = {
            "questions": self._join_words(open_labels),
            "points": self._points_phrase(pl.col(WeighingStages.points_column_name(index))),
            "least": least,
            "most": most,
        }
        return _fill_template(self._wording.unanswered, expressions)

    def _points_phrase(self, points: pl.Expr) -> pl.Expr:
        """Return hundredths as points with their unit: +1 point, -3 points."""
        number = {"number": _signed_number(points)}
        singular = _fill_template(self._wording.point, number)
        plural = _fill_template(self._wording.points, number)
        return pl.when(points.abs() == 100).then(singular).otherwise(plural)

    def _fill(self, template: str) -> pl.Expr:
        names = set(PLACEHOLDER.findall(template))
        return _fill_template(template, {name: self._words(name) for name in names})

    def _words(self, name: str) -> pl.Expr:
        """Return an answer in words: option labels, yes or no, or the number."""
        known_words = self._known_words(name)
        unknown = pl.lit(self._wording.not_answered)
        words = pl.when(answer_column(name).is_null()).then(unknown).otherwise(known_words)
        question = self._loaded.questions.get(name)
        if question is None or question.ask_when is None:
            return words
        not_asked = pl.lit(self._wording.does_not_concern or self._wording.not_answered)
        return pl.when(is_hidden(name)).then(not_asked).otherwise(words)

    def _known_words(self, name: str) -> pl.Expr:
        question = self._loaded.questions.get(name)
        source = self._loaded.derived_by_id.get(name)
        if (question and question.kind == "boolean") or (source and source.when is not None):
            yes, no = pl.lit(self._wording.truth_true), pl.lit(self._wording.truth_false)
            return pl.when(answer_column(name)).then(yes).otherwise(no)
        if (question and question.kind == "decimal") or (source and source.mean_of):
            return _plain_number(answer_column(name))
        if question is None or question.kind == "integer":
            return answer_column(name).cast(pl.String)
        labels = [option.label for option in question.options]
        if question.kind == "choice":
            return answer_column(name).replace_strict(
                list(range(len(labels))), labels, return_dtype=pl.String
            )
        marked_labels = [
            pl.when((answer_column(name) & pl.lit(1 << index, MASK_TYPE)) != 0).then(pl.lit(label))
            for index, label in enumerate(labels)
        ]
        no_options = pl.lit(self._wording.nothing_marked)
        return (
            pl.when(answer_column(name) == 0)
            .then(no_options)
            .otherwise(self._join_words(marked_labels))
        )

    def _reason(self, discount: Discount) -> pl.Expr:
        if "{which}" not in discount.because:
            return pl.lit(discount.because)
        relevant = set(_included_options(discount.when, self._loaded))
        labels = [
            pl.when((answer_column(question.id) & pl.lit(1 << index, MASK_TYPE)) != 0).then(
                pl.lit(option.label)
            )
            for question in self._loaded.rulebook.question
            for index, option in enumerate(question.options)
            if (question.id, option.id) in relevant
        ]
        pieces = discount.because.split("{which}")
        option_list = self._join_words(labels)
        parts: list[pl.Expr] = [pl.lit(pieces[0])]
        for piece in pieces[1:]:
            parts += [option_list, pl.lit(piece)]
        return pl.concat_str(parts)

    def _join_words(self, words: Sequence[pl.Expr]) -> pl.Expr:
        """Join the words that are not null for a sentence: a, b and c."""
        known_words = pl.concat_arr(words).arr.to_list().list.drop_nulls()
        count = known_words.list.len()
        first = known_words.list.head(pl.max_horizontal(count, 1) - 1).list.join(
            self._wording.listed
        )
        several = pl.concat_str(first, pl.lit(self._wording.and_), known_words.list.last())
        return (
            pl.when(count == 0).then(pl.lit(""))
            .when(count == 1).then(known_words.list.first())
            .otherwise(several)
        )  # fmt: skip


def _write_distinct(rows: pl.Series, variants: Sequence[SentenceVariant]) -> pl.Series:
    """Write the sentence of each distinct row that is weighed, and return them in row order."""
    frame = rows.struct.unnest()
    variant: pl.Expr = pl.lit(None, pl.UInt8)
    for n, it in reversed(list(enumerate(variants))):
        variant = pl.when(it.when).then(pl.lit(n, pl.UInt8)).otherwise(variant)
    distinct = frame.filter(_IS_WEIGHED).unique().with_columns(variant.alias(_VARIANT))
    sentences = [
        part.select(*frame.columns, variants[n].text.alias(_SENTENCE))
        for (n,), part in distinct.drop_nulls(_VARIANT).partition_by(_VARIANT, as_dict=True).items()
    ]
    if not sentences:
        return pl.Series(rows.name, [None] * frame.height, pl.String)
    known_rows = pl.concat(sentences)
    rows_with_sentences = frame.join(
        known_rows, on=frame.columns, how="left", nulls_equal=True, maintain_order="left"
    )
    return rows_with_sentences[_SENTENCE].rename(rows.name)


def _included_options(condition: Condition, loaded: LoadedRulebook) -> Iterator[tuple[str, str]]:
    match condition:
        case Includes(subject=subject):
            yield from ((subject, name) for name in expand_options(condition, loaded.questions))
        case AllOf() | AnyOf() | AtLeastOf() | Either():
            for part in list_parts(condition):
                yield from _included_options(part, loaded)


def _fill_template(template: str, expressions: Mapping[str, pl.Expr]) -> pl.Expr:
    """Return the template with an expression for each placeholder."""
    pieces = PLACEHOLDER.split(template)
    return pl.concat_str(
        [expressions[piece] if n % 2 else pl.lit(piece) for n, piece in enumerate(pieces)]
    )


def _plain_number(in_hundredths: pl.Expr) -> pl.Expr:
    """Return hundredths as a plain number: 18, 1.5, 0.25."""
    sign = pl.when(in_hundredths < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, _magnitude(in_hundredths))


def _signed_number(in_hundredths: pl.Expr) -> pl.Expr:
    """Return hundredths as signed points: +1.5, 0, -3."""
    sign = (
        pl.when(in_hundredths < 0).then(pl.lit("-"))
        .when(in_hundredths > 0).then(pl.lit("+"))
        .otherwise(pl.lit(""))
    )  # fmt: skip
    return pl.concat_str(sign, _magnitude(in_hundredths))


def _magnitude(in_hundredths: pl.Expr) -> pl.Expr:
    size = in_hundredths.cast(pl.Int64).abs()
    digits = (size % 100).cast(pl.String).str.zfill(2).str.strip_suffix("0")
    integer_part = (size // 100).cast(pl.String)
    fraction = pl.concat_str(pl.lit("."), digits)
    return (
        pl.when(size % 100 == 0).then(integer_part).otherwise(pl.concat_str(integer_part, fraction))
    )
