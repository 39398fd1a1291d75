"""One table of cases of RFC 9110, section 12.5, for the negotiator and for every face over HTTP.

A case names the first choice of the server, `{a}`, another offer, `{b}`, one that it does not have,
`{x}`, and everything, `{any}`; then what is chosen of both, and what if `{a}` is the only offer.
"""

from typing import NamedTuple

import pytest
from support.batch_files import complete_batch, rows
from support.callers import calling

from api.http.content_negotiation import (
    is_gzip_accepted,
    negotiate_language,
    negotiate_media_type,
    require_media_type,
)
from api.problems import Problem

A, B = "a", "b"
CASES = [
    ("", A, A),
    ("{any}", A, A),
    ("{a}", A, A),
    ("{b}", B, None),
    ("{x}", None, None),
    ("{x}, {b}", B, None),
    ("{a};q=0.1, {b}", B, A),
    ("{b};q=0.5, {a};q=0.501", A, A),
    ("{a} ; q=0.1 , {b} ; q=0.2", B, A),
    ("{a};Q=0.1, {b};Q=0.2", B, A),
    ("{b}, {a}", B, A),
    ("{any}, {b}", B, A),
    ("{any};q=0.1, {b}", B, A),
    ("{b};q=0.1, {any}", A, A),
    ("{a};q=0, {b}", B, None),
    ("{a};q=0.0, {b}", B, None),
    ("{a};q=0.000, {b};q=0.001", B, None),
    ("{a};q=0, {any}", B, None),
    ("{any}, {a};q=0", B, None),
    ("{any};q=0", None, None),
    ("{any};q=0, {b};q=0.1", B, None),
    ("{a};q=0", None, None),
    ("{a};q=2, {b};q=0.1", B, None),
    ("{a};q=much, {b};q=0.1", B, None),
    ("{A}", A, A),
    ("{B}", B, None),
    ("{x};q=1, {a};q=0.2, {b};q=0.3", B, A),
]
MEDIA_TYPE_CASES = [
    ("{a};charset=utf-8", A, A),
    ("{b}; charset=UTF-8; q=0.1", B, None),
    ("{a};level=9", None, None),
    ("{a};level=9, {b};q=0.1", B, None),
    ("nonsense, {b}", B, None),
    ("*, {b};q=0.1", B, None),
]


class Face(NamedTuple):
    """A resource with its first choice, another offer of it, and the header that is negotiated."""

    path: str
    a: str
    b: str
    method: str = "GET"


FACES = {
    "report": Face("/v1/score/report", "application/pdf", "text/html", "POST"),
    "batch results": Face("", "text/csv", "application/x-ndjson"),
    "audit": Face("/v1/audit", "application/x-ndjson", "application/fhir+ndjson"),
}


def fill_in(case: str, a: str, b: str, unknown: str, wildcard: str) -> str:
    return case.format(a=a, b=b, A=a.upper(), B=b.upper(), x=unknown, any=wildcard)


def build_accept(case: str, a: str, b: str) -> str:
    return fill_in(case, a, b, "image/png", "*/*")


@pytest.fixture(scope="module")
def batch_results(service, clinic) -> str:
    return complete_batch(calling(service, clinic), rows(1))["links"]["results"]


@pytest.mark.parametrize(("case", "of_both", "of_one"), CASES + MEDIA_TYPE_CASES)
def test_a_media_type_is_negotiated_as_the_rfc_says(case, of_both, of_one):
    offered = {A: "text/csv", B: "application/x-ndjson"}
    accept = build_accept(case, *offered.values())
    results = {None: None, A: offered[A], B: offered[B]}
    assert negotiate_media_type(accept, offered.values()) == results[of_both]
    assert negotiate_media_type(accept, [offered[A]]) == results[of_one]


@pytest.mark.parametrize(("case", "of_both", "of_one"), CASES)
def test_a_language_is_negotiated_as_the_rfc_says(case, of_both, of_one):
    header = fill_in(case, "en", "de", "fr", "*")
    results = {None: None, A: "en", B: "de"}
    assert negotiate_language(header, ["en", "de"]) == results[of_both]
    assert negotiate_language(header, ["en"]) == results[of_one]


