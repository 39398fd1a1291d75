"""Sentences over columns: why a criterion gives what it gives, in the words of the rulebook."""

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from schemas.base import plain_number
from schemas.conditions import All, Any, Condition, Includes
from schemas.rulebook import Criterion, Discount
from scoring.columns.conditions import MASK, Meaning, asked
from scoring.columns.weighing import Weighing
from scoring.compiled_rulebook import LoadedRulebook
from scoring.conditions import options_named
from scoring.explanation import PLACE, mid_sentence, points_text
from scoring.weighing import hundredths


class Sentences:
    """The sentences of one rulebook as expressions over what was answered and weighed."""

    def __init__(self, loaded: LoadedRulebook, meaning: Meaning) -> None:
        self._loaded = loaded
        self._meaning = meaning
        self._wording = loaded.rulebook.wording

    def because(self, place: int) -> pl.Expr:
        """The sentence of the criterion in that place, as `scoring.explanation` writes it."""
        criterion = self._loaded.rulebook.criterion[place]
        said: pl.Expr = pl.lit(None, pl.String)
        for number in reversed(range(len(criterion.level))):
            at_level = self._at_level(criterion, place, number)
            said = pl.when(pl.col(f"level.{place}.{number}")).then(at_level).otherwise(said)
        is_open = pl.col(Weighing.points(place)).is_null()
        return pl.when(is_open).then(self._unanswered(place)).otherwise(said)

    def _at_level(self, criterion: Criterion, place: int, number: int) -> pl.Expr:
        full = hundredths(criterion.level[number].points)
        finding = self._filled(criterion.level[number].finding)
        said = _put(
            self._wording.answered, {"finding": finding, "points": pl.lit(self._points(full))}
        )
        if full <= 0:
            return said
        factors = [hundredths(each.factor) for each in criterion.discount]
        smallest_first = sorted(range(len(factors)), key=factors.__getitem__)
        for n in reversed([n for n in smallest_first if factors[n] < 100]):
            discounted = _put(
                self._wording.discounted,
                {
                    "finding": finding,
                    "full_points": pl.lit(self._points(full)),
                    "factor": pl.lit(str(plain_number(criterion.discount[n].factor))),
                    "points": pl.lit(self._points(full * factors[n] // 100)),
                    "because": self._reason(criterion.discount[n]),
                },
            )
            said = pl.when(pl.col(f"discount.{place}.{n}")).then(discounted).otherwise(said)
        return said

    def _unanswered(self, place: int) -> pl.Expr:
        open_labels = [
            pl.when(asked(name).is_null()).then(
                pl.lit(mid_sentence(self._loaded.questions[name].label))
            )
            for name in self._loaded.read_by[place]
        ]
        least, most = (_signed(pl.col(Weighing.points(place, side))) for side in ("least", "most"))
        questions = self._listed(open_labels)
        places = {"questions": questions, "least": least, "most": most}
        return _put(self._wording.unanswered, places)

    def _points(self, points: int) -> str:
        template = self._wording.point if abs(points) == 100 else self._wording.points
        return template.format(number=points_text(points))

    def _filled(self, template: str) -> pl.Expr:
        names = set(PLACE.findall(template))
        return _put(template, {name: self._words(name) for name in names})

    def _words(self, name: str) -> pl.Expr:
        """An answer in words: option labels, yes or no, or the number."""
        said = self._known_words(name)
        unknown = pl.lit(self._wording.not_answered)
        return pl.when(asked(name).is_null()).then(unknown).otherwise(said)

    def _known_words(self, name: str) -> pl.Expr:
        question = self._loaded.questions.get(name)
        source = self._loaded.sources.get(name)
        if (question and question.kind == "boolean") or (source and source.when is not None):
            yes, no = pl.lit(self._wording.truth_true), pl.lit(self._wording.truth_false)
            return pl.when(asked(name)).then(yes).otherwise(no)
        if (question and question.kind == "decimal") or (source and source.mean_of):
            return _number(asked(name))
        if question is None or question.kind == "integer":
            return asked(name).cast(pl.String)
        labels = [option.label for option in question.options]
        if question.kind == "choice":
            return asked(name).replace_strict(
                list(range(len(labels))), labels, return_dtype=pl.String
            )
        marked = [
            pl.when((asked(name) & pl.lit(1 << place, MASK)) != 0).then(pl.lit(label))
            for place, label in enumerate(labels)
        ]
        nothing = pl.lit(self._wording.nothing_marked)
        return pl.when(asked(name) == 0).then(nothing).otherwise(self._listed(marked))

    def _reason(self, discount: Discount) -> pl.Expr:
        if "{which}" not in discount.because:
            return pl.lit(discount.because)
        wanted = set(_looked_for(discount.when, self._loaded))
        found = [
            pl.when((asked(question.id) & pl.lit(1 << place, MASK)) != 0).then(pl.lit(option.label))
            for question in self._loaded.rulebook.question
            for place, option in enumerate(question.options)
            if (question.id, option.id) in wanted
        ]
        pieces = discount.because.split("{which}")
        which = self._listed(found)
        joined: list[pl.Expr] = [pl.lit(pieces[0])]
        for piece in pieces[1:]:
            joined += [which, pl.lit(piece)]
        return pl.concat_str(joined)

    def _listed(self, words: Sequence[pl.Expr]) -> pl.Expr:
        """Those that are not null, joined for a sentence: a, b and c."""
        kept = pl.concat_arr(words).arr.to_list().list.drop_nulls()
        count = kept.list.len()
        first = kept.list.head(pl.max_horizontal(count, 1) - 1).list.join(self._wording.listed)
        several = pl.concat_str(first, pl.lit(self._wording.and_), kept.list.last())
        return (
            pl.when(count == 0).then(pl.lit(""))
            .when(count == 1).then(kept.list.first())
            .otherwise(several)
        )  # fmt: skip


def _looked_for(condition: Condition, loaded: LoadedRulebook) -> Iterator[tuple[str, str]]:
    match condition:
        case Includes(subject=subject):
            yield from ((subject, name) for name in options_named(condition, loaded.questions))
        case All(all=parts) | Any(any=parts):
            for part in parts:
                yield from _looked_for(part, loaded)


def _put(template: str, places: Mapping[str, pl.Expr]) -> pl.Expr:
    """The template with an expression in each of its places."""
    pieces = PLACE.split(template)
    exprs = [places[piece] if number % 2 else pl.lit(piece) for number, piece in enumerate(pieces)]
    return pl.concat_str(exprs)


def _number(in_hundredths: pl.Expr) -> pl.Expr:
    """Hundredths as a plain number: 18, 1.5, 0.25."""
    sign = pl.when(in_hundredths < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, _size(in_hundredths))


def _signed(in_hundredths: pl.Expr) -> pl.Expr:
    """Hundredths as signed points: +1.5, 0, -3."""
    sign = (
        pl.when(in_hundredths < 0).then(pl.lit("-"))
        .when(in_hundredths > 0).then(pl.lit("+"))
        .otherwise(pl.lit(""))
    )  # fmt: skip
    return pl.concat_str(sign, _size(in_hundredths))


def _size(in_hundredths: pl.Expr) -> pl.Expr:
    size = in_hundredths.cast(pl.Int64).abs()
    digits = (size % 100).cast(pl.String).str.zfill(2).str.strip_suffix("0")
    whole = (size // 100).cast(pl.String)
    fraction = pl.concat_str(pl.lit("."), digits)
    return pl.when(size % 100 == 0).then(whole).otherwise(pl.concat_str(whole, fraction))
