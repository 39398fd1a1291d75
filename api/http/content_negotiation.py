"""Negotiates media types and languages as RFC 9110, section 12.5, says.

The offered value of the highest quality wins, and takes its quality from the most specific range
that matches it; a quality of zero refuses. Between equals the more specific range, then the earlier
one, then the order of the offer decides. Malformed ranges are ignored.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from werkzeug.http import parse_accept_header, parse_options_header

from api.problems import PROBLEM_MEDIA_TYPE, Problem


def negotiate_media_type(
    accept: str | None, offered: Iterable[str], aliases: Mapping[str, str] | None = None
) -> str | None:
    """Return the offered media type that `Accept` prefers, or None if it accepts none of them.

    `aliases` maps other names to offered media types. A parameter of a range must be one of the
    offered media type, except `charset`: all text is UTF-8.
    """

    def match(media_range: str, media_type: str) -> int | None:
        name, required_parameters = parse_options_header(media_range)
        required_parameters.pop("charset", None)
        name = (aliases or {}).get(name, name)
        offered_name, parameters = parse_options_header(media_type)
        if name == "*/*":
            return 0
        if name.endswith("/*"):
            return 1 if offered_name.startswith(name[:-1]) else None
        if name != offered_name or not required_parameters.items() <= parameters.items():
            return None
        return 2 + len(required_parameters)

    return _select_best(offered, _parse_ranges(accept, "*/*"), match)


def is_gzip_accepted(accept_encoding: str | None) -> bool:
    """Return whether the caller accepts gzip; without the header it gets no encoding."""
    codings = parse_accept_header(accept_encoding) if accept_encoding else ()
    qualities = {coding.lower(): quality for coding, quality in codings}
    return bool(qualities.get("gzip", qualities.get("*", 0)))


def require_media_type(
    accept: str | None, offered: Collection[str], aliases: Mapping[str, str] | None = None
) -> str:
    """Return the offered media type that `Accept` prefers. Raises Problem 406.

    Generated clients name the only JSON that the operation has, the one of its problems, and take
    what comes: they get the first type.
    """
    media_type = negotiate_media_type(accept, offered, aliases)
    if media_type is None and negotiate_media_type(accept, [PROBLEM_MEDIA_TYPE]):
        media_type = next(iter(offered))
    if media_type is None:
        raise Problem("not_acceptable", f"`Accept` must allow one of: {', '.join(offered)}.")
    return media_type


def negotiate_language(accept_language: str | None, offered: Iterable[str]) -> str | None:
    """Return the offered language that `Accept-Language` prefers, or None if it accepts none.

    A range with a region also matches its language, unless it refuses.
    """
    ranges = [
        (name, quality)
        for name, quality in _parse_ranges(accept_language, "*")
        if quality or "-" not in name
    ]
    return _select_best(offered, ranges, _match_language)


def _parse_ranges(header: str | None, default: str) -> list[tuple[str, float]]:
    ranges = parse_accept_header(header if header and header.strip() else default)
    return [(name.lower(), quality) for name, quality in ranges]


def _select_best(
    offered: Iterable[str], ranges: list[tuple[str, float]], match: Callable[[str, str], int | None]
) -> str | None:
    """Return the offered value of the highest quality; `match` gives the specificity of a range."""
    best, best_rank = None, (0.0, 0, 0)
    for value in offered:
        matches = [
            (specificity, quality, -position)
            for position, (name, quality) in enumerate(ranges)
            if (specificity := match(name, value)) is not None
        ]
        specificity, quality, earliness = max(matches, default=(0, 0.0, 0))
        rank = quality, specificity, earliness
        if quality and (best is None or rank > best_rank):
            best, best_rank = value, rank
    return best


def _match_language(language_range: str, language: str) -> int | None:
    if language_range == "*":
        return 0
    if language_range == language:
        return 2
    return 1 if language_range.startswith(f"{language}-") else None
