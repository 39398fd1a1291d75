"""Loads the files that carry answers between versions of a rulebook, and checks them.

UnknownChangesError     the client must act: no file carries answers between these versions
"""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from schemas.rulebooks.answer_changes import AnswerChanges
from schemas.rulebooks.rulebook import Question
from scoring.catalogue import RULEBOOKS_FOLDER, RulebookError
from scoring.compiled_rulebook import LoadedRulebook
from scoring.versions.carried_answers import AnswerCarrier


class UnknownChangesError(LookupError):
    """No file carries answers between these versions."""


@cache
def load_carrier(
    old: LoadedRulebook, new: LoadedRulebook, folder: Path = RULEBOOKS_FOLDER
) -> AnswerCarrier:
    """Return what carries answers from the old to the new version.

    Raises UnknownChangesError, and RulebookError if the file does not fit both versions.
    """
    file = folder / old.instrument / "changes" / f"{old.version}-{new.version}.toml"
    if old.instrument != new.instrument or not file.is_file():
        raise UnknownChangesError(f"answers are not carried from {old.name} to {new.name}")
    try:
        changes = AnswerChanges.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise RulebookError(f"{file.name}: {error}") from error
    faults = find_change_faults(changes, old, new)
    if faults:
        raise RulebookError("\n".join(f"{file.name}: {fault}" for fault in faults))
    return AnswerCarrier(changes, old, new)


def can_carry_answers(old: LoadedRulebook, new: LoadedRulebook) -> bool:
    """Return whether a file carries answers from the old to the new version."""
    try:
        load_carrier(old, new)
    except UnknownChangesError:
        return False
    return True


def find_change_faults(
    changes: AnswerChanges, old: LoadedRulebook, new: LoadedRulebook
) -> list[str]:
    """Return a message for each id that does not exist, and each answer that would be lost."""
    names = (changes.instrument, changes.from_version, changes.to_version)
    if names != (old.instrument, old.version, new.version):
        return [f"is of {'@'.join(names[:2])} to {names[2]}, not of {old.name} to {new.name}"]
    return [
        *_find_unknown_ids(changes, old, new),
        *_find_lost_questions(changes, old, new),
        *_find_lost_options(changes, old, new),
    ]


def _find_unknown_ids(
    changes: AnswerChanges, old: LoadedRulebook, new: LoadedRulebook
) -> list[str]:
    faults = [
        f"question {change.id}: is not a boolean question of {old.name}"
        for change in changes.question
        if change.id not in old.questions or old.questions[change.id].kind != "boolean"
    ]
    new_questions = [*changes.ask_unless_carried]
    new_questions += [name for change in changes.question for name in change.becomes]
    new_questions += [name for change in changes.option for name in change.sets]
    faults += [f"unknown question {name}" for name in new_questions if name not in new.questions]
    for change in changes.option:
        if change.id not in _list_options(old.questions.get(change.question)):
            faults.append(f"option {change.question} > {change.id}: is not one of {old.name}")
        faults += [
            f"option {change.target} > {name}: is not one of {new.name}"
            for name in change.becomes
            if name not in _list_options(new.questions.get(change.target))
        ]
    return faults


def _find_lost_questions(
    changes: AnswerChanges, old: LoadedRulebook, new: LoadedRulebook
) -> list[str]:
    changed_ids = {change.id for change in changes.question}
    return [
        f"question {name}: no change says what becomes of it"
        for name, question in old.questions.items()
        if name not in changed_ids
        and (name not in new.questions or new.questions[name].kind != question.kind)
    ]


def _find_lost_options(
    changes: AnswerChanges, old: LoadedRulebook, new: LoadedRulebook
) -> list[str]:
    changed_options = {(change.question, change.id) for change in changes.option}
    return [
        f"option {name} > {option}: no change says what becomes of it"
        for name, question in old.questions.items()
        if name in new.questions
        for option in _list_options(question)
        if option not in _list_options(new.questions[name])
        and (name, option) not in changed_options
    ]


def _list_options(question: Question | None) -> list[str]:
    return [option.id for option in question.options] if question else []
