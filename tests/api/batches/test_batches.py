"""Batches over HTTP, on both databases: sent, worked on, fetched in part and whole, erased."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from itertools import count as count_up
from threading import Barrier

import polars as pl
import pytest
from sqlalchemy import update
from support import builders
from support.batch_files import (
    build_worker_context,
    complete_batch,
    csv,
    example,
    results,
    rows,
    send,
    work,
)
from support.builders import do, request
from support.callers import audited, last_act, replace_service

from api.jobs import chunk_runner, score_chunk
from api.jobs.chunk_runner import run_inline
from api.main import create_app
from api.store.accounts import quotas
from api.store.batches import batches
from api.store.batches.chunk_content import ChunkContent
from api.store.batches.pending_batches import list_pending_batches
from api.store.database.tables import BatchChunkRow, BatchRow
from api.store.operations import housekeeping

NDJSON = {"Content-Type": "application/x-ndjson"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}


def problem(response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[-1]


@pytest.fixture
def small_chunks(kept_service, monkeypatch):
    """Chunks of three rows."""
    settings = kept_service.services.settings.model_copy(update={"batch_chunk_rows": 3})
    replace_service(kept_service, monkeypatch, settings=settings)


class TestSend:
    def test_answers_at_once_where_to_ask(self, kept_service, kept_clinic, kept_client):
        batch = send(kept_client, rows(2))
        assert (batch["state"], batch["rows"], batch["rows_done"]) == ("waiting", 2, 0)
        assert last_act(kept_service, kept_clinic) == ("create", "ok", "batch", batch["id"])

    def test_under_a_key_is_done_once(self, kept_client):
        first = send(kept_client, rows(2), **{"Idempotency-Key": "k"})
        again = send(kept_client, rows(2), **{"Idempotency-Key": "k"})
        assert again == first
        headers = {"Content-Type": "text/csv", "Idempotency-Key": "k"}
        response = kept_client.post("/v1/batches", content=rows(3), headers=headers)
        assert problem(response) == (422, "idempotency_key_reused")

    @pytest.mark.parametrize(
        ("kind", "outcome"),
        [
            ("application/json", (422, "unusable_file")),
            ("text/csv; charset=ebcdic", (415, "unsupported_media_type")),
            ("text/csv; charset=latin-1", (202, None)),
            ("application/x-ndjson", (202, None)),
            ("text/csv; charset=UTF-8", (202, None)),
        ],
    )
    def test_takes_what_its_media_type_says(self, kept_client, kind, outcome):
        text = json.dumps(example()) if "json" in kind else rows(1)
        response = kept_client.post("/v1/batches", content=text, headers={"Content-Type": kind})
        code = None if response.status_code == 202 else problem(response)[1]
        assert (response.status_code, code) == outcome

    def test_tells_the_places_of_columns_that_it_does_not_know(self, kept_client):
        text = "age_years,shoe_size\n44,SECRET-CELL\n"
        response = kept_client.post("/v1/batches", content=text,
                                    headers={"Content-Type": "text/csv"})  # fmt: skip
        assert problem(response) == (422, "unusable_file")
        assert "1 of 2 columns are unknown (positions from 1): 2;" in response.json()["detail"]
        assert "SECRET-CELL" not in response.text
        assert send(kept_client, text, "?ignore_unknown=true")["rows"] == 1

    @pytest.mark.parametrize("kind", ["text/csv", "application/vnd.apache.parquet"])
    def test_repeats_nothing_of_a_row_that_stands_where_a_header_should(self, kept_client, kind):
        content: str | bytes = "MRN-0042,Jane Doe,44\nMRN-0043,John Doe,45\n"
        if kind != "text/csv":
            buffer = io.BytesIO()
            pl.DataFrame({"MRN-0042": [1], "Jane Doe": [2], "44": [3]}).write_parquet(buffer)
            content = buffer.getvalue()
        response = kept_client.post("/v1/batches", content=content, headers={"Content-Type": kind})
        assert problem(response) == (422, "unusable_file")
        assert "3 of 3 columns are unknown (positions from 1): 1, 2, 3;" in response.text
        text = response.text.replace(response.headers["x-request-id"], "")
        for cell in ("MRN-0042", "Jane", "44", "--"):
            assert cell not in text

    def test_a_file_that_is_too_large_is_refused(self, kept_service, kept_client, monkeypatch):
        settings = kept_service.services.settings
        text = rows(2)
        for size, status in ((len(text), 202), (len(text) - 1, 413)):
            few = settings.model_copy(update={"max_batch_bytes": size})
            replace_service(kept_service, monkeypatch, settings=few)
            for content in (text, iter([text.encode()])):
                response = kept_client.post("/v1/batches", content=content,
                                            headers={"Content-Type": "text/csv"})  # fmt: skip
                assert response.status_code == status

    @pytest.mark.parametrize(("most", "status"), [(2, 202), (1, 413)])
    def test_too_many_rows_are_refused_and_nothing_is_kept(
        self, kept_service, kept_client, monkeypatch, most, status
    ):
        few = kept_service.services.settings.model_copy(update={"max_batch_rows": most})
        replace_service(kept_service, monkeypatch, settings=few)
        response = kept_client.post("/v1/batches", content=rows(2),
                                    headers={"Content-Type": "text/csv"})  # fmt: skip
        assert response.status_code == status
        batch_list = kept_client.get("/v1/batches").json()["batches"]
        assert len(batch_list) == (1 if status == 202 else 0)

    def test_larger_than_other_bodies_may_be(self, kept_client):
        text = rows(1000)
        assert len(text) > 256 * 1024
        assert send(kept_client, text)["rows"] == 1000


@pytest.mark.usefixtures("small_chunks")
class TestResults:
    def test_one_row_for_each_row_in_order_good_or_bad(self, kept_client):
        intakes = [{"row_id": f"r{n}", **example(), "age_years": "x" if n % 4 == 1 else 40 + n}
                 for n in range(11)]  # fmt: skip
        batch = complete_batch(kept_client, csv(*intakes))
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == [f"r{n}" for n in range(11)]
        assert [n for n, cell in enumerate(table["problems"]) if cell is not None] == [1, 5, 9]
        assert (batch["state"], batch["rows_done"], batch["rows_with_problems"]) == ("done", 11, 3)
        assert sum(batch["by_status"].values()) == 8

    def test_problems_name_row_line_and_column_and_no_value(self, kept_client):
        intakes = [{"row_id": f"r{n}", **example(), "age_years": "MCMXL" if n == 7 else 40}
                 for n in range(9)]  # fmt: skip
        batch = complete_batch(kept_client, csv(*intakes))
        response = kept_client.get(batch["links"]["problems"])
        (row_problem,) = [json.loads(line) for line in response.text.splitlines()]
        expected_text = "must be a whole number from 0 to 120"
        assert row_problem == {
            "row": 8,
            "line": 9,
            "row_id": "r7",
            "column": "age_years",
            "code": "not_a_whole_number",
            "expected": expected_text,
            "detail": f"line 9: age_years: {expected_text}",
        }
        assert "MCMXL" not in response.text

    def test_blank_lines_are_no_rows_and_later_lines_keep_their_numbers(self, kept_client):
        text = "row_id,age_years\n\na,44\n\n\nb,x\n\nc,45\n\n\n"
        batch = complete_batch(kept_client, text)
        assert (batch["rows"], batch["rows_with_problems"]) == (3, 1)
        (row_problem,) = map(
            json.loads, kept_client.get(batch["links"]["problems"]).text.splitlines()
        )
        assert (row_problem["row"], row_problem["line"], row_problem["row_id"]) == (2, 6, "b")
        assert results(kept_client, batch)["row_id"].to_list() == ["a", "b", "c"]

    def test_what_is_left_out_repeated_or_kept_is_told(self, kept_client):
        text = (
            "row_id,clinic,x,age_years,pain_duration_months,rf_spine_and_nerves\n\n"
            "a,north,1,44,-99,none\na,south,1,44,-99,saddle_numbness\nb,south,1,NA,60,x\n"
        )
        query = "?ignore_unknown=true&keep=clinic&missing=NA,-99"
        batch = complete_batch(kept_client, text, query)
        assert (batch["columns_left_out"], batch["blank_lines"]) == (1, 1)
        notices = {notice["code"]: notice["first_rows"] for notice in batch["notices"]}
        assert notices == {"conflicting_row_id": [2]}
        assert [(it["column"], it["rows"]) for it in batch["faults"]] == [
            ("rf_spine_and_nerves", 1)
        ]
        table = results(kept_client, batch)
        assert table["clinic"].to_list() == ["north", "south", "south"]
        assert table["tier"].to_list() == ["not_all_asked", "T0", None]

    def test_the_summary_counts_the_results_as_json_and_as_a_page(self, kept_client):
        text = "clinic,age_years,rf_spine_and_nerves\nnorth,44,none\nsouth,44,saddle_numbness\n"
        batch = send(kept_client, text, "?keep=clinic")
        assert kept_client.get(batch["links"]["summary"]).status_code == 409
        path = complete_batch(kept_client, text, "?keep=clinic")["links"]["summary"]
        cohort = kept_client.get(path).json()
        tables = {table["id"]: table["counts"] for table in cohort["tables"]}
        assert [(count["id"], count["rows"]) for count in tables["tier"]] == [
            ("T0", 1),
            ("not_all_asked", 1),
        ]
        counts = cohort["cross_tables"][0]["rows"][0]["counts"]
        assert {count["rows"] for count in counts} == {None}
        page = kept_client.get(path, headers={"Accept": "text/html"})
        assert page.headers["content-type"].startswith("text/html")
        assert "Rows with red flags: 1." in page.text

    def test_problems_and_results_are_utf_8(self, kept_client):
        batch = complete_batch(
            kept_client, csv({"row_id": "Müller-日本", **example(), "age_years": "x"})
        )
        problems = kept_client.get(batch["links"]["problems"])
        assert problems.headers["content-type"] == "application/x-ndjson"
        assert json.loads(problems.content.decode("utf-8"))["row_id"] == "Müller-日本"
        table = kept_client.get(batch["links"]["results"])
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        assert "Müller-日本" in table.content.decode("utf-8")

    def test_says_what_the_engine_for_one_intake_says(self, kept_client):
        batch = complete_batch(kept_client, csv({"row_id": "a", **example("red_flag")}, example()))
        table = results(kept_client, batch)
        single_scores = [
            kept_client.post(
                "/v1/score", json={"rulebook": "nociplastic", "answers": answers}
            ).json()
            for answers in (example("red_flag"), example())
        ]
        assert table["status"].to_list() == [score["status"] for score in single_scores]
        assert table["tier"].to_list() == [score["safety"]["tier"] for score in single_scores]

    def test_a_line_with_an_endless_number_is_one_problem(self, kept_client):
        lines = [json.dumps(example()), '{"age_years": 1e-99999999999999999999}']
        batch = complete_batch(kept_client, "\n".join(lines), **NDJSON)
        assert (batch["rows"], batch["rows_with_problems"]) == (2, 1)

    def test_a_number_is_what_a_row_is_known_by_and_a_faulty_row_stays_known(self, kept_client):
        intakes = [
            {"row_id": 7, "patient_reference": 42, **example()},
            {"row_id": "8", "age_years": "x"},
            {"row_id": 1.5, **example()},
            {"row_id": True, **example()},
        ]
        lines = "\n\n".join(json.dumps(intake) for intake in intakes)
        batch = complete_batch(kept_client, lines, **NDJSON)
        table = pl.read_csv(kept_client.get(batch["links"]["results"]).content, infer_schema=False)
        assert table["row_id"].to_list() == ["7", "8", None, None]
        assert table["patient_reference"].to_list() == ["42", None, None, None]
        assert [status is None for status in table["status"]] == [False, True, True, True]
        problems = kept_client.get(batch["links"]["problems"]).text.splitlines()
        row_problems = [json.loads(line) for line in problems]
        assert [(line["row"], line["line"], line["column"]) for line in row_problems] == [
            (2, 3, "age_years"), (3, 5, "row_id"), (4, 7, "row_id")
        ]  # fmt: skip

    def test_members_that_are_not_known_are_told_once_by_their_places(self, kept_client):
        intakes = [
            {"row_id": "a", "age_years": 44, "SECRET": 1, "x/SECRET": 2},
            {"row_id": "b", "answers": {"age_years": 44, "SECRET": 1}},
            {"row_id": "c", "patient": {"reference": "MRN-3", "SECRET": 1}, "answers": {}},
            {"row_id": "d", "patient": {"reference": "MRN-4"}, "answers": {"age_years": "SECRET"}},
        ]
        lines = "\n".join(json.dumps(intake) for intake in intakes)
        batch = complete_batch(kept_client, lines, **NDJSON)
        problems = kept_client.get(batch["links"]["problems"]).text
        table = results(kept_client, batch)
        assert "SECRET" not in problems + str(table.rows())
        assert [json.loads(line)["detail"] for line in problems.splitlines()] == [
            "line 1: 2 of 4 members are unknown (positions from 1): 3, 4",
            "line 2: answers: 1 of 2 members are unknown (positions from 1): 2",
            "line 3: patient: 1 of 2 members are unknown (positions from 1): 2",
            "line 4: age_years: must be a whole number from 0 to 120",
        ]
        assert table["row_id"].to_list() == ["a", "b", "c", "d"]
        assert table["patient_reference"].to_list() == [None, None, "MRN-3", "MRN-4"]

    def test_members_that_are_not_known_are_left_out_on_demand(self, kept_client):
        intakes = [
            {"row_id": "a", "age_years": 44, "shoe_size": 1},
            {"row_id": "b", "answers": {"age_years": 44, "shoe_size": 1}, "hat_size": 1},
        ]
        lines = "\n".join(json.dumps(intake) for intake in intakes)
        response = kept_client.post(
            "/v1/batches?ignore_unknown=true", content=lines, headers=NDJSON
        )
        work(kept_client.app)
        batch = kept_client.get(response.json()["links"]["self"]).json()
        assert (batch["rows"], batch["rows_with_problems"]) == (2, 0)

    @pytest.mark.parametrize("file_format", ["ndjson", "parquet"])
    def test_are_the_same_whatever_format_was_sent(self, kept_client, file_format):
        plain = results(kept_client, complete_batch(kept_client, csv(*[example()] * 4)))
        if file_format == "ndjson":
            text = "\n".join(json.dumps(example()) for _ in range(4))
            other_batch = complete_batch(kept_client, text, **NDJSON)
        else:
            buffer = io.BytesIO()
            pl.DataFrame([example()] * 4).write_parquet(buffer)
            other_batch = complete_batch(kept_client, buffer.getvalue(), **PARQUET)
        table = results(kept_client, other_batch)
        assert table.select("status", "predominance", "band").equals(
            plain.select("status", "predominance", "band")
        )

    def test_come_in_every_format_by_accept_and_by_address(self, kept_client):
        batch = complete_batch(kept_client, rows(7))
        here = batch["links"]["results"]
        csv_text = kept_client.get(here + ".csv").text
        assert csv_text.startswith("row_id,patient_reference,rulebook,")
        assert len(csv_text.splitlines()) == 8
        lines = kept_client.get(here + ".ndjson").text.splitlines()
        assert [json.loads(line)["row_id"] for line in lines] == [f"r{n}" for n in range(7)]
        for accept, kind in (
            ("*/*", "text/csv"),
            ("application/x-ndjson", "application/x-ndjson"),
            ("text/csv;q=0, application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ):
            response = kept_client.get(here, headers={"Accept": accept})
            assert response.headers["content-type"].startswith(kind)
        refusal = kept_client.get(here, headers={"Accept": "image/png"})
        assert problem(refusal) == (406, "not_acceptable")

    @pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
    def test_an_interrupted_download_is_taken_up_by_range(self, kept_client, suffix):
        here = complete_batch(kept_client, rows(10))["links"]["results"] + f".{suffix}"
        full_response = kept_client.get(here)
        size = len(full_response.content)
        for position in (1, size // 3, size // 2, size - 1):
            headers = {"Range": f"bytes={position}-", "If-Range": full_response.headers["etag"]}
            rest = kept_client.get(here, headers=headers)
            assert rest.status_code == 206
            assert rest.headers["content-range"] == f"bytes {position}-{size - 1}/{size}"
            assert full_response.content[:position] + rest.content == full_response.content
        tail = kept_client.get(here, headers={"Range": "bytes=-5"})
        assert tail.content == full_response.content[-5:]
        middle = kept_client.get(here, headers={"Range": "bytes=3-8"})
        assert middle.content == full_response.content[3:9]
        beyond = kept_client.get(here, headers={"Range": f"bytes={size}-"})
        assert problem(beyond) == (416, "range_not_satisfiable")
        assert beyond.headers["content-range"] == f"bytes */{size}"
        changed_response = kept_client.get(
            here, headers={"Range": "bytes=3-", "If-Range": '"other"'}
        )
        assert (changed_response.status_code, changed_response.content) == (
            200,
            full_response.content,
        )

    def test_wait_until_the_batch_is_done(self, kept_service, kept_clinic, kept_client):
        batch = send(kept_client, rows(7))
        run_inline(
            build_worker_context(kept_service), kept_clinic.organisation, batch["id"], range(2)
        )
        progress = kept_client.get(batch["links"]["self"]).json()
        assert (progress["state"], progress["rows_done"]) == ("running", 6)
        assert progress["seconds_left"] >= 0
        response = kept_client.get(batch["links"]["results"])
        assert problem(response) == (409, "conflict")
        assert "retry-after" in response.headers
        work(kept_service)

    def test_a_batch_without_rows_is_done_and_has_its_columns(self, kept_client):
        batch = complete_batch(kept_client, "row_id,age_years\n")
        assert (batch["state"], batch["rows"]) == ("done", 0)
        assert kept_client.get(batch["links"]["results"]).text.startswith("row_id,")
        assert results(kept_client, batch).height == 0

    def test_every_chunk_leaves_a_row_of_audit_in_the_name_of_its_sender(
        self, kept_service, kept_clinic, kept_client
    ):
        batch = complete_batch(kept_client, rows(7))
        acts = [act for act in audited(kept_service, kept_clinic) if act.action == "score"]
        assert [(act.target, act.count, act.actor) for act in acts] == [
            (batch["id"], count, kept_clinic.client) for count in (3, 3, 1)
        ]

    def test_a_chunk_done_twice_is_there_once(self, kept_service, kept_clinic, kept_client):
        batch = complete_batch(kept_client, rows(7))
        before = results(kept_client, batch)
        run_inline(
            build_worker_context(kept_service), kept_clinic.organisation, batch["id"], range(3)
        )
        assert results(kept_client, batch).equals(before)
        acts = [act for act in audited(kept_service, kept_clinic) if act.action == "score"]
        assert len(acts) == 3


@pytest.mark.usefixtures("small_chunks")
class TestPoison:
    def test_the_row_that_fails_is_set_aside_alone_and_shown(
        self, kept_service, kept_client, monkeypatch
    ):
        true, attempts = score_chunk.score_frame, []

        def poisoned(frame, *arguments, **options):
            if "age_years" in frame.columns and "113" in frame["age_years"].to_list():
                attempts.append(frame.height)
                raise MemoryError
            return true(frame, *arguments, **options)

        monkeypatch.setattr(score_chunk, "score_frame", poisoned)
        intakes = [{"row_id": f"r{n}", **example(), "age_years": 113 if n == 4 else 44}
                 for n in range(8)]  # fmt: skip
        batch = complete_batch(kept_client, csv(*intakes))
        tries = kept_service.services.settings.batch_attempts
        assert attempts.count(3) == tries
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == [f"r{n}" for n in range(8)]
        assert [n for n, status in enumerate(table["status"]) if status is None] == [4]
        (row_problem,) = map(
            json.loads, kept_client.get(batch["links"]["problems"]).text.splitlines()
        )
        assert (row_problem["row"], row_problem["line"], row_problem["code"]) == (5, 6, "set_aside")

    @pytest.mark.parametrize("ends_its_process", [False, True])
    def test_rows_known_by_what_cannot_be_written_are_set_aside(
        self, kept_client, monkeypatch, ends_its_process
    ):
        true, true_score = score_chunk.unpack_chunk, chunk_runner.score_rows

        def unpack_with_list_ids(content):
            chunk_ = true(content)
            return chunk_._replace(frame=chunk_.frame.with_columns(row_id=pl.concat_list("row_id")))

        def score_at_last_try(rulebooks, task, tries):
            if task.tries > tries:
                pytest.fail("tried more often than it may be")  # no Exception: it is not retried
            return true_score(rulebooks, task, task.tries - 1 if ends_its_process else tries)

        monkeypatch.setattr(score_chunk, "unpack_chunk", unpack_with_list_ids)
        monkeypatch.setattr(chunk_runner, "score_rows", score_at_last_try)
        intake = {"patient_reference": "MRN-7", **example()}
        batch = complete_batch(
            kept_client, csv({"row_id": "a", **intake}, {"row_id": "b", **intake})
        )
        assert (batch["state"], batch["rows_set_aside"]) == ("done", 2)
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == table["status"].to_list() == [None, None]
        assert table["patient_reference"].to_list() == ["MRN-7", "MRN-7"]
        lines = kept_client.get(batch["links"]["problems"]).text.splitlines()
        assert [json.loads(line)["code"] for line in lines] == ["set_aside"] * 2

    @pytest.mark.parametrize("error", [MemoryError, pl.exceptions.PanicException])
    def test_what_cannot_even_be_set_aside_by_row_is_set_aside_whole(
        self, kept_client, monkeypatch, error
    ):
        def poisoned(*_):
            raise error

        monkeypatch.setattr(score_chunk, "unpack_chunk", poisoned)
        batch = complete_batch(kept_client, rows(4))
        assert (batch["state"], batch["rows_set_aside"]) == ("done", 4)
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == table["status"].to_list() == [None] * 4
        assert table["problems"].null_count() == 0

    def test_a_chunk_that_ends_its_process_each_time_is_set_aside_whole(
        self, kept_service, kept_clinic, kept_client, monkeypatch
    ):
        batch = send(kept_client, rows(7))
        context = build_worker_context(kept_service)
        tries = kept_service.services.settings.batch_attempts

        class Killed(BaseException):
            pass

        def killed(_):
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(context, "compute_outcome", killed)
            for _ in range(tries):
                with pytest.raises(Killed):
                    chunk_runner.run_chunk(context, kept_clinic.organisation, batch["id"], 1)
        work(kept_service)
        progress = kept_client.get(batch["links"]["self"]).json()
        assert (progress["state"], progress["rows_done"], progress["rows_set_aside"]) == (
            "done",
            7,
            3,
        )
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == [f"r{n}" for n in range(7)]
        assert [n for n, status in enumerate(table["status"]) if status is None] == [3, 4, 5]
        acts = [act for act in audited(kept_service, kept_clinic) if act.action == "score"]
        assert [act.outcome for act in acts] == ["ok", "set_aside", "ok"]


class TestQuotas:
    @pytest.fixture
    def quota(self, kept_service, kept_clinic):
        """Sets a quota of the clinic."""

        def set_quota(**changes):
            do(kept_service.services.store, kept_clinic, quotas.update_quotas, changes)

        return set_quota

    @staticmethod
    def post(client, text):
        return client.post("/v1/batches", content=text, headers={"Content-Type": "text/csv"})

    def test_so_many_rows_may_wait_and_not_one_more(self, quota, kept_client, other_client):
        quota(waiting_rows=5)
        first = send(kept_client, rows(3))
        refusal = self.post(kept_client, rows(3))
        assert problem(refusal) == (429, "quota_exceeded")
        assert refusal.headers["retry-after"] == "30"
        assert "5 rows" in refusal.json()["detail"]
        send(kept_client, rows(2))
        send(other_client, rows(6))
        assert problem(self.post(kept_client, rows(1))) == (429, "quota_exceeded")
        kept_client.post(first["links"]["self"] + "/cancel")
        send(kept_client, rows(3))
        assert len(kept_client.get("/v1/batches").json()["batches"]) == 3

    def test_so_many_bytes_may_be_stored_results_included(
        self, kept_service, kept_clinic, quota, kept_client, other_client
    ):
        first = complete_batch(kept_client, rows(3))
        with kept_service.services.store.continue_read(kept_clinic.actor) as work_:
            [chunk] = work_.list_rows(work_.select(BatchChunkRow))
            sizes = len(chunk.given), len(chunk.made)
        assert min(sizes) > 0
        quota(batch_bytes=sum(sizes) + sizes[0] // 2)
        refusal = self.post(kept_client, rows(3))
        assert problem(refusal) == (429, "quota_exceeded")
        assert refusal.headers["retry-after"] == "3600"
        reports = kept_client.post(first["links"]["reports"], json={})
        assert problem(reports) == (429, "quota_exceeded")
        assert len(kept_client.get("/v1/batches").json()["batches"]) == 1
        send(other_client, rows(3))
        kept_client.delete(first["links"]["self"])
        send(kept_client, rows(3))


def test_an_organisation_with_many_batches_is_queued_in_turns_with_another(own_store):
    many, one = builders.clinic(own_store, "Many"), builders.clinic(own_store, "One")
    new_batch = batches.NewBatch("score", "book@1.0.0", "0" * 64, {"explain": False})
    chunk = 1, ChunkContent((), (b"row",))
    for clinic, count in ((many, 100), (one, 1)):
        for _ in range(count):
            do(own_store, clinic, lambda work: batches.add_batch(
                work, new_batch, [chunk], batches.compute_expiry(work.now, 1)))  # fmt: skip
    for is_starting in (False, True):
        with own_store.read_all_organisations() as session:
            pending = list_pending_batches(session, include_enqueued=is_starting)
        places = [batch.organisation for batch in pending]
        assert places.index(one.organisation) <= 1
        assert places.count(many.organisation) >= 99


@pytest.mark.usefixtures("small_chunks")
class TestCancel:
    def test_nothing_more_is_begun_and_what_is_done_stays_told(
        self, kept_service, kept_clinic, kept_client
    ):
        batch = send(kept_client, rows(7))
        run_inline(
            build_worker_context(kept_service), kept_clinic.organisation, batch["id"], range(1)
        )
        progress = kept_client.post(batch["links"]["self"] + "/cancel").json()
        assert (progress["state"], progress["rows_done"]) == ("cancelled", 3)
        assert last_act(kept_service, kept_clinic) == ("cancel", "ok", "batch", batch["id"])
        work(kept_service)
        again = kept_client.post(batch["links"]["self"] + "/cancel").json()
        assert (again["state"], again["rows_done"]) == ("cancelled", 3)

    def test_what_was_under_way_is_not_laid_down(self, kept_service, kept_clinic, kept_client):
        batch = send(kept_client, rows(3))
        context, store = build_worker_context(kept_service), kept_service.services.store
        outcome = chunk_runner.run_chunk(context, kept_clinic.organisation, batch["id"], 0)
        kept_client.post(batch["links"]["self"] + "/cancel")
        with store.transaction(kept_clinic.actor) as work_:
            recorded = chunk_runner.record_outcome(store, work_.session, batch["id"], 0, outcome)
            work_.audit("read")
        assert recorded == ("over", ())
        assert kept_client.get(batch["links"]["self"]).json()["rows_done"] == 0

    def test_dropped_it_is_gone(self, kept_client):
        batch = complete_batch(kept_client, rows(3))
        assert kept_client.delete(batch["links"]["self"]).status_code == 204
        assert kept_client.get(batch["links"]["self"]).status_code == 404
        assert kept_client.get(batch["links"]["results"]).status_code == 404


class TestExport:
    def test_a_patient_is_told_of_the_batches_that_erasure_would_erase(self, kept_client):
        named_batch = complete_batch(kept_client, rows(2, patient_reference="MRN-0042"))
        complete_batch(kept_client, rows(2, patient_reference="MRN-00421"))
        person = {"reference": "MRN-0042"}
        export = kept_client.post("/v1/patients/export", json=person)
        assert export.status_code == 200
        (batch,) = export.json()["batches"]
        assert batch == {"kind": "score"} | {
            name: named_batch[name] for name in ("id", "created_at", "expires_at")
        }
        assert (export.json()["screenings"], export.json()["reports"]) == ([], [])
        erased = kept_client.request("DELETE", "/v1/patients", json=person)
        assert erased.json()["batches"] == 1
        assert kept_client.post("/v1/patients/export", json=person).status_code == 404


class TestErasure:
    def test_a_patient_takes_the_batches_that_name_them_along(self, kept_client):
        named_batch = complete_batch(kept_client, rows(2, patient_reference="MRN-0042"))
        other_batch = complete_batch(kept_client, rows(2, patient_reference="MRN-00421"))
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0042"})
        assert erased.json()["batches"] == 1
        assert kept_client.get(named_batch["links"]["self"]).status_code == 404
        assert kept_client.get(other_batch["links"]["self"]).status_code == 200

    def test_under_a_hold_nothing_is_erased(self, kept_client):
        batch = complete_batch(kept_client, rows(1, patient_reference="MRN-0042"))
        kept_client.post("/v1/patients/holds", json={"reference": "MRN-0042", "reason": "court"})
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0042"})
        assert problem(erased) == (409, "legal_hold")
        assert kept_client.get(batch["links"]["self"]).status_code == 200

    def place_hold(self, client, reference="MRN-0042") -> str:
        body = {"reference": reference, "reason": "court"}
        return client.post("/v1/patients/holds", json=body).json()["id"]

    def two(self, client) -> str:
        """Where a batch is that names two patients."""
        intakes = [
            {"patient_reference": reference, **example()} for reference in ("MRN-0042", "MRN-0043")
        ]
        return complete_batch(client, csv(*intakes))["links"]["self"]

    def test_a_batch_that_names_a_held_patient_is_not_erased_by_its_id(
        self, kept_service, kept_clinic, kept_client
    ):
        here, other_batch = (
            self.two(kept_client),
            complete_batch(kept_client, rows(1, patient_reference="X")),
        )
        hold = self.place_hold(kept_client)
        assert problem(kept_client.delete(here)) == (409, "legal_hold")
        assert last_act(kept_service, kept_clinic)[:2] == ("refuse", "legal_hold")
        assert kept_client.get(here).status_code == 200
        assert kept_client.delete(other_batch["links"]["self"]).status_code == 204
        kept_client.delete(f"/v1/patients/holds/{hold}")
        assert kept_client.delete(here).status_code == 204

    def test_a_batch_that_names_a_held_patient_is_not_erased_for_another(self, kept_client):
        here, hold = self.two(kept_client), self.place_hold(kept_client)
        screening_url = kept_client.post("/v1/screenings", json=request("MRN-0043")).json()[
            "links"
        ]["self"]
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0043"})
        assert problem(erased) == (409, "legal_hold")
        assert (
            kept_client.get(here).status_code == kept_client.get(screening_url).status_code == 200
        )
        kept_client.delete(f"/v1/patients/holds/{hold}")
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0043"})
        assert erased.json()["batches"] == 1

    def test_a_hold_reaches_batches_that_name_a_number_merged_into_it(self, kept_client):
        here = self.two(kept_client)
        kept_client.post("/v1/screenings", json=request("MRN-0042"))
        merged = {"retired": {"reference": "MRN-0042"}, "survivor": {"reference": "MRN-9"}}
        assert kept_client.post("/v1/patients/merge", json=merged).status_code == 200
        self.place_hold(kept_client, "MRN-9")
        assert problem(kept_client.delete(here)) == (409, "legal_hold")

    def test_a_batch_that_names_nobody_kept_otherwise_is_found_too(self, kept_client):
        kept_client.post("/v1/screenings", json=request("MRN-0099"))
        complete_batch(kept_client, rows(1, patient_reference="MRN-0042"))
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0042"})
        assert (erased.status_code, erased.json()["screenings"]) == (200, 0)

    def test_expired_batches_are_erased_by_upkeep_and_others_stay(
        self, kept_service, kept_clinic, kept_client
    ):
        old, new = complete_batch(kept_client, rows(1)), complete_batch(kept_client, rows(1))
        store = kept_service.services.store
        days = datetime.fromisoformat(old["expires_at"]) - datetime.fromisoformat(old["created_at"])
        assert days == timedelta(days=kept_service.services.settings.batch_days)
        with store.write_all_organisations() as session:
            session.execute(
                update(BatchRow)
                .where(BatchRow.id == old["id"])
                .values(expires_at=datetime.now(UTC))
            )
        settings = kept_service.services.settings
        housekeeping.run_housekeeping(store, settings.token_algorithm, settings.signing_key_days)
        assert kept_client.get(old["links"]["self"]).status_code == 404
        assert kept_client.get(new["links"]["self"]).status_code == 200
        purged = [act for act in audited(kept_service, kept_clinic) if act.action == "purge"]
        assert [(act.kind, act.count) for act in purged] == [("batch", 1)]


@pytest.mark.usefixtures("small_chunks")
class TestReports:
    @pytest.fixture
    def batch(self, kept_client):
        intakes = [
            {"row_id": "a", "patient_reference": "MRN-1", **example()},
            {"row_id": "b", "patient_reference": "MRN-2", **example("red_flag")},
            {"row_id": "c", "patient_reference": "MRN-3", **example(), "age_years": "x"},
            {"row_id": "d", "patient_reference": "MRN-4", **example()},
        ]
        return complete_batch(kept_client, csv(*intakes))

    def print_reports(self, client, batch, **selection) -> dict[str, bytes]:
        creation = client.post(batch["links"]["reports"], json=selection)
        assert creation.status_code == 202, creation.text
        assert int(creation.headers["retry-after"]) > 0
        work(client.app)
        progress = client.get(creation.json()["links"]["self"]).json()
        assert (progress["state"], progress["rows_set_aside"]) == ("done", 0)
        response = client.get(progress["links"]["zip"])
        assert response.headers["content-type"] == "application/zip"
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        assert archive.testzip() is None
        assert len(archive.namelist()) == progress["rows"]
        return {name: archive.read(name) for name in archive.namelist()}

    def test_one_for_each_row_with_a_status_named_by_its_number(self, kept_client, batch):
        documents = self.print_reports(kept_client, batch, format="txt")
        assert list(documents) == [f"report-{n:09d}.txt" for n in (1, 2, 4)]
        for reference, text in zip(("MRN-1", "MRN-2", "MRN-4"), documents.values(), strict=True):
            assert reference in text.decode()

    def test_are_printed_by_all_render_processes_at_once(self, kept_client, batch, monkeypatch):
        both_print, calls = Barrier(2), count_up()

        class PairedRenderer:
            workers = 2

            def render(self, _document, _meter=None):
                if next(calls) < 2:  # rows 1 and 2 are of one chunk
                    both_print.wait(30)
                return b"%PDF"

        monkeypatch.setattr("support.batch_files.InProcessRenderer", PairedRenderer)
        documents = self.print_reports(kept_client, batch)
        assert [*documents.values()] == [b"%PDF"] * 3

    def test_says_what_a_report_of_the_same_answers_says(self, kept_client, batch):
        documents = self.print_reports(
            kept_client, batch, format="txt", status=["withheld_red_flag"]
        )
        body = request("MRN-2", "red_flag") | {"clinician": None, "note": None}
        body = {"rulebook": "nociplastic", "answers": body["answers"],
                "patient": {"reference": "MRN-2"}}  # fmt: skip
        alone = kept_client.post("/v1/score/report.txt", json=body).text
        (text,) = documents.values()
        report_lines = [line for line in text.decode().splitlines() if ":" not in line]
        assert report_lines == [line for line in alone.splitlines() if ":" not in line]

    @pytest.mark.parametrize(
        ("selection", "place", "word"),
        [
            ({"status": ["score"]}, "/status/0", "withheld_red_flag"),
            ({"band": ["strong", "nociplastic"]}, "/band/1", "strong"),
            ({"tier": ["t0"]}, "/tier/0", "T0"),
        ],
    )
    def test_a_word_that_no_row_can_have_is_refused(
        self, kept_client, batch, selection, place, word
    ):
        refusal = kept_client.post(batch["links"]["reports"], json=selection)
        assert refusal.status_code == 422
        (error,) = refusal.json()["errors"]
        assert error["pointer"] == place
        assert word in error["detail"]

    def test_a_filter_chooses_rows(self, kept_client, batch):
        assert len(self.print_reports(kept_client, batch, format="txt", status=["scored"])) == 2
        assert self.print_reports(kept_client, batch, format="txt", band=["little"]) == {}

    def test_a_pdf_is_a_pdf_and_a_download_is_taken_up_by_range(self, kept_client, batch):
        documents = self.print_reports(kept_client, batch, status=["withheld_red_flag"])
        assert [pdf[:5] for pdf in documents.values()] == [b"%PDF-"]
        reports = kept_client.post(batch["links"]["reports"], json={"format": "txt"}).json()
        work(kept_client.app)
        content = kept_client.get(reports["links"]["zip"]).content
        rest = kept_client.get(reports["links"]["zip"], headers={"Range": "bytes=100-"})
        assert (rest.status_code, content[:100] + rest.content) == (206, content)

    def test_more_than_may_be_printed_at_once_are_refused(
        self, kept_service, kept_client, batch, monkeypatch
    ):
        few = kept_service.services.settings.model_copy(update={"max_batch_reports": 2})
        replace_service(kept_service, monkeypatch, settings=few)
        refusal = kept_client.post(batch["links"]["reports"], json={"format": "txt"})
        assert problem(refusal) == (413, "too_large")

    def test_wait_until_the_batch_is_done(self, kept_client):
        batch = send(kept_client, rows(1))
        refusal = kept_client.post(batch["links"]["reports"], json={"format": "txt"})
        assert problem(refusal) == (409, "conflict")
        work(kept_client.app)

    def test_that_cannot_be_made_are_counted_and_the_others_are_there(
        self, kept_client, batch, monkeypatch
    ):
        from api.jobs import print_chunk

        true = print_chunk.render_answers

        def failing(*arguments, **options):
            if arguments[3].patient.reference == "MRN-2":
                raise ValueError
            return true(*arguments, **options)

        monkeypatch.setattr(print_chunk, "render_answers", failing)
        reports = kept_client.post(batch["links"]["reports"], json={"format": "txt"}).json()
        work(kept_client.app)
        progress = kept_client.get(reports["links"]["self"]).json()
        assert (progress["state"], progress["rows"], progress["rows_set_aside"]) == ("done", 3, 1)
        archive = zipfile.ZipFile(io.BytesIO(kept_client.get(progress["links"]["zip"]).content))
        assert archive.namelist() == ["report-000000001.txt", "report-000000004.txt"]


def scored(assessment):
    """The result of an intake that could be scored."""
    return {"assessment": assessment, "problem": None}


class TestScoreMany:
    def test_one_assessment_for_each_in_order(self, client):
        bodies = [{"rulebook": "nociplastic", "answers": example(name)}
                  for name in ("red_flag", "core_form")] * 3  # fmt: skip
        response = client.post("/v1/score/batch", json=bodies)
        assert response.status_code == 200
        alone = [client.post("/v1/score", json=body).json() for body in bodies[:2]]
        assert response.json()["results"] == [scored(result) for result in alone] * 3

    @pytest.mark.parametrize(
        "faulty",
        [
            {"rulebook": "nociplastic", "answers": {"age_years": "SECRET", "SECRET": 1}},
            {"rulebook": "nociplastic", "answers": {}, "patient": {"birth_date": "2999-01-01"}},
            {"rulebook": "SECRET", "answers": {}},
            {"answers": {}},
            "SECRET",
            7,
        ],
    )
    def test_a_faulty_one_stops_none_and_is_told_as_if_it_were_alone(self, client, faulty):
        good = {"rulebook": "nociplastic", "answers": example("red_flag")}
        response = client.post("/v1/score/batch", json=[good, faulty, good])
        assert response.status_code == 200
        assert "SECRET" not in response.text
        before, faulty_result, after = response.json()["results"]
        assert before == after == scored(client.post("/v1/score", json=good).json())
        alone = client.post("/v1/score", json=faulty).json()
        del alone["request_id"]  # that of another request
        assert faulty_result == {"assessment": None, "problem": alone}
        assert faulty_result["problem"]["type"] == "/problems/invalid_request"

    def test_takes_a_thousand_that_answer_everything(self, client):
        one = {"rulebook": "nociplastic", "answers": example()}
        answer = client.post("/v1/score/batch", json=[one] * 1000)
        assert answer.status_code == 200
        alone = client.post("/v1/score", json=one).json()
        assert answer.json()["results"] == [scored(alone)] * 1000

    @pytest.mark.parametrize(("count", "status"), [(0, 422), (1, 200), (1000, 200), (1001, 422)])
    def test_takes_from_one_to_a_thousand(self, client, count, status):
        bodies = [{"rulebook": "nociplastic", "answers": {}}] * count
        assert client.post("/v1/score/batch", json=bodies).status_code == status


class TestSealed:
    MARK = "CANARY-" + "7" * 20

    def test_nothing_of_a_patient_lies_open_in_the_folder(self, tmp_path):
        from support.builders import clinic, copy_empty_store
        from support.callers import calling

        app = create_app(copy_empty_store(tmp_path))
        client = calling(app, clinic(app.services.store))
        batch = complete_batch(client, rows(3, patient_reference=self.MARK))
        assert self.MARK in client.get(batch["links"]["results"]).text
        with app.services.store.read_all_organisations() as session:
            for table in ("batch", "batch_chunk", "answered"):
                cells = session.connection().exec_driver_sql(f"SELECT * FROM {table}").all()  # noqa: S608
                assert self.MARK not in str(cells)
        contents = {file.name: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        assert {"nociscreen.db", "nociscreen.db-wal"} <= contents.keys()
        assert [name for name, content in contents.items() if self.MARK.encode() in content] == []
        app.services.store.close()


def test_a_key_that_is_changed_leaves_batches_readable_and_findable(own_store):
    from support.builders import clinic, do

    from api.store.batches import chunks
    from api.store.batches.chunk_content import ChunkContent
    from api.store.operations import key_rotation

    owner = clinic(own_store)
    new_batch = batches.NewBatch("score", "book@1.0.0", "0" * 64, {"explain": False})
    content = ChunkContent(("MRN-0042",), (b"rows",))
    batch = do(own_store, owner, lambda w: batches.add_batch(
        w, new_batch, [(1, content)], batches.compute_expiry(w.now, 1)))  # fmt: skip
    key_rotation.rotate_data_key(own_store, owner.actor)
    assert do(own_store, owner, chunks.read_chunk_content, batch.id, 0) == content
    assert do(own_store, owner, batches.list_batch_ids_naming, ["MRN-0042"]) == [batch.id]
    assert do(own_store, owner, batches.list_batch_ids_naming, ["MRN-004"]) == []
