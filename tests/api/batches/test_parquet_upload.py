"""Parquet over HTTP and on the command line: the content that is read, and the memory it takes."""

import io
import json
from collections import Counter
from datetime import timedelta
from threading import BoundedSemaphore

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batch_files import complete_batch, csv, example, results, rows, send
from support.builders import request
from typer.testing import CliRunner

from api.batch_scoring.column_names import ColumnNames
from api.batch_scoring.file_formats import UnusableInputError
from api.batch_scoring.readers import parquet as reader_parquet
from api.batch_scoring.readers.parquet import read_parquet_pieces
from api.batch_scoring.readers.parquet_decoder import DecodeRequest, decode_slices
from api.batches.routes import batches
from api.cli import main
from api.problems import Problem
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


def repeat_list(count: int, options: list[str]) -> bytes:
    """Return a file of `count` rows with the same list, each option stored once."""
    words = sorted(set(options))
    places = pa.array([words.index(option) for option in options] * count, pa.int8())
    starts = pa.array(range(0, count * len(options) + 1, len(options)), pa.int32())
    return write_lists(starts, places, words)


def write_lists(starts: pa.Array, places: pa.Array, words: list[str]) -> bytes:
    options = pa.DictionaryArray.from_arrays(places, pa.array(words))
    buffer = io.BytesIO()
    table = pa.table({"pain_sites": pa.ListArray.from_arrays(starts, options)})
    pq.write_table(table, buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


def pieces(content: bytes, **limits) -> list:
    return list(
        read_parquet_pieces(io.BytesIO(content), ColumnNames(LOADED), size=len(content), **limits)
    )


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
        assert f"column '{column}' must contain plain values" in detail
        assert "CANARY" not in response.text
        assert kept_client.get("/v1/batches").json()["batches"] == []

    @pytest.mark.parametrize("kind", READ)
    def test_what_is_one_comes_out_as_a_text(self, kept_client, kind):
        columns = {"row_id": READ[kind], "patient_reference": READ[kind]}
        content = parquet(columns | {"pain_duration_months": [4]})
        table = results(kept_client, complete_batch(kept_client, content, **HEADERS))
        text = {"decimal": "7.00", "nothing": None}.get(kind, "7")
        assert table.select(list(columns)).to_dicts() == [dict.fromkeys(columns, text)]

    @pytest.mark.parametrize("kind", UNREAD)
    def test_the_command_line_says_so_too(self, tmp_path, kind):
        source, out = tmp_path / "in.parquet", tmp_path / "out.csv"
        source.write_bytes(parquet({"patient_reference": UNREAD[kind]}))
        outcome = CliRunner().invoke(main, ["batch", str(source), "-o", str(out)])
        assert outcome.exit_code == 2
        assert "column 'patient_reference' must contain plain values" in outcome.stderr
        assert "CANARY" not in outcome.stderr
        assert not out.exists()


class TestMemory:
    def test_more_values_than_options_are_refused(self, kept_client):
        content = repeat_list(4_096, ["lower_back"] * 500)
        assert len(content) < 50_000
        response = kept_client.post("/v1/batches", content=content, headers=HEADERS)
        assert (response.status_code, response.json()["type"]) == (422, "/problems/unusable_file")
        detail = response.json()["detail"]
        assert f"'pain_sites' must contain at most {SITES} values per row" in detail

    def test_as_many_values_as_options_are_read(self):
        options = [option.id for option in LOADED.questions["pain_sites"].options]
        (piece,) = pieces(repeat_list(10, options))
        assert piece.parse_rows().frame["pain_sites"].to_list() == [options] * 10
        with pytest.raises(UnusableInputError, match="values per row"):
            pieces(repeat_list(10, [*options, "neck"]))

    def test_a_file_that_takes_too_much_memory_ends_its_process_only(
        self, kept_client, monkeypatch
    ):
        monkeypatch.setattr(reader_parquet, "MAX_MEMORY_BYTES", 1536 * 1024 * 1024)
        count = 60_000_000
        places = pa.Array.from_buffers(pa.int8(), count, [None, pa.py_buffer(bytes(count))])
        content = write_lists(pa.array([0, count], pa.int32()), places, ["lower_back"])
        assert len(content) < 50_000
        response = kept_client.post("/v1/batches", content=content, headers=HEADERS)
        assert (response.status_code, response.json()["type"]) == (422, "/problems/unusable_file")
        assert "takes too much memory or time" in response.json()["detail"]
        assert send(kept_client, parquet([example()]), **HEADERS)["rows"] == 1

    def test_a_text_that_rows_share_counts_in_every_row(self):
        content = parquet({"row_id": ["A" * 1_000] * 5_000}, compression="zstd")
        assert len(content) < 50_000
        assert len(pieces(content, unpacked_bytes=5_000_000)) == 1
        with pytest.raises(UnusableInputError, match="unpack to more than 4,999,999 bytes"):
            pieces(content, unpacked_bytes=4_999_999)

    def test_a_text_that_compresses_well_counts_unpacked(self):
        buffer = io.BytesIO()
        table = pa.table({"row_id": ["A" * 1_000] * 5_000})
        pq.write_table(table, buffer, compression="zstd", use_dictionary=False)
        assert len(buffer.getvalue()) < 50_000
        with pytest.raises(UnusableInputError, match="unpack to more than 4,999,999 bytes"):
            pieces(buffer.getvalue(), unpacked_bytes=4_999_999)

    def test_a_record_that_is_too_long_is_named_by_its_row(self):
        content = parquet({"row_id": ["a", "b" * 101], "patient_reference": ["c" * 99, None]})
        assert len(pieces(content, record_bytes=101)) == 1
        with pytest.raises(UnusableInputError, match="row 2: a record must not be longer than 100"):
            pieces(content, record_bytes=100)

    def test_slices_are_cut_by_their_texts_and_lose_no_row(self, monkeypatch):
        monkeypatch.setattr(reader_parquet, "BLOCK_BYTES", 100)
        names = [str(n) * 30 for n in range(10)]
        content = parquet({"row_id": names})
        slices = pieces(content)
        frames = [piece.parse_rows().frame for piece in slices]
        assert [frame.height for frame in frames] == [3, 3, 3, 1]
        assert pl.concat(frames)["row_id"].to_list() == names
        assert sum(piece.input_bytes for piece in slices) <= len(content)

    def test_a_file_is_read_by_its_path_too(self, tmp_path):
        file = tmp_path / "in.parquet"
        file.write_bytes(parquet({"row_id": ["a", "b"]}))
        (piece,) = read_parquet_pieces(str(file), ColumnNames(LOADED), size=file.stat().st_size)
        assert piece.parse_rows().frame["row_id"].to_list() == ["a", "b"]

    def test_without_a_free_process_a_file_is_refused_for_now(self, monkeypatch):
        monkeypatch.setattr(reader_parquet, "SECONDS_PER_SLICE", 0.01)
        monkeypatch.setattr(reader_parquet, "_free_processes", BoundedSemaphore(1))
        content = parquet({"row_id": ["a"]})
        with reader_parquet._free_processes, pytest.raises(Problem) as refusal:
            pieces(content)
        assert refusal.value.code == "too_many"
        assert refusal.value.headers["Retry-After"]

    def test_no_byte_of_a_damaged_file_does_more_than_have_it_refused(self):
        content = parquet({"row_id": ["a", "b"], "pain_sites": [["neck"], []]})
        request_ = DecodeRequest(ColumnNames(LOADED), len(content), None, 1_000, 1_000)
        outcomes = Counter()
        for place in range(0, len(content), 7):
            damaged = bytearray(content)
            damaged[place] ^= 0xFF
            try:
                heights = [
                    part.rows.height for part in decode_slices(request_, io.BytesIO(damaged))
                ]
            except UnusableInputError:
                outcomes["refused"] += 1
            else:
                assert sum(heights) <= 2
                outcomes["read"] += 1
        assert outcomes["refused"] > 10
        assert outcomes.total() == -(-len(content) // 7)


class TestWorkbooks:
    def test_are_read_and_problems_tell_their_lines(self, kept_client):
        content = io.BytesIO()
        pl.DataFrame({"row_id": ["a", "b"], "age_years": ["44", "x"]}).write_excel(content)
        kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        batch = complete_batch(kept_client, content.getvalue(), **{"Content-Type": kind})
        assert (batch["rows"], batch["rows_with_problems"]) == (2, 1)
        assert [(group["column"], group["first_line"]) for group in batch["faults"]] == [
            ("age_years", 3)
        ]
        headers = {"Content-Type": kind}
        damaged = content.getvalue()[:500]
        response = kept_client.post("/v1/batches", content=damaged, headers=headers)
        assert response.status_code == 422
        assert "the file is not an Excel workbook, or is damaged" in response.json()["detail"]


class TestReading:
    @pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
    def test_others_write_while_a_file_is_read(self, kept_client, monkeypatch, form):
        true, statuses = batches.UploadReader.read_chunks, []

        def others_write(reader):
            for chunk in true(reader):
                response = kept_client.post("/v1/screenings", json=request("OTHER"))
                statuses.append(response.status_code)
                yield chunk

        monkeypatch.setattr(batches.UploadReader, "read_chunks", others_write)
        content, kind = {
            "csv": (csv(example()), "text/csv"),
            "ndjson": (json.dumps(example()), "application/x-ndjson"),
            "parquet": (parquet([example()]), HEADERS["Content-Type"]),
        }[form]
        assert send(kept_client, content, **{"Content-Type": kind})["rows"] == 1
        assert statuses == [201]

    def test_what_waits_to_be_kept_stands_nowhere_in_the_clear(self, kept_client, monkeypatch):
        true, contents = batches.ChunkSpool.append, []

        def append_and_read(spool, count, chunk):
            true(spool, count, chunk)
            spool._file._file.flush()
            spool._file._file.seek(0)
            contents.append(spool._file._file.read())

        monkeypatch.setattr(batches.ChunkSpool, "append", append_and_read)
        send(kept_client, rows(6_000, patient_reference="P-CANARY"))
        assert len(contents) > 1
        assert not any(b"P-CANARY" in content for content in contents)
