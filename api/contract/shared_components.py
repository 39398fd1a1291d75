"""Moves what many operations have in common to components, so that the document says it once.

Responses of one status, parameters of one name, and examples. Of each name the most frequent
wording becomes the component; an operation with another wording keeps its own.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

OpenApiObject = dict[str, Any]
_INTAKE = re.compile(r"(?:Storable)?Intake(?:ToRescore)?")
_MIN_EXAMPLE_CHARACTERS = 300


class _Candidates:
    """The objects that could become components of one kind, by the name they would have."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._places: dict[str, list[tuple[OpenApiObject, str]]] = defaultdict(list)

    def add(self, name: str, parent: Any, key: Any) -> None:
        self._places[name].append((parent, key))

    def share(self, components: OpenApiObject) -> None:
        """Replace the most frequent object of each name, if it occurs twice, by a reference."""
        shared = components.setdefault(self._kind, {})
        for name, places in sorted(self._places.items()):
            texts = [json.dumps(parent[key], sort_keys=True) for parent, key in places]
            text, count = Counter(texts).most_common(1)[0]
            if count > 1:
                shared[name] = json.loads(text)
                reference = {"$ref": f"#/components/{self._kind}/{name}"}
                for (parent, key), own in zip(places, texts, strict=True):
                    if own == text:
                        parent[key] = dict(reference)


def share_components(document: OpenApiObject) -> None:
    """Replace repeated responses, parameters and examples by references to components."""
    responses, parameters = _Candidates("responses"), _Candidates("parameters")
    examples = _Candidates("examples")
    example_names: dict[str, str] = {}
    for path, operation in _list_operations(document):
        for status, response in operation["responses"].items():
            if _is_shared(status):
                responses.add(_name_response(status, response), operation["responses"], status)
        for position, parameter in enumerate(operation.get("parameters", ())):
            parameters.add(_name_parameter(path, parameter), operation["parameters"], position)
        _add_examples(operation, example_names, examples)
    for candidates in (responses, parameters, examples):
        candidates.share(document["components"])


def name_intakes(document: OpenApiObject) -> None:
    """Move the unions of intakes to components, so that generated names do not count them."""
    schemas = document["components"]["schemas"]
    for _, operation in _list_operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            is_list = "items" in content["schema"]
            parent, key = (content["schema"], "items") if is_list else (content, "schema")
            union = parent[key]
            if union.get("discriminator", {}).get("propertyName") == "rulebook":
                name = _INTAKE.findall(json.dumps(union["oneOf"][0]))[0]
                schemas[name] = union | {"title": name}
                parent[key] = {"$ref": f"#/components/schemas/{name}"}


def _list_operations(document: OpenApiObject) -> Iterator[tuple[str, OpenApiObject]]:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            yield path, operation


def _is_shared(status: str) -> bool:
    """Return whether answers of this status hold nothing of the operation's own."""
    return status == "204" or status >= "300"


def _name_response(status: str, response: OpenApiObject) -> str:
    """Return a name such as `Problem404`, `Outcome429` or `PublicProblem429`."""
    media_types = " ".join(response.get("content", ()))
    kind = "Outcome" if "fhir" in media_types else "Problem" if media_types else "Empty"
    has_quota = "RateLimit" in response.get("headers", {})
    public = "" if has_quota or status not in {"304", "429"} else "Public"
    return f"{public}{kind}{status}"


def _name_parameter(path: str, parameter: OpenApiObject) -> str:
    """Return a name such as `screening`, `Idempotency-Key` or `fhir_count`."""
    face = "fhir_" if path.startswith("/fhir") else ""
    name = re.sub(r"[^\w.-]", "-", parameter["name"]).strip("_-")
    return f"{face}{name}" + ("_path" if face and parameter["in"] == "path" else "")


def _add_examples(operation: OpenApiObject, names: dict[str, str], examples: _Candidates) -> None:
    """Add each long example under the name of the first operation that has it."""
    bodies = {"request": operation.get("requestBody", {})} | operation["responses"]
    for part, body in bodies.items():
        for content in body.get("content", {}).values():
            for key, example in content.get("examples", {}).items():
                text = json.dumps(example, sort_keys=True)
                if len(text) >= _MIN_EXAMPLE_CHARACTERS:
                    name = f"{operation['operationId']}.{part}.{key}"
                    examples.add(names.setdefault(text, name), content["examples"], key)
