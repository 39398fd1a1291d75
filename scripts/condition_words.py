"""Puts the conditions of a rulebook into words, with the labels of its questions and options."""

from collections.abc import Iterable

from schemas.base import to_json_number
from schemas.rulebooks.conditions import (
    AllOf,
    Always,
    AnyOf,
    AtLeast,
    AtLeastOf,
    AtMost,
    Condition,
    CountsAtLeast,
    Either,
    HasAnswer,
    Includes,
    Is,
    Not,
    OneOf,
    Statement,
)
from schemas.rulebooks.rulebook import Question, Rulebook


class ConditionWriter:
    """Puts conditions of one rulebook into words."""

    def __init__(self, book: Rulebook) -> None:
        self._questions = book.questions_by_id
        self._derived = {derived.id: derived for derived in book.derived}

    def write(self, condition: Condition, *, inside: bool = False) -> str:  # noqa: PLR0911 - one for each word
        """Return the condition in words; in brackets where it joins others inside another one."""
        match condition:
            case Always():
                return "always"
            case Not(not_=part):
                return f"not ({self.write(part)})"
            case AllOf(all=parts):
                return self._join(parts, " and ", inside=inside)
            case AnyOf(any=parts):
                return self._join(parts, " or ", inside=inside)
            case AtLeastOf(at_least_of=number, of=parts):
                return f"at least {number} of ({self._join(parts, '; ')})"
            case Either(either=parts):
                return f"either of ({self._join(parts, '; ')})"
        return self._write_statement(condition)

    def name(self, subject: str) -> str:
        """Return the label of a question or derived value, in italics."""
        if subject in self._derived:
            return f"*{self._derived[subject].label}*"
        return f"*{self._questions[subject].label}*"

    def _join(self, parts: Iterable[Condition], word: str, *, inside: bool = False) -> str:
        text = word.join(self.write(part, inside=True) for part in parts)
        return f"({text})" if inside else text

    def _write_statement(self, statement: Statement) -> str:  # noqa: PLR0911 - as above
        subject = statement.question or statement.derived
        name = self.name(subject) if subject else f"the result `{statement.result}`"
        question = self._questions.get(statement.question or "")
        match statement:
            case Is(is_=True):
                return name if subject else f"{name} is true"
            case Is(is_=False):
                return f"{name} denied" if subject else f"{name} is false"
            case Is(is_=option):
                return f"{name}: {self._list_options(question, [str(option)])}"
            case OneOf(one_of=options):
                return f"{name}: {self._list_options(question, options)}"
            case AtLeast(at_least=number):
                return f"{name} at least {to_json_number(number)}"
            case AtMost(at_most=number):
                return f"{name} at most {to_json_number(number)}"
            case Includes(includes=options):
                return f"{name} with {self._list_options(question, options)}"
            case CountsAtLeast(counts_at_least=number):
                return f"{name} with {number} or more marks"
            case HasAnswer():
                return f"{name} answered"
        raise TypeError(f"no words for {statement!r}")

    @staticmethod
    def _list_options(question: Question | None, options: Iterable[str]) -> str:
        labels = {option.id: option.label for option in question.options} if question else {}
        words = [
            labels.get(name) or f"the group `{name}`" if question else name for name in options
        ]
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
