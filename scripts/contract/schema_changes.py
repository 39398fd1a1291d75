"""Compares two JSON Schemas: whether the second takes, or sends, what the first did."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
_UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")


class SchemaComparison:
    """Compares schemas of two descriptions, in requests or in answers; a pair of models once."""

    def __init__(self, last_release: Schema, present: Schema, *, of_requests: bool) -> None:
        self._components = (last_release["components"], present["components"])
        self._of_requests = of_requests
        self._faults: dict[tuple[str, str], list[str]] = {}

    def resolve(self, value: Schema, side: int = 1) -> Schema:
        """Return what a reference names, of the released (0) or the present description (1)."""
        while "$ref" in value:
            _, _, kind, name = value["$ref"].split("/")
            value = self._components[side][kind][name]
        return value

    def compare(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        """Yield what was taken and is so no more, or is sent and never was.

        Each alternative is compared with the one on the other side that is most like it.
        """
        sides = list(self._list_parts(old, 0)), list(self._list_parts(new, 1))
        here, there = (0, 1) if self._of_requests else (1, 0)
        for part in sides[here]:
            name, kind = _get_name(part), self.resolve(part, here).get("type")
            same = [it for it in sides[there] if name is not None and _get_name(it) == name]
            alike = [it for it in sides[there] if self.resolve(it, there).get("type") == kind]
            if self._is_new_kind(name, same, alike, len(sides[here])):
                yield f"{place}: may be {name}"
                continue
            pairs = [(part, other)[:: 1 if self._of_requests else -1] for other in same or alike]
            yield from (
                min((self._compare_parts(place, *pair) for pair in pairs), key=len)
                if pairs
                else [f"{place}: {'no longer takes' if self._of_requests else 'may be'} {kind}"]
            )

    def _is_new_kind(
        self, name: str | None, same: list[Schema], alike: list[Schema], count: int
    ) -> bool:
        """Return whether a model is new among the models that an answer may have in a place."""
        is_new = name is not None and not same and count > 1
        return is_new and not self._of_requests and bool(alike) and all(map(_get_name, alike))

    def _list_parts(self, schema: Schema, side: int) -> Iterator[Schema]:
        """Yield each alternative of a schema; a model as its reference, others with one type."""
        resolved = self.resolve(schema, side)
        alternatives = resolved.get("anyOf", resolved.get("oneOf"))
        if alternatives is not None:
            for alternative in alternatives:
                yield from self._list_parts(alternative, side)
        elif isinstance(resolved.get("type"), list):
            yield from (resolved | {"type": kind} for kind in resolved["type"])
        else:
            yield schema

    def _compare_parts(self, place: str, old: Schema, new: Schema) -> list[str]:
        names = _get_name(old), _get_name(new)
        old, new = self.resolve(old, 0), self.resolve(new, 1)
        if names[0] is None or names[1] is None:
            return list(self._list_faults(place, old, new))
        if (names[0], names[1]) not in self._faults:
            self._faults[names[0], names[1]] = []  # a model may contain itself
            place = f"{'request' if self._of_requests else 'answer'} model {names[1]}"
            self._faults[names[0], names[1]] = list(self._list_faults(place, old, new))
        return self._faults[names[0], names[1]]

    def _list_faults(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        if self._of_requests:
            yield from _list_narrowed(place, old, new)
        yield from self._compare_members(place, old, new)
        for inner in ("items", "additionalProperties"):
            if isinstance(old.get(inner), dict) and isinstance(new.get(inner), dict):
                yield from self.compare(f"{place}[]", old[inner], new[inner])

    def _compare_members(self, place: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, member in before.items():
            if name in after:
                yield from self.compare(f"{place}: {name}", member, after[name])
            elif new.get("additionalProperties") is False or not self._of_requests:
                yield f"{place}: {name} removed"
        required = set(old.get("required", ())), set(new.get("required", ()))
        if self._of_requests:
            yield from (f"{place}: {name} newly required" for name in required[1] - required[0])
        else:
            for name in (required[0] - required[1]) & after.keys():
                yield f"{place}: {name} no longer always sent"


def _get_name(schema: Schema) -> str | None:
    name: str | None = schema.get("$ref", "").rpartition("/")[2] or None
    return name


def _list_narrowed(place: str, old: Schema, new: Schema) -> Iterator[str]:
    words = _list_words(old), _list_words(new)
    if words[1] is not None:
        if words[0] is None:
            yield f"{place}: takes only listed words"
        else:
            yield from (f"{place}: takes {word} no more" for word in words[0] - words[1])
    for names, sign in ((_UPPER, 1), (_LOWER, -1)):
        for name in names:
            if name in new and (name not in old or sign * new[name] < sign * old[name]):
                yield f"{place}: {name} is now {new[name]}"
    if new.get("pattern") not in {None, old.get("pattern")}:
        yield f"{place}: another pattern"


def _list_words(schema: Schema) -> set[str] | None:
    if "const" in schema:
        return {str(schema["const"])}
    return {str(word) for word in schema["enum"]} if "enum" in schema else None
