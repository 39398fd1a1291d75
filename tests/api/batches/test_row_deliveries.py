"""Rows of a batch sent to a destination, on both databases: kept once, put on their way once."""

import json
from collections import Counter

import pytest
from support import builders
from support.batch_files import bench_of, csv, done, example, rows, work
from support.builders import do
from support.callers import audited, calling, counted, last_act
from support.path_resources import UNKNOWN, destination, made

from api.jobs import chunk_runner
from api.jobs.chunk_runner import run_inline
from api.security.scopes import SCOPES
from api.store.batches import batches, chunks
from api.store.deliveries import outbox
from scoring.catalogue import load_catalogue

NEEDED = ("batches", "screenings:write", "deliveries:write")


def problem(response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rsplit("/", 1)[-1]


@pytest.fixture
def to(kept_client):
    return destination(kept_client)["id"]


@pytest.fixture
def batch(kept_client):
    """Four rows: two with a patient, one without, one that could not be read."""
    given = [
        {"row_id": "a", "patient_reference": "MRN-1", **example()},
        {"row_id": "b", "patient_reference": None, **example()},
        {"row_id": "c", "patient_reference": "MRN-3", **example("red_flag")},
        {"row_id": "d", "patient_reference": "MRN-4", **example(), "age_years": "x"},
    ]
    return done(kept_client, csv(*given))


def asked(client, batch: dict, to: str, **wanted) -> dict:
    response = client.post(batch["links"]["reports"], json={"destination": to} | wanted)
    assert response.status_code == 202, response.text
    return response.json()


def sent(client, batch: dict, to: str, **wanted) -> dict:
    """What is told once all is done."""
    made_ = asked(client, batch, to, **wanted)
    work(client.app)
    return client.get(made_["links"]["self"]).json()


def deliveries(client, to: str) -> list[dict]:
    return client.get(f"/v1/deliveries?destination={to}").json()["deliveries"]


def screenings(client) -> list[dict]:
    return client.get("/v1/screenings?limit=100").json()["screenings"]


def prepared(service, clinic, batch: str):
    """What came of the first chunk, before it is laid down."""
    return chunk_runner.run_chunk(bench_of(service), clinic.organisation, batch, 0)


def lay_down(service, clinic, batch: str, outcome) -> str:
    store = service.state.store
    with store.transaction(clinic.actor) as work_:
        told = chunk_runner.record_outcome(store, work_.session, batch, 0, outcome).state
        work_.audit("read")
    return told


class TestWhoMay:
    def test_each_of_three_scopes_is_needed(self, kept_service, kept_clinic, kept_client):
        batch, to = done(kept_client, rows(1)), destination(kept_client)["id"]
        for missing in NEEDED:
            less = calling(kept_service, kept_clinic, [each for each in SCOPES if each != missing])
            refused = less.post(batch["links"]["reports"], json={"destination": to})
            assert problem(refused) == (403, "missing_scope")
            assert missing in refused.headers["www-authenticate"]
            act = audited(kept_service, kept_clinic)[-1]
            assert (act.action, act.outcome) == ("refuse", "missing_scope")
        enough = calling(kept_service, kept_clinic, NEEDED)
        assert enough.post(batch["links"]["reports"], json={"destination": to}).status_code == 202

    def test_a_zip_still_needs_one(self, kept_service, kept_clinic, kept_client):
        batch = done(kept_client, rows(1))
        printing = calling(kept_service, kept_clinic, ["batches"])
        response = printing.post(batch["links"]["reports"], json={"format": "txt"})
        assert response.status_code == 202


class TestWhereTo:
    def test_a_destination_of_another_is_answered_as_nobodys(self, kept_client, other_client):
        batch, theirs = done(kept_client, rows(1)), destination(other_client)["id"]
        nobodys, anothers = (
            kept_client.post(batch["links"]["reports"], json={"destination": each})
            for each in (UNKNOWN["destination"], theirs)
        )
        assert problem(nobodys) == (404, "not_found")
        same = {"instance", "request_id"}
        assert {k: v for k, v in anothers.json().items() if k not in same} == {
            k: v for k, v in nobodys.json().items() if k not in same
        }
        assert deliveries(other_client, theirs) == []

    def test_a_batch_of_another_does_not_go_to_ones_own(self, kept_client, other_client, to):
        theirs = done(other_client, rows(1, patient_reference="MRN-1"))
        refused = kept_client.post(theirs["links"]["reports"], json={"destination": to})
        assert problem(refused) == (404, "not_found")

    def test_an_inactive_one_is_refused_as_for_a_single_screening(self, kept_client, batch, to):
        kept_client.patch(f"/v1/destinations/{to}", json={"active": False})
        one = made(kept_client, "/v1/screenings", builders.request("MRN-9"))["id"]
        body = {"destination": to}
        alone = kept_client.post(f"/v1/screenings/{one}/deliveries", json=body)
        refused = kept_client.post(batch["links"]["reports"], json=body)
        assert problem(refused) == problem(alone) == (409, "conflict")
        assert refused.json()["detail"] == alone.json()["detail"]

    @pytest.mark.parametrize("named", [{"format": "pdf"}, {"document": "patient"},
                                       {"locale": "en"}])  # fmt: skip
    def test_says_itself_in_which_form(self, kept_client, batch, to, named):
        refused = kept_client.post(batch["links"]["reports"], json={"destination": to} | named)
        assert problem(refused) == (422, "wrong_shape")
        assert [each["pointer"] for each in refused.json()["errors"]] == [
            f"/{each}" for each in named
        ]


class TestRows:
    def test_with_a_patient_are_kept_whole_and_wait(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        before = counted(kept_service)
        told = sent(kept_client, batch, to)
        assert (told["state"], told["destination"]) == ("done", to)
        assert (told["rows"], told["rows_enqueued"], told["rows_set_aside"]) == (3, 2, 1)
        assert counted(kept_service) == before + 2
        lines = deliveries(kept_client, to)
        assert [(each["state"], each["event"]) for each in lines] == [("waiting", "result")] * 2
        assert {each["created_by"] for each in lines} == {kept_clinic.client}
        wholes = [kept_client.get(f"/v1/screenings/{each['screening']}").json() for each in lines]
        assert {each["patient"]["reference"] for each in wholes} == {"MRN-1", "MRN-3"}
        for each in wholes:
            assert each["origin"]["means"] == "batch"
            assert each["origin"]["actor"] == kept_clinic.client
            assert each["assessment"]["rulebook"] == batch["rulebook"]
            assert each["assessment"]["rulebook_sha256"] == batch["rulebook_sha256"]

    def test_say_what_a_screening_of_the_same_answers_says(self, kept_client, batch, to):
        sent(kept_client, batch, to, status=["withheld_red_flag"])
        (line,) = deliveries(kept_client, to)
        whole = kept_client.get(f"/v1/screenings/{line['screening']}").json()
        body = {"rulebook": batch["rulebook"], "answers": example("red_flag"),
                "patient": {"reference": "MRN-3"}}  # fmt: skip
        alone = made(kept_client, "/v1/screenings", body)
        assert whole["assessment"] == alone["assessment"]
        again = kept_client.get(f"/v1/screenings/{alone['id']}").json()
        assert whole["answers"] == again["answers"]
        assert whole["context"] == again["context"]

    def test_are_audited_as_single_ones_are(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        told = sent(kept_client, batch, to)
        acts = audited(kept_service, kept_clinic)
        start = next(n for n, each in enumerate(acts) if each.target == told["id"])
        mine = [(each.action, each.kind, each.outcome) for each in acts[start:]]
        one = [("create", "screening", "ok"), ("deliver", "delivery", "enqueued")]
        assert mine == [("create", "batch", "ok"), *one, *one, ("deliver", "batch", "ok"),
                        ("read", "batch", "ok")]  # fmt: skip
        lines = deliveries(kept_client, to)
        assert {each.target for each in acts if each.kind == "delivery"} == {
            each["id"] for each in lines
        }
        assert {each.actor for each in acts[start:]} == {kept_clinic.client}

    def test_without_a_patient_are_told_by_their_number(self, kept_client, batch, to):
        told = sent(kept_client, batch, to)
        assert told["failed"] == {"patient_reference": 1}
        (why,) = told["problems"]
        assert (why["row"], why["column"]) == (2, "patient_reference")

    def test_with_a_reference_that_is_none_are_told_and_it_is_not_repeated(self, kept_client, to):
        long = "SECRET-" * 40
        given = [{"patient_reference": each, **example()} for each in (long, "  ", "MRN-3")]
        told = sent(kept_client, done(kept_client, csv(*given)), to)
        assert [each["row"] for each in told["problems"]] == [1, 2]
        assert told["failed"] == {"patient_reference": 2}
        assert "SECRET" not in json.dumps(told)
        assert told["rows_enqueued"] == len(screenings(kept_client)) == 1

    def test_that_the_destination_would_not_take_are_told_and_not_kept(self, kept_client, to):
        options = {"v2": {"character_set": "ASCII"}, "document": {"how": "url"}}
        kept_client.patch(f"/v1/destinations/{to}", json={"options": options})
        given = [{"patient_reference": each, **example()} for each in ("Žižek-1", "MRN-2")]
        told = sent(kept_client, done(kept_client, csv(*given)), to)
        (why,) = told["problems"]
        assert why["row"] == 1
        assert "PID-3" in why["expected"]
        assert "ižek" not in json.dumps(told)
        kept = [each["patient"]["reference"] for each in screenings(kept_client)]
        assert kept == ["MRN-2"]

    def test_a_filter_chooses(self, kept_client, batch, to):
        told = sent(kept_client, batch, to, status=["scored"])
        assert (told["rows"], told["rows_enqueued"]) == (2, 1)
        nothing = sent(kept_client, batch, to, band=["little"])
        assert (nothing["state"], nothing["rows"], nothing["rows_enqueued"]) == ("done", 0, 0)

    def test_are_in_no_zip(self, kept_client, batch, to):
        told = sent(kept_client, batch, to)
        assert "zip" not in told["links"]
        refused = kept_client.get(told["links"]["self"] + "/zip")
        assert problem(refused) == (409, "conflict")
        assert kept_client.get(told["links"]["deliveries"]).json()["deliveries"]


class TestOnce:
    def test_a_named_request_is_done_once(self, kept_client, batch, to):
        ids = set()
        for _ in range(2):
            response = kept_client.post(
                batch["links"]["reports"],
                json={"destination": to},
                headers={"Idempotency-Key": "k"},
            )
            ids.add(response.json()["id"])
        work(kept_client.app)
        assert len(ids) == 1
        assert len(deliveries(kept_client, to)) == len(screenings(kept_client)) == 2

    def test_asked_again_a_row_is_not_sent_there_again(self, kept_client, batch, to):
        sent(kept_client, batch, to)
        again = sent(kept_client, batch, to)
        assert again["rows_enqueued"] == 0
        assert again["failed"] == {"patient_reference": 1, "sent_before": 2}
        assert len(deliveries(kept_client, to)) == len(screenings(kept_client)) == 2

    def test_to_another_destination_the_same_screening_goes(self, kept_client, batch, to):
        other = destination(kept_client)["id"]
        assert sent(kept_client, batch, to)["rows_enqueued"] == 2
        assert sent(kept_client, batch, other)["rows_enqueued"] == 2
        one, two = ({each["screening"] for each in deliveries(kept_client, where)}
                    for where in (to, other))  # fmt: skip
        assert one == two
        assert len(screenings(kept_client)) == 2

    def test_a_chunk_worked_on_twice_is_laid_down_once(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        made_ = asked(kept_client, batch, to)["id"]
        one, two = (prepared(kept_service, kept_clinic, made_) for _ in range(2))
        assert lay_down(kept_service, kept_clinic, made_, one) == "done"
        assert lay_down(kept_service, kept_clinic, made_, two) == "over"
        run_inline(bench_of(kept_service), kept_clinic.organisation, made_, range(1))
        assert len(deliveries(kept_client, to)) == len(screenings(kept_client)) == 2
        work(kept_service)

    @pytest.mark.parametrize("place", ["before", "between", "after"])
    def test_what_fails_half_way_leaves_nothing_and_goes_on(
        self, kept_service, kept_clinic, kept_client, batch, to, monkeypatch, place
    ):
        made_ = asked(kept_client, batch, to)["id"]
        outcome = prepared(kept_service, kept_clinic, made_)
        true, calls = outbox.enqueue_delivery, []

        class Killed(BaseException):
            pass

        def killed(*given):
            calls.append(given)
            if place != "between" or len(calls) == 2:
                raise Killed
            return true(*given)

        fails = (chunks, "patients_index") if place == "after" else (outbox, "enqueue")
        with monkeypatch.context() as patched:
            patched.setattr(*fails, killed)
            with pytest.raises(Killed):
                lay_down(kept_service, kept_clinic, made_, outcome)
        assert deliveries(kept_client, to) == screenings(kept_client) == []
        work(kept_service)
        told = kept_client.get(f"{batch['links']['reports']}/{made_}").json()
        assert (told["state"], told["rows_enqueued"]) == ("done", 2)
        references = Counter(each["patient"]["reference"] for each in screenings(kept_client))
        assert references == {"MRN-1": 1, "MRN-3": 1}
        assert len(deliveries(kept_client, to)) == 2


class TestMeanwhile:
    @pytest.mark.parametrize("early", [True, False])
    def test_the_destination_became_inactive(
        self, kept_service, kept_clinic, kept_client, batch, to, early
    ):
        made_ = asked(kept_client, batch, to)
        off = {"active": False}
        if early:
            kept_client.patch(f"/v1/destinations/{to}", json=off)
            work(kept_service)
        else:
            outcome = prepared(kept_service, kept_clinic, made_["id"])
            kept_client.patch(f"/v1/destinations/{to}", json=off)
            lay_down(kept_service, kept_clinic, made_["id"], outcome)
        told = kept_client.get(made_["links"]["self"]).json()
        assert (told["state"], told["rows_enqueued"], told["rows_set_aside"]) == ("done", 0, 3)
        assert told["failed"]["inactive"] == 3 - (not early)
        assert screenings(kept_client) == []
        work(kept_service)

    @pytest.mark.parametrize("early", [True, False])
    def test_the_destination_was_deleted(
        self, kept_service, kept_clinic, kept_client, batch, to, early
    ):
        made_ = asked(kept_client, batch, to)
        outcome = None if early else prepared(kept_service, kept_clinic, made_["id"])
        assert kept_client.delete(f"/v1/destinations/{to}").status_code == 204
        if early:
            work(kept_service)
        else:
            lay_down(kept_service, kept_clinic, made_["id"], outcome)
        told = kept_client.get(made_["links"]["self"]).json()
        assert told["state"] == "done"
        assert told["failed"]["no_destination"] == 3 - (not early)
        assert screenings(kept_client) == []
        work(kept_service)

    def test_a_screening_was_marked_or_replaced(self, kept_client, batch, to):
        sent(kept_client, batch, to)
        by_patient = {each["patient"]["reference"]: each["id"] for each in screenings(kept_client)}
        reason = {"reason": "another patient"}
        here = f"/v1/screenings/{by_patient['MRN-1']}/entered-in-error"
        assert kept_client.post(here, json=reason).status_code == 201
        made(kept_client, f"/v1/screenings/{by_patient['MRN-3']}/amendments",
             builders.request("MRN-3"))  # fmt: skip
        other = destination(kept_client)["id"]
        told = sent(kept_client, batch, other)
        assert told["failed"] == {"amended": 1, "entered_in_error": 1, "patient_reference": 1}
        assert deliveries(kept_client, other) == []

    def test_a_row_that_cannot_be_made_is_set_aside_and_the_others_go(
        self, kept_client, batch, to, monkeypatch
    ):
        from api.jobs import deliver_chunk

        true = deliver_chunk.preparing.made

        def failing(house, about, *given):
            if about.screening.patient.reference == "MRN-1":
                raise ValueError
            return true(house, about, *given)

        monkeypatch.setattr(deliver_chunk.preparing, "made", failing)
        told = sent(kept_client, batch, to)
        assert told["failed"] == {"patient_reference": 1, "set_aside": 1}
        assert [each["patient"]["reference"] for each in screenings(kept_client)] == ["MRN-3"]

    def test_a_chunk_that_ends_its_process_each_time_is_set_aside_and_keeps_nothing(
        self, kept_service, kept_clinic, kept_client, batch, to, monkeypatch
    ):
        made_ = asked(kept_client, batch, to)
        bench = bench_of(kept_service)

        class Killed(BaseException):
            pass

        def killed(_):
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(bench, "outcome", killed)
            for _ in range(kept_service.state.settings.batch_tries):
                with pytest.raises(Killed):
                    chunk_runner.run_chunk(bench, kept_clinic.organisation, made_["id"], 0)
        work(kept_service)
        told = kept_client.get(made_["links"]["self"]).json()
        assert (told["state"], told["failed"]) == ("done", {"set_aside": 3})
        assert screenings(kept_client) == []
        acts = [each for each in audited(kept_service, kept_clinic) if each.action == "deliver"]
        assert [each.outcome for each in acts] == ["set_aside"]

    def test_the_batch_was_cancelled(self, kept_service, kept_clinic, kept_client, batch, to):
        made_ = asked(kept_client, batch, to)
        outcome = prepared(kept_service, kept_clinic, made_["id"])
        kept_client.post(batch["links"]["self"] + "/cancel")
        assert lay_down(kept_service, kept_clinic, made_["id"], outcome) == "over"
        assert screenings(kept_client) == deliveries(kept_client, to) == []


class TestRights:
    def test_a_patient_erased_meanwhile_is_not_kept_again(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        made_ = asked(kept_client, batch, to)
        outcome = prepared(kept_service, kept_clinic, made_["id"])
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-1"})
        assert erased.json()["batches"] >= 1
        assert lay_down(kept_service, kept_clinic, made_["id"], outcome) == "over"
        assert screenings(kept_client) == []

    def test_erasing_a_patient_takes_the_screening_its_delivery_and_the_batch(
        self, kept_client, batch, to
    ):
        told = sent(kept_client, batch, to)
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-1"}).json()
        assert (erased["screenings"], erased["deliveries"]) == (1, 1)
        assert kept_client.get(told["links"]["self"]).status_code == 404
        assert [each["patient"]["reference"] for each in screenings(kept_client)] == ["MRN-3"]

    def test_under_a_hold_it_is_kept(self, kept_client, batch, to):
        kept_client.post("/v1/patients/holds", json={"reference": "MRN-1", "reason": "court"})
        sent(kept_client, batch, to)
        refused = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-1"})
        assert problem(refused) == (409, "held")
        assert len(screenings(kept_client)) == 2

    def test_what_was_kept_outlives_the_batch(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        told = sent(kept_client, batch, to)
        assert kept_client.delete(batch["links"]["self"]).status_code == 204
        assert kept_client.get(told["links"]["self"]).status_code == 404
        assert len(screenings(kept_client)) == len(deliveries(kept_client, to)) == 2
        assert last_act(kept_service, kept_clinic)[0] == "list"

    def test_whoever_was_merged_meanwhile_stays_merged(self, kept_client, batch, to):
        sent(kept_client, batch, to)
        body = {"retired": {"reference": "MRN-1"}, "survivor": {"reference": "MRN-7"}}
        assert kept_client.post("/v1/patients/merge", json=body).json()["screenings"] == 1
        other = destination(kept_client)["id"]
        assert sent(kept_client, batch, other)["rows_enqueued"] == 2
        kept = {each["patient"]["reference"] for each in screenings(kept_client)}
        assert kept == {"MRN-7", "MRN-3"}


def test_ids_of_screenings_follow_from_batch_and_row(store):
    from api.jobs.deliver_chunk import _derive_screening_id

    owner = builders.clinic(store)
    book = load_catalogue().find_active("nociplastic")
    wanted = batches.NewBatch("score", book.name, book.sha256, {"explain": False})
    ids = [do(store, owner, lambda w: batches.add_batch(w, wanted, [], w.now)).id for _ in range(2)]
    chosen = [chunks.ChunkBatch("r", "deliveries", "b", "0", {}, each, "c") for each in ids]
    taken = [chunks.ClaimedChunk(each, 0, 0, 1, 1, None) for each in chosen]
    made_ = [_derive_screening_id(each, row) for each in taken for row in range(1, 100)]
    assert len(set(made_)) == len(made_)
    assert _derive_screening_id(taken[0], 7) == made_[6]
