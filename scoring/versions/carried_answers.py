"""Carries answers from one version of a rulebook to another, and lists what to ask again.

Nothing is guessed: an answer to a question whose meaning changed is carried only where the new
question would have got the same one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from schemas.rulebooks.answer_changes import AnswerChanges, OptionChange, QuestionChange
from scoring.compiled_rulebook import LoadedRulebook


class QuestionToAsk(NamedTuple):
    """A question to ask again, and the old questions whose answers could not be carried."""

    question: str
    because_of: tuple[str, ...]


class CarriedAnswers(NamedTuple):
    """Answers to the new version; `options_not_asked` are new options of answered questions."""

    answers: dict[str, Any]
    ask_again: tuple[QuestionToAsk, ...]
    options_not_asked: dict[str, tuple[str, ...]]


class AnswerCarrier:
    """Carries answers between two versions of a rulebook, whose file of changes is valid."""

    def __init__(self, changes: AnswerChanges, old: LoadedRulebook, new: LoadedRulebook) -> None:
        self._old, self._new = old, new
        self._ask_unless_carried = changes.ask_unless_carried
        self._questions = {change.id: change for change in changes.question}
        self._options = {(change.question, change.id): change for change in changes.option}

    def carry_answers(self, answers: Mapping[str, Any]) -> CarriedAnswers:
        """Return the answers to the new version; absent or None means not answered."""
        old_answers = {name: answer for name, answer in answers.items() if answer is not None}
        draft = _Draft()
        moves: list[OptionChange] = []
        for name, answer in old_answers.items():
            if name in self._questions:
                draft.carry_question(self._questions[name], answer=answer)
            elif self._old.questions[name].kind == "multi":
                moves += self._carry_options(draft, name, answer)
            else:
                draft.answers[name] = answer
        for change in moves:
            draft.move_option(change)
        for name in self._ask_unless_carried:
            if name not in draft.answers:
                draft.ask(name, self._find_sources(name))
        return CarriedAnswers(
            self._sort_options(draft.answers),
            tuple(
                QuestionToAsk(name, tuple(dict.fromkeys(draft.sources[name])))
                for name in self._new.questions
                if name in draft.sources
            ),
            self._list_new_options(draft.answers, old_answers),
        )

    def _carry_options(
        self, draft: "_Draft", question: str, marked_options: Iterable[str]
    ) -> list[OptionChange]:
        """Carry the marks of one question; return those that move to another one."""
        options: list[str] = []
        moves = []
        asks_again = False
        for option in marked_options:
            change = self._options.get((question, option))
            if change is None:
                options.append(option)
            elif change.target != question:
                moves.append(change)
            else:
                asks_again = asks_again or change.asks_again
                options += change.becomes
                draft.answers |= change.sets
        if asks_again:
            draft.ask(question, [question])
        else:
            draft.answers[question] = options
        return moves

    def _find_sources(self, question: str) -> list[str]:
        return [change.question for change in self._options.values() if question in change.sets]

    def _sort_options(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answers with each option once, all in the order of the new version."""
        sorted_answers = {}
        for name, question in self._new.questions.items():
            if name in answers:
                answer = answers[name]
                if question.kind == "multi":
                    answer = tuple(it.id for it in question.options if it.id in answer)
                sorted_answers[name] = answer
        return sorted_answers

    def _list_new_options(
        self, answers: Mapping[str, Any], old_answers: Mapping[str, Any]
    ) -> dict[str, tuple[str, ...]]:
        """Return the options of answered questions that the old version did not ask about."""
        known_options = {
            (name, it.id) for name, old in self._old.questions.items() for it in old.options
        }
        known_options |= {
            (change.target, option)
            for change in self._options.values()
            if change.question in old_answers
            for option in change.becomes
        }
        new_options = {
            name: tuple(
                option.id
                for option in self._new.questions[name].options
                if (name, option.id) not in known_options
            )
            for name in self._new.questions
            if name in answers
        }
        return {name: options for name, options in new_options.items() if options}


class _Draft:
    """Answers carried so far, and the sources of each question to ask again."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.sources: dict[str, list[str]] = {}

    def ask(self, question: str, sources: Iterable[str]) -> None:
        self.sources.setdefault(question, []).extend(sources)

    def carry_question(self, change: QuestionChange, *, answer: bool) -> None:
        answers = change.where_true if answer else change.where_false
        self.answers |= answers
        for name in change.becomes:
            if name not in answers:
                self.ask(name, [change.id])

    def move_option(self, change: OptionChange) -> None:
        """Mark the option in its new question; an unanswered one is asked, not made up."""
        if change.target in self.answers:
            self.answers[change.target] = [*self.answers[change.target], *change.becomes]
        else:
            self.ask(change.target, [change.question])
