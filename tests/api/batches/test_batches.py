"""Batches over HTTP, on both databases: sent, worked on, fetched in part and whole, erased."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import update
from support.batch_files import bench_of, csv, done, example, results, rows, send, work
from support.builders import request
from support.callers import audited, last_act

from api.jobs import chunk_runner, score_chunk
from api.jobs.chunk_runner import run_inline
from api.main import create_app
from api.store.batches import batches
from api.store.database.tables import BatchRow
from api.store.operations import housekeeping

NDJSON = {"Content-Type": "application/x-ndjson"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}


def problem(response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[-1]


@pytest.fixture
def small_chunks(kept_service, monkeypatch):
    """Chunks of three rows."""
    settings = kept_service.state.settings.model_copy(update={"batch_chunk_rows": 3})
    monkeypatch.setitem(kept_service.state._state, "settings", settings)


class TestSend:
    def test_answers_at_once_where_to_ask(self, kept_service, kept_clinic, kept_client):
        made = send(kept_client, rows(2))
        assert (made["state"], made["rows"], made["rows_done"]) == ("waiting", 2, 0)
        assert last_act(kept_service, kept_clinic) == ("create", "ok", "batch", made["id"])

    def test_under_a_key_is_done_once(self, kept_client):
        first = send(kept_client, rows(2), **{"Idempotency-Key": "k"})
        again = send(kept_client, rows(2), **{"Idempotency-Key": "k"})
        assert again == first
        headers = {"Content-Type": "text/csv", "Idempotency-Key": "k"}
        other = kept_client.post("/v1/batches", content=rows(3), headers=headers)
        assert problem(other) == (422, "other_request")

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("application/json", (415, "unsupported_media_type")),
            ("text/csv; charset=latin-1", (415, "unsupported_media_type")),
            ("application/x-ndjson", (202, None)),
            ("text/csv; charset=UTF-8", (202, None)),
        ],
    )
    def test_takes_what_its_media_type_says(self, kept_client, kind, expected):
        text = json.dumps(example()) if "json" in kind else rows(1)
        response = kept_client.post("/v1/batches", content=text, headers={"Content-Type": kind})
        assert (response.status_code if expected[1] is None else problem(response)) == (
            202 if expected[1] is None else expected
        )

    def test_tells_the_places_of_columns_that_it_does_not_know(self, kept_client):
        text = "age_years,shoe_size\n44,SECRET-CELL\n"
        response = kept_client.post("/v1/batches", content=text,
                                    headers={"Content-Type": "text/csv"})  # fmt: skip
        assert problem(response) == (422, "unusable_file")
        assert "1 of 2 columns are not known, counted from 1: 2;" in response.json()["detail"]
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
        assert "3 of 3 columns are not known, counted from 1: 1, 2, 3;" in response.text
        for each in ("MRN-0042", "Jane", "44", "--"):
            assert each not in response.text

    def test_a_file_that_is_too_large_is_refused(self, kept_service, kept_client, monkeypatch):
        settings = kept_service.state.settings
        text = rows(2)
        for size, expected in ((len(text), 202), (len(text) - 1, 413)):
            few = settings.model_copy(update={"batch_bytes": size})
            monkeypatch.setitem(kept_service.state._state, "settings", few)
            for content in (text, iter([text.encode()])):
                response = kept_client.post("/v1/batches", content=content,
                                            headers={"Content-Type": "text/csv"})  # fmt: skip
                assert response.status_code == expected

    @pytest.mark.parametrize(("most", "expected"), [(2, 202), (1, 413)])
    def test_too_many_rows_are_refused_and_nothing_is_kept(
        self, kept_service, kept_client, monkeypatch, most, expected
    ):
        few = kept_service.state.settings.model_copy(update={"batch_rows": most})
        monkeypatch.setitem(kept_service.state._state, "settings", few)
        response = kept_client.post("/v1/batches", content=rows(2),
                                    headers={"Content-Type": "text/csv"})  # fmt: skip
        assert response.status_code == expected
        kept = kept_client.get("/v1/batches").json()["batches"]
        assert len(kept) == (1 if expected == 202 else 0)

    def test_larger_than_other_bodies_may_be(self, kept_client):
        text = rows(1000)
        assert len(text) > 256 * 1024
        assert send(kept_client, text)["rows"] == 1000


@pytest.mark.usefixtures("small_chunks")
class TestResults:
    def test_one_row_for_each_row_in_order_good_or_bad(self, kept_client):
        given = [{"row_id": f"r{n}", **example(), "age_years": "x" if n % 4 == 1 else 40 + n}
                 for n in range(11)]  # fmt: skip
        batch = done(kept_client, csv(*given))
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == [f"r{n}" for n in range(11)]
        assert [n for n, each in enumerate(table["problems"]) if each is not None] == [1, 5, 9]
        assert (batch["state"], batch["rows_done"], batch["rows_with_problems"]) == ("done", 11, 3)
        assert sum(batch["by_status"].values()) == 8

    def test_problems_name_row_line_and_column_and_no_value(self, kept_client):
        given = [{"row_id": f"r{n}", **example(), "age_years": "MCMXL" if n == 7 else 40}
                 for n in range(9)]  # fmt: skip
        batch = done(kept_client, csv(*given))
        response = kept_client.get(batch["links"]["problems"])
        (told,) = [json.loads(each) for each in response.text.splitlines()]
        expected = "must be a whole number from 0 to 120"
        assert told == {
            "row": 8,
            "line": 9,
            "row_id": "r7",
            "column": "age_years",
            "code": "not_a_whole_number",
            "expected": expected,
            "detail": f"line 9: age_years: {expected}",
        }
        assert "MCMXL" not in response.text

    def test_blank_lines_are_no_rows_and_later_lines_keep_their_numbers(self, kept_client):
        text = "row_id,age_years\n\na,44\n\n\nb,x\n\nc,45\n\n\n"
        batch = done(kept_client, text)
        assert (batch["rows"], batch["rows_with_problems"]) == (3, 1)
        (told,) = map(json.loads, kept_client.get(batch["links"]["problems"]).text.splitlines())
        assert (told["row"], told["line"], told["row_id"]) == (2, 6, "b")
        assert results(kept_client, batch)["row_id"].to_list() == ["a", "b", "c"]

    def test_problems_and_results_are_utf_8(self, kept_client):
        batch = done(kept_client, csv({"row_id": "Müller-日本", **example(), "age_years": "x"}))
        problems = kept_client.get(batch["links"]["problems"])
        assert problems.headers["content-type"] == "application/x-ndjson"
        assert json.loads(problems.content.decode("utf-8"))["row_id"] == "Müller-日本"
        table = kept_client.get(batch["links"]["results"])
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        assert "Müller-日本" in table.content.decode("utf-8")

    def test_says_what_the_engine_for_one_intake_says(self, kept_client):
        batch = done(kept_client, csv({"row_id": "a", **example("red_flag")}, example()))
        table = results(kept_client, batch)
        for place, name in enumerate(("red_flag", "widespread_pain")):
            body = {"rulebook": "nociplastic", "answers": example(name)}
            told = kept_client.post("/v1/score", json=body).json()
            assert table["status"][place] == told["status"]
            assert table["tier"][place] == told["safety"]["tier"]

    def test_a_line_with_an_endless_number_is_one_problem(self, kept_client):
        lines = [json.dumps(example()), '{"age_years": 1e-99999999999999999999}']
        batch = done(kept_client, "\n".join(lines), **NDJSON)
        assert (batch["rows"], batch["rows_with_problems"]) == (2, 1)

    def test_a_number_is_what_a_row_is_known_by_and_a_faulty_row_stays_known(self, kept_client):
        given = [
            {"row_id": 7, "patient_reference": 42, **example()},
            {"row_id": "8", "age_years": "x"},
            {"row_id": 1.5, **example()},
            {"row_id": True, **example()},
        ]
        lines = "\n\n".join(json.dumps(each) for each in given)
        batch = done(kept_client, lines, **NDJSON)
        table = pl.read_csv(kept_client.get(batch["links"]["results"]).content, infer_schema=False)
        assert table["row_id"].to_list() == ["7", "8", None, None]
        assert table["patient_reference"].to_list() == ["42", None, None, None]
        assert [each is None for each in table["status"]] == [False, True, True, True]
        problems = kept_client.get(batch["links"]["problems"]).text.splitlines()
        told = [json.loads(each) for each in problems]
        assert [(each["row"], each["line"], each["column"]) for each in told] == [
            (2, 3, "age_years"), (3, 5, "row_id"), (4, 7, "row_id")
        ]  # fmt: skip

    def test_members_that_are_not_known_are_told_once_by_their_places(self, kept_client):
        given = [
            {"row_id": "a", "age_years": 44, "SECRET": 1, "x/SECRET": 2},
            {"row_id": "b", "answers": {"age_years": 44, "SECRET": 1}},
            {"row_id": "c", "patient": {"reference": "MRN-3", "SECRET": 1}, "answers": {}},
            {"row_id": "d", "patient": {"reference": "MRN-4"}, "answers": {"age_years": "SECRET"}},
        ]
        lines = "\n".join(json.dumps(each) for each in given)
        batch = done(kept_client, lines, **NDJSON)
        problems = kept_client.get(batch["links"]["problems"]).text
        table = results(kept_client, batch)
        assert "SECRET" not in problems + str(table.rows())
        assert [json.loads(each)["detail"] for each in problems.splitlines()] == [
            "line 1: 2 of 4 members are not known, counted from 1: 3, 4",
            "line 2: answers: 1 of 2 members are not known, counted from 1: 2",
            "line 3: patient: 1 of 2 members are not known, counted from 1: 2",
            "line 4: age_years: must be a whole number from 0 to 120",
        ]
        assert table["row_id"].to_list() == ["a", "b", "c", "d"]
        assert table["patient_reference"].to_list() == [None, None, "MRN-3", "MRN-4"]

    def test_members_that_are_not_known_are_left_out_on_demand(self, kept_client):
        given = [
            {"row_id": "a", "age_years": 44, "shoe_size": 1},
            {"row_id": "b", "answers": {"age_years": 44, "shoe_size": 1}, "hat_size": 1},
        ]
        lines = "\n".join(json.dumps(each) for each in given)
        sent = kept_client.post("/v1/batches?ignore_unknown=true", content=lines, headers=NDJSON)
        work(kept_client.app)
        batch = kept_client.get(sent.json()["links"]["self"]).json()
        assert (batch["rows"], batch["rows_with_problems"]) == (2, 0)

    @pytest.mark.parametrize("sent", ["ndjson", "parquet"])
    def test_are_the_same_whatever_format_was_sent(self, kept_client, sent):
        plain = results(kept_client, done(kept_client, csv(*[example()] * 4)))
        if sent == "ndjson":
            text = "\n".join(json.dumps(example()) for _ in range(4))
            other = done(kept_client, text, **NDJSON)
        else:
            buffer = io.BytesIO()
            pl.DataFrame([example()] * 4).write_parquet(buffer)
            other = done(kept_client, buffer.getvalue(), **PARQUET)
        table = results(kept_client, other)
        assert table.select("status", "predominance", "band").equals(
            plain.select("status", "predominance", "band")
        )

    def test_come_in_every_format_by_accept_and_by_address(self, kept_client):
        batch = done(kept_client, rows(7))
        here = batch["links"]["results"]
        csv_text = kept_client.get(here + ".csv").text
        assert csv_text.startswith("row_id,patient_reference,rulebook,")
        assert len(csv_text.splitlines()) == 8
        lines = kept_client.get(here + ".ndjson").text.splitlines()
        assert [json.loads(each)["row_id"] for each in lines] == [f"r{n}" for n in range(7)]
        for accept, kind in (
            ("*/*", "text/csv"),
            ("application/x-ndjson", "application/x-ndjson"),
            ("text/csv;q=0, application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ):
            response = kept_client.get(here, headers={"Accept": accept})
            assert response.headers["content-type"].startswith(kind)
        refused = kept_client.get(here, headers={"Accept": "image/png"})
        assert problem(refused) == (406, "not_acceptable")

    @pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
    def test_an_interrupted_download_is_taken_up_by_range(self, kept_client, suffix):
        here = done(kept_client, rows(10))["links"]["results"] + f".{suffix}"
        whole = kept_client.get(here)
        size = len(whole.content)
        for cut in (1, size // 3, size // 2, size - 1):
            headers = {"Range": f"bytes={cut}-", "If-Range": whole.headers["etag"]}
            rest = kept_client.get(here, headers=headers)
            assert rest.status_code == 206
            assert rest.headers["content-range"] == f"bytes {cut}-{size - 1}/{size}"
            assert whole.content[:cut] + rest.content == whole.content
        tail = kept_client.get(here, headers={"Range": "bytes=-5"})
        assert tail.content == whole.content[-5:]
        middle = kept_client.get(here, headers={"Range": "bytes=3-8"})
        assert middle.content == whole.content[3:9]
        beyond = kept_client.get(here, headers={"Range": f"bytes={size}-"})
        assert problem(beyond) == (416, "range_not_satisfiable")
        assert beyond.headers["content-range"] == f"bytes */{size}"
        other = kept_client.get(here, headers={"Range": "bytes=3-", "If-Range": '"other"'})
        assert (other.status_code, other.content) == (200, whole.content)

    def test_wait_until_the_batch_is_done(self, kept_service, kept_clinic, kept_client):
        batch = send(kept_client, rows(7))
        run_inline(bench_of(kept_service), kept_clinic.organisation, batch["id"], range(2))
        told = kept_client.get(batch["links"]["self"]).json()
        assert (told["state"], told["rows_done"]) == ("running", 6)
        response = kept_client.get(batch["links"]["results"])
        assert problem(response) == (409, "conflict")
        assert "retry-after" in response.headers
        work(kept_service)

    def test_a_batch_without_rows_is_done_and_has_its_columns(self, kept_client):
        batch = done(kept_client, "row_id,age_years\n")
        assert (batch["state"], batch["rows"]) == ("done", 0)
        assert kept_client.get(batch["links"]["results"]).text.startswith("row_id,")
        assert results(kept_client, batch).height == 0

    def test_every_chunk_leaves_a_row_of_audit_in_the_name_of_its_sender(
        self, kept_service, kept_clinic, kept_client
    ):
        batch = done(kept_client, rows(7))
        acts = [each for each in audited(kept_service, kept_clinic) if each.action == "score"]
        assert [(each.target, each.count, each.actor) for each in acts] == [
            (batch["id"], count, kept_clinic.client) for count in (3, 3, 1)
        ]

    def test_a_chunk_done_twice_is_there_once(self, kept_service, kept_clinic, kept_client):
        batch = done(kept_client, rows(7))
        before = results(kept_client, batch)
        run_inline(bench_of(kept_service), kept_clinic.organisation, batch["id"], range(3))
        assert results(kept_client, batch).equals(before)
        acts = [each for each in audited(kept_service, kept_clinic) if each.action == "score"]
        assert len(acts) == 3


@pytest.mark.usefixtures("small_chunks")
class TestPoison:
    def test_the_row_that_fails_is_set_aside_alone_and_shown(
        self, kept_service, kept_client, monkeypatch
    ):
        true, tried = score_chunk.score_frame, []

        def poisoned(frame, *given, **named):
            if "age_years" in frame.columns and "113" in frame["age_years"].to_list():
                tried.append(frame.height)
                raise MemoryError
            return true(frame, *given, **named)

        monkeypatch.setattr(score_chunk, "scored", poisoned)
        given = [{"row_id": f"r{n}", **example(), "age_years": 113 if n == 4 else 44}
                 for n in range(8)]  # fmt: skip
        batch = done(kept_client, csv(*given))
        tries = kept_service.state.settings.batch_tries
        assert tried.count(3) == tries
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == [f"r{n}" for n in range(8)]
        assert [n for n, each in enumerate(table["status"]) if each is None] == [4]
        (told,) = map(json.loads, kept_client.get(batch["links"]["problems"]).text.splitlines())
        assert (told["row"], told["line"], told["code"]) == (5, 6, "set_aside")

    @pytest.mark.parametrize("ends_its_process", [False, True])
    def test_rows_known_by_what_cannot_be_written_are_set_aside(
        self, kept_client, monkeypatch, ends_its_process
    ):
        true, true_score = score_chunk.unpack_chunk, chunk_runner.score_rows

        def listed(given):
            chunk_ = true(given)
            return chunk_._replace(frame=chunk_.frame.with_columns(row_id=pl.concat_list("row_id")))

        def counted(rulebooks, taken, tries):
            if taken.tries > tries:
                pytest.fail("tried more often than it may be")  # no Exception: it is not retried
            return true_score(rulebooks, taken, taken.tries - 1 if ends_its_process else tries)

        monkeypatch.setattr(score_chunk, "unpacked", listed)
        monkeypatch.setattr(chunk_runner, "score", counted)
        given = {"patient_reference": "MRN-7", **example()}
        batch = done(kept_client, csv({"row_id": "a", **given}, {"row_id": "b", **given}))
        assert (batch["state"], batch["rows_set_aside"]) == ("done", 2)
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == table["status"].to_list() == [None, None]
        assert table["patient_reference"].to_list() == ["MRN-7", "MRN-7"]
        told = kept_client.get(batch["links"]["problems"]).text.splitlines()
        assert [json.loads(each)["code"] for each in told] == ["set_aside"] * 2

    @pytest.mark.parametrize("error", [MemoryError, pl.exceptions.PanicException])
    def test_what_cannot_even_be_set_aside_by_row_is_set_aside_whole(
        self, kept_client, monkeypatch, error
    ):
        def poisoned(*_):
            raise error

        monkeypatch.setattr(score_chunk, "unpacked", poisoned)
        batch = done(kept_client, rows(4))
        assert (batch["state"], batch["rows_set_aside"]) == ("done", 4)
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == table["status"].to_list() == [None] * 4
        assert table["problems"].null_count() == 0

    def test_a_chunk_that_ends_its_process_each_time_is_set_aside_whole(
        self, kept_service, kept_clinic, kept_client, monkeypatch
    ):
        batch = send(kept_client, rows(7))
        bench = bench_of(kept_service)
        tries = kept_service.state.settings.batch_tries

        class Killed(BaseException):
            pass

        def killed(_):
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(bench, "outcome", killed)
            for _ in range(tries):
                with pytest.raises(Killed):
                    chunk_runner.run_chunk(bench, kept_clinic.organisation, batch["id"], 1)
        work(kept_service)
        told = kept_client.get(batch["links"]["self"]).json()
        assert (told["state"], told["rows_done"], told["rows_set_aside"]) == ("done", 7, 3)
        table = results(kept_client, batch)
        assert table["row_id"].to_list() == [f"r{n}" for n in range(7)]
        assert [n for n, each in enumerate(table["status"]) if each is None] == [3, 4, 5]
        acts = [each for each in audited(kept_service, kept_clinic) if each.action == "score"]
        assert [each.outcome for each in acts] == ["ok", "set_aside", "ok"]


@pytest.mark.usefixtures("small_chunks")
class TestCancel:
    def test_nothing_more_is_begun_and_what_is_done_stays_told(
        self, kept_service, kept_clinic, kept_client
    ):
        batch = send(kept_client, rows(7))
        run_inline(bench_of(kept_service), kept_clinic.organisation, batch["id"], range(1))
        told = kept_client.post(batch["links"]["self"] + "/cancel").json()
        assert (told["state"], told["rows_done"]) == ("cancelled", 3)
        assert last_act(kept_service, kept_clinic) == ("cancel", "ok", "batch", batch["id"])
        work(kept_service)
        again = kept_client.post(batch["links"]["self"] + "/cancel").json()
        assert (again["state"], again["rows_done"]) == ("cancelled", 3)

    def test_what_was_under_way_is_not_laid_down(self, kept_service, kept_clinic, kept_client):
        batch = send(kept_client, rows(3))
        bench, store = bench_of(kept_service), kept_service.state.store
        outcome = chunk_runner.run_chunk(bench, kept_clinic.organisation, batch["id"], 0)
        kept_client.post(batch["links"]["self"] + "/cancel")
        with store.transaction(kept_clinic.actor) as work_:
            told = chunk_runner.record_outcome(store, work_.session, batch["id"], 0, outcome)
            work_.audit("read")
        assert told == ("over", ())
        assert kept_client.get(batch["links"]["self"]).json()["rows_done"] == 0

    def test_dropped_it_is_gone(self, kept_client):
        batch = done(kept_client, rows(3))
        assert kept_client.delete(batch["links"]["self"]).status_code == 204
        assert kept_client.get(batch["links"]["self"]).status_code == 404
        assert kept_client.get(batch["links"]["results"]).status_code == 404


class TestExport:
    def test_a_patient_is_told_of_the_batches_that_erasure_would_erase(self, kept_client):
        named = done(kept_client, rows(2, patient_reference="MRN-0042"))
        done(kept_client, rows(2, patient_reference="MRN-00421"))
        person = {"reference": "MRN-0042"}
        told = kept_client.post("/v1/patients/export", json=person)
        assert told.status_code == 200
        (batch,) = told.json()["batches"]
        assert batch == {"kind": "score"} | {
            name: named[name] for name in ("id", "created_at", "expires_at")
        }
        assert (told.json()["screenings"], told.json()["reports"]) == ([], [])
        erased = kept_client.request("DELETE", "/v1/patients", json=person)
        assert erased.json()["batches"] == 1
        assert kept_client.post("/v1/patients/export", json=person).status_code == 404


class TestErasure:
    def test_a_patient_takes_the_batches_that_name_them_along(self, kept_client):
        named = done(kept_client, rows(2, patient_reference="MRN-0042"))
        other = done(kept_client, rows(2, patient_reference="MRN-00421"))
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0042"})
        assert erased.json()["batches"] == 1
        assert kept_client.get(named["links"]["self"]).status_code == 404
        assert kept_client.get(other["links"]["self"]).status_code == 200

    def test_under_a_hold_nothing_is_erased(self, kept_client):
        named = done(kept_client, rows(1, patient_reference="MRN-0042"))
        kept_client.post("/v1/patients/holds", json={"reference": "MRN-0042", "reason": "court"})
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0042"})
        assert problem(erased) == (409, "held")
        assert kept_client.get(named["links"]["self"]).status_code == 200

    def held(self, client, reference="MRN-0042") -> str:
        body = {"reference": reference, "reason": "court"}
        return client.post("/v1/patients/holds", json=body).json()["id"]

    def two(self, client) -> str:
        """Where a batch is that names two patients."""
        given = [{"patient_reference": each, **example()} for each in ("MRN-0042", "MRN-0043")]
        return done(client, csv(*given))["links"]["self"]

    def test_a_batch_that_names_a_held_patient_is_not_erased_by_its_id(
        self, kept_service, kept_clinic, kept_client
    ):
        here, other = self.two(kept_client), done(kept_client, rows(1, patient_reference="X"))
        hold = self.held(kept_client)
        assert problem(kept_client.delete(here)) == (409, "held")
        assert last_act(kept_service, kept_clinic)[:2] == ("refuse", "held")
        assert kept_client.get(here).status_code == 200
        assert kept_client.delete(other["links"]["self"]).status_code == 204
        kept_client.delete(f"/v1/patients/holds/{hold}")
        assert kept_client.delete(here).status_code == 204

    def test_a_batch_that_names_a_held_patient_is_not_erased_for_another(self, kept_client):
        here, hold = self.two(kept_client), self.held(kept_client)
        kept = kept_client.post("/v1/screenings", json=request("MRN-0043")).json()["links"]["self"]
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0043"})
        assert problem(erased) == (409, "held")
        assert kept_client.get(here).status_code == kept_client.get(kept).status_code == 200
        kept_client.delete(f"/v1/patients/holds/{hold}")
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0043"})
        assert erased.json()["batches"] == 1

    def test_a_hold_reaches_batches_that_name_a_number_merged_into_it(self, kept_client):
        here = self.two(kept_client)
        kept_client.post("/v1/screenings", json=request("MRN-0042"))
        merged = {"retired": {"reference": "MRN-0042"}, "survivor": {"reference": "MRN-9"}}
        assert kept_client.post("/v1/patients/merge", json=merged).status_code == 200
        self.held(kept_client, "MRN-9")
        assert problem(kept_client.delete(here)) == (409, "held")

    def test_a_batch_that_names_nobody_kept_otherwise_is_found_too(self, kept_client):
        kept_client.post("/v1/screenings", json=request("MRN-0099"))
        done(kept_client, rows(1, patient_reference="MRN-0042"))
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-0042"})
        assert (erased.status_code, erased.json()["screenings"]) == (200, 0)

    def test_expired_batches_are_erased_by_upkeep_and_others_stay(
        self, kept_service, kept_clinic, kept_client
    ):
        old, new = done(kept_client, rows(1)), done(kept_client, rows(1))
        store = kept_service.state.store
        days = datetime.fromisoformat(old["expires_at"]) - datetime.fromisoformat(old["created_at"])
        assert days == timedelta(days=kept_service.state.settings.batch_days)
        with store.write_all_organisations() as session:
            session.execute(
                update(BatchRow)
                .where(BatchRow.id == old["id"])
                .values(expires_at=datetime.now(UTC))
            )
        housekeeping.erase_expired_batches(store)
        assert kept_client.get(old["links"]["self"]).status_code == 404
        assert kept_client.get(new["links"]["self"]).status_code == 200
        purged = [each for each in audited(kept_service, kept_clinic) if each.action == "purge"]
        assert [(each.kind, each.count) for each in purged] == [("batch", 1)]


@pytest.mark.usefixtures("small_chunks")
class TestReports:
    @pytest.fixture
    def batch(self, kept_client):
        given = [
            {"row_id": "a", "patient_reference": "MRN-1", **example()},
            {"row_id": "b", "patient_reference": "MRN-2", **example("red_flag")},
            {"row_id": "c", "patient_reference": "MRN-3", **example(), "age_years": "x"},
            {"row_id": "d", "patient_reference": "MRN-4", **example()},
        ]
        return done(kept_client, csv(*given))

    def printed(self, client, batch, **wanted) -> dict[str, bytes]:
        made = client.post(batch["links"]["reports"], json=wanted)
        assert made.status_code == 202, made.text
        assert int(made.headers["retry-after"]) > 0
        work(client.app)
        told = client.get(made.json()["links"]["self"]).json()
        assert (told["state"], told["rows_set_aside"]) == ("done", 0)
        response = client.get(told["links"]["zip"])
        assert response.headers["content-type"] == "application/zip"
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        assert archive.testzip() is None
        assert len(archive.namelist()) == told["rows"]
        return {name: archive.read(name) for name in archive.namelist()}

    def test_one_for_each_row_with_a_status_named_by_its_number(self, kept_client, batch):
        made = self.print_settings(kept_client, batch, format="txt")
        assert list(made) == [f"report-{n:09d}.txt" for n in (1, 2, 4)]
        for reference, text in zip(("MRN-1", "MRN-2", "MRN-4"), made.values(), strict=True):
            assert reference in text.decode()

    def test_says_what_a_report_of_the_same_answers_says(self, kept_client, batch):
        made = self.print_settings(kept_client, batch, format="txt", status=["withheld_red_flag"])
        body = request("MRN-2", "red_flag") | {"clinician": None, "note": None}
        body = {"rulebook": body["rulebook"], "answers": body["answers"],
                "patient": {"reference": "MRN-2"}}  # fmt: skip
        alone = kept_client.post("/v1/score/report.txt", json=body).text
        (text,) = made.values()
        told = [line for line in text.decode().splitlines() if ":" not in line]
        assert told == [line for line in alone.splitlines() if ":" not in line]

    @pytest.mark.parametrize(
        ("wanted", "place", "expected"),
        [
            ({"status": ["score"]}, "/status/0", "withheld_red_flag"),
            ({"band": ["strong", "nociplastic"]}, "/band/1", "strong"),
            ({"tier": ["t0"]}, "/tier/0", "T0"),
        ],
    )
    def test_a_word_that_no_row_can_have_is_refused(
        self, kept_client, batch, wanted, place, expected
    ):
        refused = kept_client.post(batch["links"]["reports"], json=wanted)
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert error["pointer"] == place
        assert expected in error["detail"]

    def test_a_filter_chooses_rows(self, kept_client, batch):
        assert len(self.print_settings(kept_client, batch, format="txt", status=["scored"])) == 2
        assert self.print_settings(kept_client, batch, format="txt", band=["little"]) == {}

    def test_a_pdf_is_a_pdf_and_a_download_is_taken_up_by_range(self, kept_client, batch):
        made = self.print_settings(kept_client, batch, status=["withheld_red_flag"])
        assert [each[:5] for each in made.values()] == [b"%PDF-"]
        printed = kept_client.post(batch["links"]["reports"], json={"format": "txt"}).json()
        work(kept_client.app)
        whole = kept_client.get(printed["links"]["zip"]).content
        rest = kept_client.get(printed["links"]["zip"], headers={"Range": "bytes=100-"})
        assert (rest.status_code, whole[:100] + rest.content) == (206, whole)

    def test_more_than_may_be_printed_at_once_are_refused(
        self, kept_service, kept_client, batch, monkeypatch
    ):
        few = kept_service.state.settings.model_copy(update={"batch_reports": 2})
        monkeypatch.setitem(kept_service.state._state, "settings", few)
        refused = kept_client.post(batch["links"]["reports"], json={"format": "txt"})
        assert problem(refused) == (413, "too_large")

    def test_wait_until_the_batch_is_done(self, kept_client):
        batch = send(kept_client, rows(1))
        refused = kept_client.post(batch["links"]["reports"], json={"format": "txt"})
        assert problem(refused) == (409, "conflict")
        work(kept_client.app)

    def test_that_cannot_be_made_are_counted_and_the_others_are_there(
        self, kept_client, batch, monkeypatch
    ):
        from api.jobs import print_chunk

        true = print_chunk.render_answers

        def failing(*given, **named):
            if given[3].patient.reference == "MRN-2":
                raise ValueError
            return true(*given, **named)

        monkeypatch.setattr(print_chunk, "paper_of_answers", failing)
        made = kept_client.post(batch["links"]["reports"], json={"format": "txt"}).json()
        work(kept_client.app)
        told = kept_client.get(made["links"]["self"]).json()
        assert (told["state"], told["rows"], told["rows_set_aside"]) == ("done", 3, 1)
        archive = zipfile.ZipFile(io.BytesIO(kept_client.get(told["links"]["zip"]).content))
        assert archive.namelist() == ["report-000000001.txt", "report-000000004.txt"]


def scored(assessment):
    """The result of an intake that could be scored."""
    return {"assessment": assessment, "problem": None}


class TestScoreMany:
    def test_one_assessment_for_each_in_order(self, client):
        bodies = [{"rulebook": "nociplastic", "answers": example(name)}
                  for name in ("red_flag", "widespread_pain")] * 3  # fmt: skip
        made = client.post("/v1/score/batch", json=bodies)
        assert made.status_code == 200
        alone = [client.post("/v1/score", json=body).json() for body in bodies[:2]]
        assert made.json()["results"] == [scored(each) for each in alone] * 3

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
        made = client.post("/v1/score/batch", json=[good, faulty, good])
        assert made.status_code == 200
        assert "SECRET" not in made.text
        before, told, after = made.json()["results"]
        assert before == after == scored(client.post("/v1/score", json=good).json())
        assert told == {"assessment": None, "problem": client.post("/v1/score", json=faulty).json()}
        assert told["problem"]["type"] == "/problems/wrong_shape"

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
        from support.builders import clinic, kept_in
        from support.callers import calling

        app = create_app(kept_in(tmp_path))
        client = calling(app, clinic(app.state.store))
        batch = done(client, rows(3, patient_reference=self.MARK))
        assert self.MARK in client.get(batch["links"]["results"]).text
        with app.state.store.read_all_organisations() as session:
            for table in ("batch", "batch_chunk", "answered"):
                cells = session.connection().exec_driver_sql(f"SELECT * FROM {table}").all()  # noqa: S608
                assert self.MARK not in str(cells)
        for file in tmp_path.rglob("*"):
            assert not file.is_file() or self.MARK.encode() not in file.read_bytes()
        app.state.store.close()

    def test_an_upload_is_noise_on_the_disk_and_reads_back_as_it_was(self):
        from api.batch_scoring.encrypted_tempfile import CELL_BYTES, EncryptedTempFile

        given = b"".join(b"%d,%s\n" % (n, self.MARK.encode()) for n in range(80_000))
        assert len(given) > 2 * CELL_BYTES
        with EncryptedTempFile() as file:
            for start in range(0, len(given), 70_001):
                file.append(given[start : start + 70_001])
            file._file.flush()
            file._file.seek(0)
            assert self.MARK.encode() not in file._file.read()
            assert io.BufferedReader(incoming_view(file)).read() == given


def incoming_view(file):
    from api.batch_scoring.chunk_spool import NonClosingReader

    return NonClosingReader(file)


def test_a_key_that_is_changed_leaves_batches_readable_and_findable(store):
    from support.builders import clinic, do

    from api.store.batches import chunks
    from api.store.operations import key_rotation

    owner = clinic(store)
    wanted = batches.NewBatch("score", "book@1.0.0", "0" * 64, {"explain": False})
    given = chunks.ChunkContent(("MRN-0042",), (b"rows",))
    made = do(store, owner, lambda w: batches.add_batch(
        w, wanted, [(1, given)], batches.compute_expiry(w.now, 1)))  # fmt: skip
    key_rotation.rotate_data_key(store, owner.actor)
    assert do(store, owner, chunks.read_chunk_content, made.id, 0) == given
    assert do(store, owner, batches.list_batch_ids_naming, "MRN-0042") == [made.id]
    assert do(store, owner, batches.list_batch_ids_naming, "MRN-004") == []
