"""Complete and reduce the structure tree, which tells screen readers the role of each text.

A block owns its text directly, not through a span per line; groups without a role are left out;
a header cell names its scope, so that cells need no list of headers; page margins are artifacts.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pydyf

Elements = dict[bytes, Any]
_WITHOUT_ROLE = {"/Span", "/NonStruct", "/Div"}


class CompletedTree(NamedTuple):
    """The unused elements, and the marked contents of each page that have no owner."""

    unused: set[bytes]
    artifacts: list[set[int]]


def complete_tree(pdf: Any) -> CompletedTree:
    """Complete the tree of the PDF."""
    elements = {
        obj.reference: obj
        for obj in pdf.objects
        if isinstance(obj, pydyf.Dictionary) and obj.get("Type") == "/StructElem"
    }
    detached = _find_detached_elements(pdf, elements)
    for reference in detached:
        del elements[reference]
    _scope_headers(elements)
    merged = _merge_elements(elements)
    artifacts = []
    for owners in list_page_owners(pdf):
        artifacts.append({mark for mark, owner in enumerate(owners) if owner in detached})
        owners[:] = [
            b"null" if owner in detached else _find_merged_owner(owner, merged) for owner in owners
        ]
    for element in elements.values():
        del element["Type"]
        if not any(isinstance(kid, int) for kid in element["K"]):
            element.pop("Pg", None)
    return CompletedTree({*merged, *detached}, artifacts)


def sort_keys(pdf: Any) -> None:
    """Put the keys that elements share with their neighbours first; unwrap single kids."""
    for obj in pdf.objects:
        if isinstance(obj, pydyf.Dictionary) and {"S", "P", "K"} <= set(obj):
            shared_keys = {key: obj[key] for key in _ORDER if key in obj}
            rest = {key: value for key, value in obj.items() if key not in shared_keys}
            kids = rest.pop("K")
            obj.clear()
            obj.update(shared_keys | rest)
            if kids:
                obj["K"] = kids[0] if len(kids) == 1 else kids


_ORDER = ("S", "P", "Pg", "A")


def list_page_owners(pdf: Any) -> list[list[bytes]]:
    """Return for each page the elements that own its marked contents."""
    root = pdf.objects[int(pdf.catalog["StructTreeRoot"].split()[0])]
    numbers = pdf.objects[int(root["ParentTree"].split()[0])]["Nums"]
    return [page for page in numbers[1::2] if isinstance(page, list)]


def drop_objects(pdf: Any, unused: set[bytes]) -> None:
    """Remove the unused objects and renumber the others."""
    remaining = [obj for obj in pdf.objects if obj.reference not in unused]
    references = {obj.reference: b"%d 0 R" % number for number, obj in enumerate(remaining)}
    for obj in remaining:
        _replace_references(obj.extra if isinstance(obj, pydyf.Stream) else obj, references)
    for number, obj in enumerate(remaining):
        obj.number = number
    pdf.objects[:] = remaining


def _find_detached_elements(pdf: Any, elements: Elements) -> set[bytes]:
    """Return the elements that are not in the tree: those of page margins."""
    root = pdf.objects[int(pdf.catalog["StructTreeRoot"].split()[0])]
    queue, attached = list(root["K"]), set()
    while queue:
        reference = queue.pop()
        attached.add(reference)
        queue += [kid for kid in elements[reference]["K"] if kid in elements]
    return set(elements) - attached


def _scope_headers(elements: Elements) -> None:
    for element in elements.values():
        if element["S"] == "/TH":
            row = elements[element["P"]]
            heads_column = elements[row["P"]]["S"] == "/THead"
            element.pop("ID", None)
            element["A"]["Scope"] = "/Column" if heads_column else "/Row"
        elif element["S"] == "/TD":
            element["A"].pop("Headers", None)
            if len(element["A"]) == 1:
                del element["A"]


def _merge_elements(elements: Elements) -> dict[bytes, bytes]:
    """Merge elements without role into their parents; return each merged one with its parent."""
    merged = {}
    for reference, element in reversed(elements.items()):
        parent = elements.get(element["P"])
        if element["S"] not in _WITHOUT_ROLE or "A" in element or parent is None:
            continue
        if any(isinstance(kid, int) for kid in element["K"]) and (
            parent.get("Pg") != element.get("Pg") or parent["S"] in _GROUPS
        ):
            continue
        index = parent["K"].index(reference)
        parent["K"][index : index + 1] = element["K"]
        for kid in element["K"]:
            if kid in elements:
                elements[kid]["P"] = element["P"]
        merged[reference] = element["P"]
    return merged


_GROUPS = {"/Document", "/Part", "/Sect", "/Art", "/Table", "/TR", "/THead", "/TBody", "/L", "/LI"}


def _find_merged_owner(reference: bytes, merged: Mapping[bytes, bytes]) -> bytes:
    while reference in merged:
        reference = merged[reference]
    return reference


def _replace_references(value: Any, references: Mapping[bytes, bytes]) -> None:
    """Replace every reference inside the value."""
    keys: Iterable[Any] = ()
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        part = value[key]
        if isinstance(part, bytes) and part in references:
            value[key] = references[part]
        else:
            _replace_references(part, references)
