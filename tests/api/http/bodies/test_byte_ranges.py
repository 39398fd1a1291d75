"""Byte ranges of a download: a range is cut from the same bytes as the whole file."""

import asyncio

import pytest
from fastapi import Request, Response
from hypothesis import given
from hypothesis import strategies as st

from api.http.bodies.byte_ranges import FileDownload, build_file_response, cut_bytes, resolve_bounds
from api.problems import Problem

PIECES = st.lists(st.binary(max_size=9), max_size=9)
BOUNDS = st.integers(0, 90)


def request_file(pieces: list[bytes], **headers: str) -> Response:
    raw_headers = [
        (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
    ]
    request = Request({"type": "http", "headers": raw_headers})
    return build_file_response(
        request, FileDownload("text/csv", "f.csv", "tag", lambda: iter(pieces))
    )


def read_body(response: Response) -> bytes:
    async def read() -> bytes:
        return b"".join([part async for part in response.body_iterator])

    return asyncio.run(read())


@given(PIECES, BOUNDS, BOUNDS)
def test_the_cut_pieces_are_the_slice_of_the_file(pieces, start, end):
    assert b"".join(cut_bytes(iter(pieces), start, end)) == b"".join(pieces)[start:end]


@given(PIECES, BOUNDS, BOUNDS)
def test_a_range_of_two_bounds_is_that_slice_or_refused(pieces, first, last):
    content = b"".join(pieces)
    if first > last or first >= len(content):
        with pytest.raises(Problem) as refusal:
            request_file(pieces, range=f"bytes={first}-{last}")
        assert refusal.value.code == "range_not_satisfiable"
        assert refusal.value.headers["Content-Range"] == f"bytes */{len(content)}"
        return
    response = request_file(pieces, range=f"bytes={first}-{last}")
    body = content[first : last + 1]
    assert (response.status_code, read_body(response)) == (206, body)
    assert response.headers["content-length"] == str(len(body))
    end = first + len(body) - 1
    assert response.headers["content-range"] == f"bytes {first}-{end}/{len(content)}"


@pytest.mark.parametrize("byte_range", [None, "bytes=1-2"])
def test_a_download_says_its_name_its_tag_and_that_ranges_may_be_asked_for(byte_range):
    headers = request_file([b"abcd"], **({"range": byte_range} if byte_range else {})).headers
    assert headers["content-disposition"] == 'attachment; filename="f.csv"'
    assert (headers["etag"], headers["accept-ranges"]) == ('"tag"', "bytes")
    assert (headers["vary"], headers["content-type"]) == ("Accept", "text/csv; charset=utf-8")


def test_no_piece_after_the_range_is_read():
    pieces = iter([b"ab", b"cd", b"ef"])
    assert b"".join(cut_bytes(pieces, 1, 4)) == b"bcd"
    assert next(pieces) == b"ef"


@given(PIECES.filter(any), BOUNDS)
def test_a_range_and_the_bytes_before_it_are_the_whole_file(pieces, start):
    content = b"".join(pieces)
    start %= len(content)
    rest = read_body(request_file(pieces, range=f"bytes={start}-"))
    assert content[:start] + rest == content


@given(PIECES.filter(any), st.integers(1, 90))
def test_a_suffix_range_is_the_end_of_the_file(pieces, length):
    response = request_file(pieces, range=f"bytes=-{length}")
    assert (response.status_code, read_body(response)) == (206, b"".join(pieces)[-length:])


@pytest.mark.parametrize(
    ("first", "last", "bounds"),
    [
        ("0", "0", (0, 1)),
        ("0", "9", (0, 10)),
        ("0", "10", (0, 10)),
        ("9", "", (9, 10)),
        ("10", "", (10, 10)),
        ("", "0", (10, 10)),
        ("", "10", (0, 10)),
        ("", "11", (0, 10)),
    ],
)
def test_bounds_are_resolved_on_both_sides_of_the_end(first, last, bounds):
    assert resolve_bounds(first, last, 10) == bounds


@pytest.mark.parametrize(
    "header", ["bytes=-", "bytes=0-1,4-5", "items=0-1", "bytes=a-b", "bytes=0", ""]
)
def test_a_range_that_is_not_one_byte_range_is_ignored(header):
    response = request_file([b"abc", b"def"], range=header)
    assert (response.status_code, read_body(response)) == (200, b"abcdef")


@pytest.mark.parametrize(("etag", "status"), [('"tag"', 206), ('"other"', 200), ("tag", 200)])
def test_a_range_of_another_version_is_ignored(etag, status):
    response = request_file([b"abcdef"], range="bytes=0-1", if_range=etag)
    assert response.status_code == status
