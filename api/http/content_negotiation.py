"""Negotiation: which format a report goes out in, from `Accept` or from the end of the address."""

import re
from collections.abc import Iterator

from api.problems import Problem
from reports.formats import MEDIA_TYPES, SUFFIXES, Format

OFFERED: tuple[Format, ...] = ("pdf", "html", "rtf", "txt", "xml")
ALSO: dict[str, Format] = {
    "text/rtf": "rtf",
    "application/xhtml+xml": "html",
    "application/xml": "xml",
    "text/xml": "xml",
}
_ITEM = re.compile(r"\s*([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)\s*((?:;[^,;]*)*)\s*")
_WEIGHT = re.compile(r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)")


def by_accept(accept: str | None) -> Format:
    """The format that `Accept` likes best; PDF where it likes all. Raises Problem 406."""
    if accept is None or not accept.strip():
        return OFFERED[0]
    liked: dict[Format, tuple[int, float, int]] = {}
    for place, (named, weight) in enumerate(_items(accept)):
        for form in OFFERED:
            exact = _exactness(named, form)
            if exact is not None and (form not in liked or exact > liked[form][0]):
                liked[form] = (exact, weight, -place)
    wanted = [form for form, (_, weight, _) in liked.items() if weight]
    if not wanted:
        raise Problem("not_acceptable")
    return max(
        wanted, key=lambda form: (*liked[form][1:2], *liked[form][::2], -OFFERED.index(form))
    )


def by_suffix(suffix: str) -> Format:
    """The format of an address that ends so, with its dot. Raises Problem 404."""
    for form in OFFERED:
        if SUFFIXES[form] == suffix:
            return form
    raise Problem("not_found")


def _items(accept: str) -> Iterator[tuple[str, float]]:
    """Each media range with its weight; what is no range is passed over."""
    for item in accept.split(","):
        found = _ITEM.fullmatch(item)
        if found is not None:
            weighed = _WEIGHT.search(found[2])
            yield found[1].lower(), float(weighed[1]) if weighed else 1.0


def _exactness(named: str, form: Format) -> int | None:
    """3 for the type itself, 2 for another name of it, 1 for its group, 0 for all; else None."""
    kind = MEDIA_TYPES[form].split(";")[0]
    if named == kind:
        return 3
    if ALSO.get(named) == form:
        return 2
    if named == kind.split("/")[0] + "/*":
        return 1
    return 0 if named == "*/*" else None