def test_without_a_header_the_server_chooses():
    assert negotiate_media_type(None, ["text/csv", "text/html"]) == "text/csv"
    assert negotiate_language(None, ["en", "de"]) == "en"


RFC_EXAMPLE = (
    "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, "
    "*/*;q=0.5"
)


@pytest.mark.parametrize(
    ("preferred", "other"),
    [
        ("text/plain;format=flowed", "text/plain"),
        ("text/plain", "image/jpeg"),
        ("image/jpeg", "text/plain;format=fixed"),
        ("text/plain;format=fixed", "text/html;level=3"),
        ("text/plain;format=fixed", "text/html"),
    ],
)
def test_the_most_specific_range_gives_the_quality(preferred, other):
    assert negotiate_media_type(RFC_EXAMPLE, [other, preferred]) == preferred


def test_an_alias_names_an_offered_media_type_and_refuses_it():
    offered, aliases = ["text/csv", "text/html"], {"application/xhtml+xml": "text/html"}
    assert negotiate_media_type("application/xhtml+xml", offered, aliases) == "text/html"
    assert (
        negotiate_media_type("application/xhtml+xml;q=0, */*;q=0.1", offered[1:], aliases) is None
    )


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("br", False),
        ("*", True),
        ("*;q=0", False),
        ("*, gzip;q=0", False),
        ("*;q=0, gzip", True),
    ],
)
def test_gzip_is_accepted_by_name_or_else_by_a_star(header, accepted):
    assert is_gzip_accepted(header) is accepted


def test_a_range_of_a_type_ends_at_its_slash():
    assert negotiate_media_type("text/*", ["texts/plain", "text/csv"]) == "text/csv"
    assert negotiate_media_type("text/*", ["texts/plain"]) is None


def test_a_refusal_names_what_may_be_accepted():
    with pytest.raises(Problem) as refusal:
        require_media_type("text/html", ["text/csv", "application/json"])
    assert refusal.value.code == "not_acceptable"
    assert refusal.value.detail == "`Accept` must allow one of: text/csv, application/json."


def test_a_client_that_accepts_problems_alone_gets_the_first_type():
    offered = ["application/pdf", "text/html"]
    assert require_media_type("application/problem+json", offered) == "application/pdf"
    assert require_media_type("text/html, application/problem+json", offered) == "text/html"
    for accept in ("application/json", "application/problem+json;q=0"):
        with pytest.raises(Problem) as refusal:
            require_media_type(accept, offered)
        assert refusal.value.code == "not_acceptable"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-CH", "de"),
        ("de-CH;q=0.5, en;q=0.4", "de"),
        ("de-CH;q=0.5, de;q=0.3, en;q=0.4", "en"),
        ("de-CH;q=0, de;q=0.3", "de"),
        ("den", None),
    ],
)
def test_a_range_with_a_region_matches_its_language(header, language):
    assert negotiate_language(header, ["en", "de"]) == language


@pytest.mark.parametrize(("case", "of_both", "_"), CASES + MEDIA_TYPE_CASES)
@pytest.mark.parametrize("face", FACES)
def test_every_resource_negotiates_so(client, intake, batch_results, face, case, of_both, _):
    path, a, b, method = FACES[face]
    response = client.request(
        method,
        path or batch_results,
        headers={"Accept": build_accept(case, a, b)},
        json=intake if method == "POST" else None,
    )
    if of_both is None:
        assert (response.status_code, response.json()["type"]) == (406, "/problems/not_acceptable")
    else:
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].partition(";")[0] == {A: a, B: b}[of_both]


@pytest.mark.parametrize(("case", "_", "of_one"), CASES + MEDIA_TYPE_CASES)
def test_a_fhir_resource_with_one_format_negotiates_so(anonymous, case, _, of_one):
    accept = build_accept(case, "application/fhir+json", "application/pdf")
    response = anonymous.get("/fhir/metadata", headers={"Accept": accept})
    assert response.status_code == (406 if of_one is None else 200)


@pytest.mark.parametrize(("case", "of_both", "_"), CASES)
def test_a_page_negotiates_its_language_so(anonymous, case, of_both, _):
    header = fill_in(case, "en", "de", "fr", "*")
    response = anonymous.get("/sign-in", headers={"Accept-Language": header})
    assert response.headers["content-language"] == {A: "en", B: "de", None: "en"}[of_both]
