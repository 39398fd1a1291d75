"""Damage that a library of tables passes over is found: other counts, other checksums."""

import io
import zipfile

import polars as pl
import pytest
from support.table_files import (
    Row,
    encode_feather,
    encode_opendocument,
    encode_parquet,
    encode_spss,
    encode_workbook,
)

from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers.table_damage import check_file, count_arrow_rows, remove_spss_count
from api.batch_scoring.readers.table_sources import TableOptions, open_table

ROWS: list[Row] = [(f"r{number}", number % 4, number % 3) for number in range(12)]
WIDE = pl.DataFrame({f"question_{n}": pl.Series([], dtype=pl.List(pl.String)) for n in range(99)})


def list_heights(kind: str, content: bytes, change: int) -> set[int]:
    """Return the heights that are read while one byte after another is changed."""
    heights = set()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= change
        try:
            heights.add(open_table(io.BytesIO(damaged), TableOptions(kind), {}).height)
        except UnusableInputError:
            heights.add(-1)
    return heights


@pytest.mark.parametrize("change", [4, 8, 64])
def test_no_changed_byte_of_an_arrow_file_loses_rows(change):
    assert list_heights("feather", encode_feather(ROWS), change) == {-1, 12}


def test_a_parquet_file_whose_footer_counts_fewer_rows_is_refused():
    content = encode_parquet(ROWS)
    footer = int.from_bytes(content[-8:-4], "little")
    place = content.index(b"\x16\x18", len(content) - 8 - footer)  # 12 rows, doubled
    damaged = content[:place] + b"\x16\x10" + content[place + 2 :]
    assert pl.scan_parquet(io.BytesIO(damaged)).select(pl.len()).collect().item() == 8
    with pytest.raises(UnusableInputError, match="other rows than it counts"):
        open_table(io.BytesIO(damaged), TableOptions("parquet"), {})


def test_an_spss_file_whose_header_counts_fewer_rows_is_refused(tmp_path):
    file, content = tmp_path / "in.sav", encode_spss(ROWS)
    file.write_bytes(content[:80] + b"\x04\0\0\0" + content[84:])
    assert open_table(str(file), TableOptions("sav"), {}).height == 4
    height = remove_spss_count(file)
    assert height == 4
    with pytest.raises(UnusableInputError, match="other rows than it counts"):
        open_table(str(file), TableOptions("sav", height=height), {})
    assert remove_spss_count(file) is None
    assert open_table(str(file), TableOptions("sav"), {}).height == 12


@pytest.mark.parametrize(
    ("kind", "encode", "part"),
    [
        ("xlsx", encode_workbook, "xl/worksheets/sheet1.xml"),
        ("ods", encode_opendocument, "content.xml"),
    ],
)
def test_a_workbook_with_another_checksum_is_refused(tmp_path, kind, encode, part):
    content = encode(ROWS)
    checksum = zipfile.ZipFile(io.BytesIO(content)).getinfo(part).CRC.to_bytes(4, "little")
    assert open_table(io.BytesIO(content), TableOptions(kind), {}).height == 12
    damaged = content.replace(checksum, b"\0\0\0\0")
    with pytest.raises(UnusableInputError, match="the workbook is damaged"):
        open_table(io.BytesIO(damaged), TableOptions(kind), {})
    (tmp_path / "in").write_bytes(damaged)
    with pytest.raises(UnusableInputError, match="the workbook is damaged"):
        check_file(tmp_path / "in", kind)


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
@pytest.mark.parametrize(
    "frame", [WIDE, pl.DataFrame({"a": pl.Series(["x"] * 9).cast(pl.Enum(["x"]))})]
)
def test_the_rows_of_an_arrow_file_are_counted(tmp_path, frame, compression):
    for rows in (frame, frame.clear(), pl.concat([frame, frame], rechunk=False)):
        rows.write_ipc(tmp_path / "in.arrow", compression=compression)
        assert count_arrow_rows(tmp_path / "in.arrow") == rows.height
