"""Structure: the tree that tells a screen reader what each text is, completed and made smaller.

A block owns its text itself, not through a span for each line; a group that says nothing is left
out; a header cell says whether it heads its row or its column, which needs no list in every cell;
what stands in the margin of every page is no part of the tree.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pydyf

Elements = dict[bytes, Any]
_SILENT = {"/Span", "/NonStruct", "/Div"}


class Completed(NamedTuple):
    """Elements that are in use no more, and the contents on each page that nothing owns."""

    unused: set[bytes]
    artifacts: list[set[int]]


def complete(pdf: Any) -> Completed:
    """Complete the tree of the PDF."""
    elements = {
        each.reference: each
        for each in pdf.objects
        if isinstance(each, pydyf.Dictionary) and each.get("Type") == "/StructElem"
    }
    loose = _loose(pdf, elements)
    for reference in loose:
        del elements[reference]
    _scope_headers(elements)
    merged = _merge(elements)
    artifacts = []
    for page in pages_of_text(pdf):
        artifacts.append({place for place, owner in enumerate(page) if owner in loose})
        page[:] = [b"null" if each in loose else _kept(each, merged) for each in page]
    for each in elements.values():
        del each["Type"]
        if not any(isinstance(kid, int) for kid in each["K"]):
            each.pop("Pg", None)
    return Completed({*merged, *loose}, artifacts)


def tidy(pdf: Any) -> None:
    """Write each element with what it shares with its neighbours first, and one kid as one."""
    for each in pdf.objects:
        if isinstance(each, pydyf.Dictionary) and {"S", "P", "K"} <= set(each):
            kids = each["K"]
            each["K"] = kids[0] if len(kids) == 1 else kids
            shared = {key: each[key] for key in _ORDER if key in each}
            rest = {key: value for key, value in each.items() if key not in shared}
            last = rest.pop("K")
            each.clear()
            each.update(shared | rest | ({} if last == [] else {"K": last}))


_ORDER = ("S", "P", "Pg", "A")


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


def _loose(pdf: Any, elements: Elements) -> set[bytes]:
    """The elements that hang on no branch of the tree: those of page margins."""
    root = pdf.objects[int(pdf.catalog["StructTreeRoot"].split()[0])]
    waiting, reached = list(root["K"]), set()
    while waiting:
        reference = waiting.pop()
        reached.add(reference)
        waiting += [kid for kid in elements[reference]["K"] if kid in elements]
    return set(elements) - reached


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
            if kid in elements:
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
