"""Writes an assessment as JSON from its parts, each of which remembers its own JSON."""

from collections.abc import Callable
from typing import Any

from pydantic import MISSING, TypeAdapter
from pydantic_core import to_json

from schemas.assessments.assessment import Assessment
from schemas.base import FrozenPart


def write_assessment(assessment: Assessment) -> bytes:
    """Return the bytes of `assessment.model_dump_json(by_alias=True)`."""
    members = [
        key + (_join_parts(value) or write(value))
        for name, key, write in _MEMBERS
        if (value := getattr(assessment, name)) is not MISSING
    ]
    return b"{" + b",".join(members) + b"}"


def _join_parts(value: Any) -> bytes | None:
    """Return the JSON of a part, or of several in a tuple or by name; None for anything else."""
    if isinstance(value, FrozenPart):
        return value.json
    if isinstance(value, tuple) and value and isinstance(value[0], FrozenPart):
        return b"[" + b",".join([part.json for part in value]) + b"]"
    if isinstance(value, dict) and isinstance(next(iter(value.values()), None), FrozenPart):
        members = [_write_key(name) + part.json for name, part in value.items()]
        return b"{" + b",".join(members) + b"}"
    return None


def _write_key(name: str) -> bytes:
    return to_json(name) + b":"


def _compile_members() -> list[tuple[str, bytes, Callable[[Any], bytes]]]:
    """Return each field with its key as JSON and the function that writes its value."""
    return [
        (name, _write_key(name), TypeAdapter(field.rebuild_annotation()).serializer.to_json)
        for name, field in Assessment.model_fields.items()
    ]


_MEMBERS = _compile_members()
