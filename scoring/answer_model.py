"""Builds a strict pydantic model of a rulebook's answers, with one optional field per question."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StrictBool, WithJsonSchema, create_model

from schemas.base import FrozenModel, Many, Points
from schemas.rulebooks.rulebook import Question, Rulebook
from scoring.compiled_rulebook import LoadedRulebook


def validate_answers(loaded: LoadedRulebook, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored answers with exact numbers. Raises ValidationError for answers that do not fit.

    Unanswered questions are left out.
    """
    return find_answer_model(loaded).model_validate(answers).model_dump(exclude_none=True)


@cache
def find_answer_model(loaded: LoadedRulebook) -> type[BaseModel]:
    """Return the model of the answers to this rulebook; building one is expensive."""
    return build_answer_model(loaded.rulebook)


def build_answer_model(rulebook: Rulebook) -> type[BaseModel]:
    """Return the pydantic model of a flat object of answers; absent or null means not answered."""
    fields: dict[str, Any] = {
        question.id: (
            _answer_type(question) | None,
            Field(default=None, title=question.label, description=question.text),
        )
        for question in rulebook.question
    }
    header = rulebook.rulebook
    name = f"{header.instrument.title()}Answers_{header.version.replace('.', '_')}"
    return create_model(name, __base__=FrozenModel, __doc__=f"Answers to {header.name}.", **fields)


def _answer_type(question: Question) -> Any:
    options = Literal[tuple(option.id for option in question.options)] if question.options else None
    least, most = question.minimum, question.maximum
    match question.kind:
        case "boolean":
            return StrictBool
        case "integer":
            return Annotated[int, Field(strict=True, ge=int(least or 0), le=int(most or 0))]
        case "decimal":
            limits = {"minimum": int(least or 0), "maximum": int(most or 0), "multipleOf": 0.01}
            schema = WithJsonSchema({"type": "number"} | limits)
            return Annotated[Points, Field(ge=least, le=most), schema]
        case "choice":
            return options
        case "multi":
            return Annotated[
                Many[options],  # type: ignore[valid-type]
                AfterValidator(_reject_repeated_options),
                Field(json_schema_extra={"uniqueItems": True}),
            ]


def _reject_repeated_options(options: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(options)) < len(options):
        raise ValueError("must not repeat an option")
    return options
