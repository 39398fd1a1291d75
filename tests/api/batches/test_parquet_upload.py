"""Parquet over HTTP and on the command line: what it may hold, and what reading it may take."""

import io
import json
from datetime import timedelta

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batch_files import csv, done, example, results, rows, send
from support.builders import request
from typer.testing import CliRunner

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers import parquet as reader_parquet
from api.batch_scoring.readers.parquet import read_parquet_pieces
from api.batch_scoring.readers.parquet_metadata import read_row_groups
from api.batches.routes import batches
from api.cli import main
from scoring.catalogue import load_catalogue

HEADERS = {"Content-Type": "application/vnd.apache.parquet"}
LOADED = load_catalogue().find_active("nociplastic")
SITES = len(LOADED.questions["pain_sites"].options)
UNREAD = {
    "list": pl.Series([["CANARY"]]),
    "list_of_lists": pl.Series([[["CANARY"]]]),
    "bytes": pl.Series([b"\xffCANARY"]),
    "duration": pl.Series([timedelta(days=1)]),
    "structure": pl.Series([{"CANARY": 1}]),
}
READ = {
    "text": pl.Series(["7"]),
    "category": pl.Series(["7"], dtype=pl.Categorical()),
    "number": pl.Series([7]),
    "decimal": pl.Series(["7.00"]).cast(pl.Decimal(9, 2)),
    "nothing": pl.Series([None]),
}


def parquet(columns: dict, **options) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer, **options)
    return buffer.getvalue()


