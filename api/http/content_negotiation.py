"""Chooses the format of a report from the `Accept` header or from the suffix of the path."""

import re
from collections.abc import Iterator

from api.problems import Problem
from reports.formats import MEDIA_TYPES, SUFFIXES, Format

REPORT_FORMATS: tuple[Format, ...] = ("pdf", "html", "rtf", "txt", "xml")
MEDIA_TYPE_ALIASES: dict[str, Format] = {
    "text/rtf": "rtf",
    "application/xhtml+xml": "html",
    "application/xml": "xml",
    "text/xml": "xml",
}
_MEDIA_RANGE = re.compile(r"\s*([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)\s*((?:;[^,;]*)*)\s*")
_WEIGHT = re.compile(r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)")


def negotiate_format(accept: str | None) -> Format:
    """Return the format that `Accept` prefers; PDF if it accepts all. Raises Problem 406."""
    if accept is None or not accept.strip():
        return REPORT_FORMATS[0]
    matches: dict[Format, tuple[int, float, int]] = {}
    for position, (media_range, weight) in enumerate(_parse_media_ranges(accept)):
        for form in REPORT_FORMATS:
            specificity = _specificity(media_range, form)
            if specificity is not None and (form not in matches or specificity > matches[form][0]):
                matches[form] = (specificity, weight, -position)
    acceptable = [form for form, (_, weight, _) in matches.items() if weight]
    if not acceptable:
        raise Problem("not_acceptable")

    def preference(form: Format) -> tuple[float, int, int, int]:
        specificity, weight, earliness = matches[form]
        return weight, specificity, earliness, -REPORT_FORMATS.index(form)

    return max(acceptable, key=preference)


def find_format_by_suffix(suffix: str) -> Format:
    """Return the format of a suffix that includes its dot. Raises Problem 404."""
    for form in REPORT_FORMATS:
        if SUFFIXES[form] == suffix:
            return form
    raise Problem("not_found")


def _parse_media_ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Yield each media range with its weight; malformed ones are skipped."""
    for item in accept.split(","):
        media_range = _MEDIA_RANGE.fullmatch(item)
        if media_range is not None:
            weight = _WEIGHT.search(media_range[2])
            yield media_range[1].lower(), float(weight[1]) if weight else 1.0


def _specificity(media_range: str, form: Format) -> int | None:
    """Return 3 for the media type, 2 for an alias, 1 for `type/*`, 0 for `*/*`, else None."""
    media_type = MEDIA_TYPES[form].split(";")[0]
    if media_range == media_type:
        return 3
    if MEDIA_TYPE_ALIASES.get(media_range) == form:
        return 2
    if media_range == media_type.split("/")[0] + "/*":
        return 1
    return 0 if media_range == "*/*" else None
