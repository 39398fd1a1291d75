"""Structure: the tree that tells a screen reader what each text is, completed and made smaller.

A block owns its text itself, not through a span for each line; a group that says nothing is left
out; a header cell says whether it heads its row or its column, which needs no list in every cell.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pydyf

Elements = dict[bytes, Any]
_SILENT = {"/Span", "/NonStruct", "/Div"}


def complete(pdf: Any) -> set[bytes]:
    """Complete the tree of the PDF; returns the elements that are in use no more."""
    elements = {
        each.reference: each
        for each in pdf.objects
        if isinstance(each, pydyf.Dictionary) and each.get("Type") == "/StructElem"
    }
    _scope_headers(elements)
    merged = _merge(elements)
    for page in pages_of_text(pdf):
        page[:] = [_kept(each, merged) for each in page]
    for each in elements.values():
        del each["Type"]
        if not any(isinstance(kid, int) for kid in each["K"]):
            each.pop("Pg", None)
    return set(merged)


def pages_of_text(pdf: Any) -> list[list[bytes]]:
    """For each page, the element that owns each marked content."""
    root = pdf.objects[int(pdf.catalog["StructTreeRoot"].split()[0])]
    numbers = pdf.objects[int(root["ParentTree"].split()[0])]["Nums"]
    return [page for page in numbers[1::2] if isinstance(page, list)]


def drop(pdf: Any, unused: set[bytes]) -> None:
    """Take objects out of the file and number the others anew."""
    kept = [each for each in pdf.objects if each.reference not in unused]
    anew = {each.reference: b"%d 0 R" % place for place, each in enumerate(kept)}
    for each in kept:
        _point(each.extra if isinstance(each, pydyf.Stream) else each, anew)
    for place, each in enumerate(kept):
        each.number = place
    pdf.objects[:] = kept


def _scope_headers(elements: Elements) -> None:
    for each in elements.values():
        if each["S"] == "/TH":
            row = elements[each["P"]]
            heads_column = elements[row["P"]]["S"] == "/THead"
            each.pop("ID", None)
            each["A"]["Scope"] = "/Column" if heads_column else "/Row"
        elif each["S"] == "/TD":
            each["A"].pop("Headers", None)
            if len(each["A"]) == 1:
                del each["A"]


def _merge(elements: Elements) -> dict[bytes, bytes]:
    """Lay what silent elements hold into their parents; returns each with who took its text."""
    merged = {}
    for reference, each in reversed(elements.items()):
        parent = elements.get(each["P"])
        if each["S"] not in _SILENT or "A" in each or parent is None:
            continue
        if any(isinstance(kid, int) for kid in each["K"]) and (
            parent.get("Pg") != each.get("Pg") or parent["S"] in _GROUPS
        ):
            continue
        place = parent["K"].index(reference)
        parent["K"][place : place + 1] = each["K"]
        for kid in each["K"]:
            if not isinstance(kid, int) and kid in elements:
                elements[kid]["P"] = each["P"]
        merged[reference] = each["P"]
    return merged


_GROUPS = {"/Document", "/Part", "/Sect", "/Art", "/Table", "/TR", "/THead", "/TBody", "/L", "/LI"}


def _kept(reference: bytes, merged: Mapping[bytes, bytes]) -> bytes:
    while reference in merged:
        reference = merged[reference]
    return reference


def _point(value: Any, anew: Mapping[bytes, bytes]) -> None:
    """Change every reference inside the value."""
    places: Iterable[Any] = ()
    if isinstance(value, dict):
        places = list(value)
    elif isinstance(value, list):
        places = range(len(value))
    for place in places:
        part = value[place]
        if isinstance(part, bytes) and part in anew:
            value[place] = anew[part]
        else:
            _point(part, anew)