def alike(count: int, each: list[str]) -> bytes:
    """So many rows with the same list, each word of it written once."""
    words = sorted(set(each))
    places = pa.array([words.index(word) for word in each] * count, pa.int8())
    listed = pa.DictionaryArray.from_arrays(places, pa.array(words))
    starts = pa.array(range(0, count * len(each) + 1, len(each)), pa.int32())
    buffer = io.BytesIO()
    table = pa.table({"pain_sites": pa.ListArray.from_arrays(starts, listed)})
    pq.write_table(table, buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


def pieces(content: bytes, **limits) -> list:
    return list(read_parquet_pieces(io.BytesIO(content), ColumnNames(LOADED), size=1, **limits))


class TestTypes:
    @pytest.mark.parametrize("kind", UNREAD)
    @pytest.mark.parametrize("column", ["row_id", "patient_reference", "age_years"])
    def test_what_is_no_plain_value_is_refused_by_the_name_of_its_column(
        self, kept_client, column, kind
    ):
        content = parquet({column: UNREAD[kind], "pain_duration_months": [4]})
        response = kept_client.post("/v1/batches", content=content, headers=HEADERS)
        assert (response.status_code, response.json()["type"]) == (422, "/problems/unusable_file")
        detail = response.json()["detail"]
        assert f"column '{column}' must hold plain values" in detail
        assert "CANARY" not in response.text
        assert kept_client.get("/v1/batches").json()["batches"] == []

    @pytest.mark.parametrize("kind", READ)
    @pytest.mark.parametrize("column", ["row_id", "patient_reference"])
    def test_what_is_one_comes_out_as_a_text(self, kept_client, column, kind):
        content = parquet({column: READ[kind], "pain_duration_months": [4]})
        table = results(kept_client, done(kept_client, content, **HEADERS))
        (told,) = table[column].to_list()
        assert told == {"decimal": "7.00", "nothing": None}.get(kind, "7")

    @pytest.mark.parametrize("kind", UNREAD)
    def test_the_command_line_says_so_too(self, tmp_path, kind):
        source, out = tmp_path / "in.parquet", tmp_path / "out.csv"
        source.write_bytes(parquet({"patient_reference": UNREAD[kind]}))
        told = CliRunner().invoke(main, ["batch", str(source), "-o", str(out)])
        assert told.exit_code == 2
        assert "column 'patient_reference' must hold plain values" in told.stderr
        assert "CANARY" not in told.stderr
        assert not out.exists()


class TestRoom:
    def test_more_values_than_there_are_options_are_refused_unread(self, kept_client, monkeypatch):
        monkeypatch.setattr(reader_parquet, "_collect", lambda _: pytest.fail("it was read"))
        content = alike(4_096, ["lower_back"] * 500)
        assert len(content) < 50_000
        response = kept_client.post("/v1/batches", content=content, headers=HEADERS)
        assert (response.status_code, response.json()["type"]) == (422, "/problems/unusable_file")
        assert f"'pain_sites' must hold at most {SITES} values a row" in response.json()["detail"]

    def test_as_many_as_there_are_options_are_taken(self):
        options = [each.id for each in LOADED.questions["pain_sites"].options]
        (piece,) = pieces(alike(10, options))
        assert piece.rows().frame["pain_sites"].to_list() == [options] * 10
        with pytest.raises(UnusableInputError, match="values a row"):
            pieces(alike(10, [*options, "neck"]))

    def test_a_text_that_every_row_means_counts_in_every_row(self):
        content = parquet({"row_id": ["A" * 1_000] * 5_000}, compression="zstd")
        assert len(content) < 50_000
        assert len(pieces(content, unpacked_bytes=5_000_000)) == 1
        with pytest.raises(UnusableInputError, match="unpack to more than 4,999,999 bytes"):
            pieces(content, unpacked_bytes=4_999_999)

    def test_what_is_packed_well_is_weighed_unpacked_and_unread(self, monkeypatch):
        monkeypatch.setattr(reader_parquet, "_collect", lambda _: pytest.fail("it was read"))
        buffer = io.BytesIO()
        table = pa.table({"row_id": ["A" * 1_000] * 5_000})
        pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
        assert len(buffer.getvalue()) < 50_000
        with pytest.raises(UnusableInputError, match="unpack to more than 4,000,000 bytes"):
            pieces(buffer.getvalue(), unpacked_bytes=4_000_000)

    def test_a_record_that_is_too_long_is_told_by_its_row(self):
        content = parquet({"row_id": ["a", "b" * 101], "patient_reference": ["c" * 99, None]})
        assert len(pieces(content, record_bytes=101)) == 1
        with pytest.raises(UnusableInputError, match="row 2: a record must not be longer than 100"):
            pieces(content, record_bytes=100)

    def test_slices_are_cut_by_their_texts_and_lose_no_row(self, monkeypatch):
        monkeypatch.setattr(reader_parquet, "BLOCK_BYTES", 100)
        names = [str(n) * 30 for n in range(10)]
        cut = pieces(parquet({"row_id": names}))
        assert [each.height for each in cut] == [3, 3, 3, 1]
        assert pl.concat([each.rows().frame for each in cut])["row_id"].to_list() == names

    @pytest.mark.parametrize("version", ["1.0", "2.0"])
    @pytest.mark.parametrize("codec", ["none", "zstd", "snappy"])
    def test_pages_tell_what_another_reader_of_the_footer_says(self, version, codec):
        table = pa.table(
            {
                "age_years": [n if n % 3 else None for n in range(5_000)],
                "pain_sites": [["neck"] * (n % 3) for n in range(5_000)],
            }
        )
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression=codec, data_page_version=version,
                       row_group_size=2_000, data_page_size=1_000)  # fmt: skip
        told = pq.ParquetFile(buffer).metadata
        groups = read_row_groups(buffer.getbuffer(), {"age_years", "pain_sites"})
        assert [each.rows for each in groups] == [2_000, 2_000, 1_000]
        for number, group in enumerate(groups):
            for place, name in enumerate(("age_years", "pain_sites")):
                column = told.row_group(number).column(place)
                assert group.columns[name].values == column.num_values
                assert 0 < group.columns[name].unpacked_bytes <= column.total_uncompressed_size

    @pytest.mark.parametrize("place", range(0, 400, 7))
    def test_a_damaged_file_is_refused_or_read(self, place):
        content = bytearray(parquet({"row_id": ["a", "b"], "pain_sites": [["neck"], []]}))
        content[-1 - place % len(content)] ^= 0xFF
        try:
            for piece in pieces(bytes(content)):
                assert piece.rows().frame.height <= 2
        except UnusableInputError:
            pass


class TestReading:
    @pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
    def test_others_write_while_a_file_is_read(self, kept_client, monkeypatch, form):
        true, written = batches.read_chunks, []

        def others_write(*given, **named):
            for each in true(*given, **named):
                answer = kept_client.post("/v1/screenings", json=request("OTHER"))
                written.append(answer.status_code)
                yield each

        monkeypatch.setattr(batches, "chunks", others_write)
        content, kind = {
            "csv": (csv(example()), "text/csv"),
            "ndjson": (json.dumps(example()), "application/x-ndjson"),
            "parquet": (parquet([example()]), HEADERS["Content-Type"]),
        }[form]
        assert send(kept_client, content, **{"Content-Type": kind})["rows"] == 1
        assert written == [201]

    def test_what_waits_to_be_kept_stands_nowhere_in_the_clear(self, kept_client, monkeypatch):
        true, seen = batches.ChunkSpool.append, []

        def looked_at(spool, count, given):
            true(spool, count, given)
            spool._file._file.flush()
            spool._file._file.seek(0)
            seen.append(spool._file._file.read())

        monkeypatch.setattr(batches.ChunkSpool, "put", looked_at)
        send(kept_client, rows(6_000, patient_reference="P-CANARY"))
        assert len(seen) > 1
        assert not any(b"P-CANARY" in each for each in seen)
