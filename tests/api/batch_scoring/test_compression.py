"""A compressed file that is cut off or damaged is refused, never read in part."""

import io

import pytest
import zstandard

from api.batch_scoring.compression import DamagedInputError, compress_member, decompress

ROWS = b"row_id,age_years\n" + b"".join(b"%d,%d\n" % (n, n % 90) for n in range(40))


def unpack(content: bytes, compression: str) -> bytes:
    stream, pieces = decompress(io.BytesIO(content), compression), []
    while piece := stream.read(100):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_members_in_a_row_are_one_file(compression):
    content = compress_member(ROWS[:99], compression) + compress_member(ROWS[99:], compression)
    assert unpack(content, compression) == ROWS


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_stream_cut_at_any_byte_is_an_error(compression):
    content = compress_member(ROWS, compression)
    for end in range(1, len(content)):
        with pytest.raises(DamagedInputError, match=r"cut off|damaged"):
            unpack(content[:end], compression)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_bit_flipped_in_any_byte_never_gives_other_content(compression):
    content = compress_member(ROWS, compression)
    outcomes = set()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 4
        try:
            outcomes.add(unpack(bytes(damaged), compression) == ROWS)
        except DamagedInputError:
            outcomes.add("told")
    assert outcomes <= {True, "told"}
    assert "told" in outcomes


def test_a_frame_without_a_checksum_that_is_cut_off_is_an_error():
    content = zstandard.ZstdCompressor(write_checksum=False).compress(ROWS)
    with pytest.raises(DamagedInputError, match="cut off"):
        unpack(content[:-1], "zstd")
