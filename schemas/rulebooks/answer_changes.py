"""Models of a file that carries answers from one version of a rulebook to another.

A question or option that is not named keeps its id and its meaning.
"""

from pydantic import Field, model_validator

from schemas.base import FrozenModel, Many, Name
from schemas.rulebooks.rulebook import Instrument, Version


class QuestionChange(FrozenModel):
    """`[[question]]`: a boolean question that became others.

    Those of `becomes` that have no answer `where_true` or `where_false` must be asked again.
    """

    id: Name
    becomes: Many[Name] = Field(min_length=1)
    where_true: dict[Name, bool] = Field(default_factory=dict)
    where_false: dict[Name, bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_answers(self) -> "QuestionChange":
        if not {*self.where_true, *self.where_false} <= {*self.becomes}:
            raise ValueError("'where_true' and 'where_false' answer questions of 'becomes'")
        return self


class OptionChange(FrozenModel):
    """`[[option]]`: an option that became others, or an answer to another question.

    `in_question` is the question of the new options, unless it is the same. With `asks_again` a
    mark can be neither kept nor dropped, so that the whole question is left unanswered.
    """

    question: Name
    id: Name
    becomes: Many[Name] = ()
    in_question: Name | None = None
    sets: dict[Name, bool] = Field(default_factory=dict)
    asks_again: bool = False

    @model_validator(mode="after")
    def _check_one_effect(self) -> "OptionChange":
        if bool(self.becomes) == bool(self.sets):
            raise ValueError("exactly one of 'becomes' and 'sets'")
        if self.asks_again and (self.sets or self.in_question):
            raise ValueError("'asks_again' belongs to 'becomes' in the same question")
        return self

    @property
    def target(self) -> str:
        """The question of the new options."""
        return self.in_question or self.question


class AnswerChanges(FrozenModel):
    """`changes/<from>-<to>.toml`; `ask_unless_carried` are asked if nothing is carried to them."""

    instrument: Instrument
    from_version: Version
    to_version: Version
    ask_unless_carried: Many[Name] = ()
    question: Many[QuestionChange] = ()
    option: Many[OptionChange] = ()
