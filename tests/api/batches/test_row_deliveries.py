"""Rows of a batch sent to a destination, on both databases: stored once, enqueued once."""

import json
from collections import Counter

import pytest
from support import builders
from support.batch_files import build_worker_context, complete_batch, csv, example, rows, work
from support.builders import do
from support.callers import audited, calling, count_stored_screenings, last_act
from support.interop.loopback_servers import Tarpit, running_server
from support.path_resources import UNKNOWN, create_resource, destination

from api.jobs import chunk_runner
from api.jobs.chunk_runner import run_inline
from api.security.scopes import SCOPES
from api.store.batches import batches, chunks
from api.store.deliveries import allowed_hosts, outbox
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
    intakes = [
        {"row_id": "a", "patient_reference": "MRN-1", **example()},
        {"row_id": "b", "patient_reference": None, **example()},
        {"row_id": "c", "patient_reference": "MRN-3", **example("red_flag")},
        {"row_id": "d", "patient_reference": "MRN-4", **example(), "age_years": "x"},
    ]
    return complete_batch(kept_client, csv(*intakes))


def request_delivery(client, batch: dict, to: str, **selection) -> dict:
    response = client.post(batch["links"]["reports"], json={"destination": to} | selection)
    assert response.status_code == 202, response.text
    return response.json()


def deliver_batch(client, batch: dict, to: str, **selection) -> dict:
    """Deliver the rows and return the progress."""
    reports = request_delivery(client, batch, to, **selection)
    work(client.app)
    return client.get(reports["links"]["self"]).json()


def deliveries(client, to: str) -> list[dict]:
    return client.get(f"/v1/deliveries?destination={to}").json()["deliveries"]


def screenings(client) -> list[dict]:
    return client.get("/v1/screenings?limit=100").json()["screenings"]


def compute_first_outcome(service, clinic, batch: str):
    """Return the outcome of the first chunk, not yet recorded."""
    return chunk_runner.run_chunk(build_worker_context(service), clinic.organisation, batch, 0)


def record_first_outcome(service, clinic, batch: str, outcome) -> str:
    store = service.services.store
    with store.transaction(clinic.actor) as work_:
        recorded = chunk_runner.record_outcome(store, work_.session, batch, 0, outcome).state
        work_.audit("read")
    return recorded


class TestWhoMay:
    def test_each_of_three_scopes_is_needed(self, kept_service, kept_clinic, kept_client):
        batch, to = complete_batch(kept_client, rows(1)), destination(kept_client)["id"]
        for missing in NEEDED:
            less = calling(
                kept_service, kept_clinic, [scope for scope in SCOPES if scope != missing]
            )
            refusal = less.post(batch["links"]["reports"], json={"destination": to})
            assert problem(refusal) == (403, "insufficient_scope")
            assert missing in refusal.headers["www-authenticate"]
            act = audited(kept_service, kept_clinic)[-1]
            assert (act.action, act.outcome) == ("refuse", "insufficient_scope")
        enough = calling(kept_service, kept_clinic, NEEDED)
        assert enough.post(batch["links"]["reports"], json={"destination": to}).status_code == 202

    def test_a_zip_still_needs_one(self, kept_service, kept_clinic, kept_client):
        batch = complete_batch(kept_client, rows(1))
        printing = calling(kept_service, kept_clinic, ["batches"])
        response = printing.post(batch["links"]["reports"], json={"format": "txt"})
        assert response.status_code == 202


class TestWhereTo:
    def test_a_silent_receiver_holds_up_no_batch_as_the_job_calls_none(
        self, kept_service, kept_clinic, kept_client, batch
    ):
        tarpit, store = Tarpit(), kept_service.services.store
        with running_server(tarpit.serve) as host_port:
            do(store, kept_clinic, allowed_hosts.add_allowed_host, host_port, private=True)
            address = f"mllp://127.0.0.1:{host_port.port}"
            body = {"name": "Silent", "profile": "generic-v2", "address": address}
            to = create_resource(kept_client, "/v1/destinations", body)["id"]
            assert deliver_batch(kept_client, batch, to)["rows_enqueued"] == 2
            tarpit.may_end.set()
        assert tarpit.connections == 0

    def test_a_destination_of_another_is_answered_as_nobodys(self, kept_client, other_client):
        batch, foreign_destination = (
            complete_batch(kept_client, rows(1)),
            destination(other_client)["id"],
        )
        nobodys, anothers = (
            kept_client.post(batch["links"]["reports"], json={"destination": target})
            for target in (UNKNOWN["destination"], foreign_destination)
        )
        assert problem(nobodys) == (404, "not_found")
        same = {"instance", "request_id"}
        assert {k: v for k, v in anothers.json().items() if k not in same} == {
            k: v for k, v in nobodys.json().items() if k not in same
        }
        assert deliveries(other_client, foreign_destination) == []

    def test_a_batch_of_another_does_not_go_to_ones_own(self, kept_client, other_client, to):
        foreign_batch = complete_batch(other_client, rows(1, patient_reference="MRN-1"))
        refusal = kept_client.post(foreign_batch["links"]["reports"], json={"destination": to})
        assert problem(refusal) == (404, "not_found")

    def test_an_inactive_one_is_refused_as_for_a_single_screening(self, kept_client, batch, to):
        kept_client.patch(f"/v1/destinations/{to}", json={"active": False})
        one = create_resource(kept_client, "/v1/screenings", builders.request("MRN-9"))["id"]
        body = {"destination": to}
        alone = kept_client.post(f"/v1/screenings/{one}/deliveries", json=body)
        refusal = kept_client.post(batch["links"]["reports"], json=body)
        assert problem(refusal) == problem(alone) == (409, "conflict")
        assert refusal.json()["detail"] == alone.json()["detail"]

    @pytest.mark.parametrize("fields", [{"format": "pdf"}, {"document": "patient"},
                                       {"locale": "en"}])  # fmt: skip
    def test_says_itself_in_which_form(self, kept_client, batch, to, fields):
        refusal = kept_client.post(batch["links"]["reports"], json={"destination": to} | fields)
        assert problem(refusal) == (422, "invalid_request")
        assert [error["pointer"] for error in refusal.json()["errors"]] == [
            f"/{name}" for name in fields
        ]


class TestRows:
    def test_with_a_patient_are_kept_whole_and_wait(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        before = count_stored_screenings(kept_service)
        progress = deliver_batch(kept_client, batch, to)
        assert (progress["state"], progress["destination"]) == ("done", to)
        assert (progress["rows"], progress["rows_enqueued"], progress["rows_set_aside"]) == (
            3,
            2,
            1,
        )
        assert count_stored_screenings(kept_service) == before + 2
        lines = deliveries(kept_client, to)
        assert [(line["state"], line["event"]) for line in lines] == [("waiting", "result")] * 2
        assert {line["created_by"] for line in lines} == {kept_clinic.client}
        wholes = [kept_client.get(f"/v1/screenings/{line['screening']}").json() for line in lines]
        assert {screening["patient"]["reference"] for screening in wholes} == {"MRN-1", "MRN-3"}
        for screening in wholes:
            assert screening["origin"]["means"] == "batch"
            assert screening["origin"]["actor"] == kept_clinic.client
            assert screening["assessment"]["rulebook"] == batch["rulebook"]
            assert screening["assessment"]["rulebook_sha256"] == batch["rulebook_sha256"]

    def test_say_what_a_screening_of_the_same_answers_says(self, kept_client, batch, to):
        deliver_batch(kept_client, batch, to, status=["withheld_red_flag"])
        (line,) = deliveries(kept_client, to)
        screening = kept_client.get(f"/v1/screenings/{line['screening']}").json()
        body = {"rulebook": batch["rulebook"], "answers": example("red_flag"),
                "patient": {"reference": "MRN-3"}}  # fmt: skip
        alone = create_resource(kept_client, "/v1/screenings", body)
        assert screening["assessment"] == alone["assessment"]
        again = kept_client.get(f"/v1/screenings/{alone['id']}").json()
        assert screening["answers"] == again["answers"]
        assert screening["context"] == again["context"]

    def test_are_audited_as_single_ones_are(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        progress = deliver_batch(kept_client, batch, to)
        acts = audited(kept_service, kept_clinic)
        start = next(n for n, act in enumerate(acts) if act.target == progress["id"])
        mine = [(act.action, act.kind, act.outcome) for act in acts[start:]]
        one = [("create", "screening", "ok"), ("deliver", "delivery", "enqueued")]
        assert mine == [("create", "batch", "ok"), *one, *one, ("deliver", "batch", "ok"),
                        ("read", "batch", "ok")]  # fmt: skip
        lines = deliveries(kept_client, to)
        assert {act.target for act in acts if act.kind == "delivery"} == {
            line["id"] for line in lines
        }
        assert {act.actor for act in acts[start:]} == {kept_clinic.client}

    def test_without_a_patient_are_told_by_their_number(self, kept_client, batch, to):
        progress = deliver_batch(kept_client, batch, to)
        assert progress["failed"] == {"patient_reference": 1}
        (why,) = progress["problems"]
        assert (why["row"], why["column"]) == (2, "patient_reference")

    def test_with_a_reference_that_is_none_are_told_and_it_is_not_repeated(self, kept_client, to):
        long = "SECRET-" * 40
        intakes = [
            {"patient_reference": reference, **example()} for reference in (long, "  ", "MRN-3")
        ]
        progress = deliver_batch(kept_client, complete_batch(kept_client, csv(*intakes)), to)
        assert [row_problem["row"] for row_problem in progress["problems"]] == [1, 2]
        assert progress["failed"] == {"patient_reference": 2}
        assert "SECRET" not in json.dumps(progress)
        assert progress["rows_enqueued"] == len(screenings(kept_client)) == 1

    def test_that_the_destination_would_not_take_are_told_and_not_kept(self, kept_client, to):
        options = {"v2": {"character_set": "ASCII"}, "document": {"how": "url"}}
        kept_client.patch(f"/v1/destinations/{to}", json={"options": options})
        intakes = [
            {"patient_reference": reference, **example()} for reference in ("Žižek-1", "MRN-2")
        ]
        progress = deliver_batch(kept_client, complete_batch(kept_client, csv(*intakes)), to)
        (why,) = progress["problems"]
        assert why["row"] == 1
        assert "PID-3" in why["expected"]
        assert "ižek" not in json.dumps(progress)
        references = [screening["patient"]["reference"] for screening in screenings(kept_client)]
        assert references == ["MRN-2"]

    def test_a_filter_chooses(self, kept_client, batch, to):
        progress = deliver_batch(kept_client, batch, to, status=["scored"])
        assert (progress["rows"], progress["rows_enqueued"]) == (2, 1)
        empty_progress = deliver_batch(kept_client, batch, to, band=["little"])
        assert (
            empty_progress["state"],
            empty_progress["rows"],
            empty_progress["rows_enqueued"],
        ) == ("done", 0, 0)

    def test_are_in_no_zip(self, kept_client, batch, to):
        progress = deliver_batch(kept_client, batch, to)
        assert "zip" not in progress["links"]
        refusal = kept_client.get(progress["links"]["self"] + "/zip")
        assert problem(refusal) == (409, "conflict")
        assert kept_client.get(progress["links"]["deliveries"]).json()["deliveries"]


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
        deliver_batch(kept_client, batch, to)
        again = deliver_batch(kept_client, batch, to)
        assert again["rows_enqueued"] == 0
        assert again["failed"] == {"patient_reference": 1, "sent_before": 2}
        assert len(deliveries(kept_client, to)) == len(screenings(kept_client)) == 2

    def test_to_another_destination_the_same_screening_goes(self, kept_client, batch, to):
        other_destination = destination(kept_client)["id"]
        assert deliver_batch(kept_client, batch, to)["rows_enqueued"] == 2
        assert deliver_batch(kept_client, batch, other_destination)["rows_enqueued"] == 2
        one, two = ({line["screening"] for line in deliveries(kept_client, where)}
                    for where in (to, other_destination))  # fmt: skip
        assert one == two
        assert len(screenings(kept_client)) == 2

    def test_a_chunk_worked_on_twice_is_laid_down_once(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        reports_id = request_delivery(kept_client, batch, to)["id"]
        one, two = (compute_first_outcome(kept_service, kept_clinic, reports_id) for _ in range(2))
        assert record_first_outcome(kept_service, kept_clinic, reports_id, one) == "done"
        assert record_first_outcome(kept_service, kept_clinic, reports_id, two) == "over"
        run_inline(
            build_worker_context(kept_service), kept_clinic.organisation, reports_id, range(1)
        )
        assert len(deliveries(kept_client, to)) == len(screenings(kept_client)) == 2
        work(kept_service)

    @pytest.mark.parametrize("place", ["before", "between", "after"])
    def test_what_fails_half_way_leaves_nothing_and_goes_on(
        self, kept_service, kept_clinic, kept_client, batch, to, monkeypatch, place
    ):
        reports_id = request_delivery(kept_client, batch, to)["id"]
        outcome = compute_first_outcome(kept_service, kept_clinic, reports_id)
        true, calls = outbox.enqueue_delivery, []

        class Killed(BaseException):
            pass

        def killed(*arguments):
            calls.append(arguments)
            if place != "between" or len(calls) == 2:
                raise Killed
            return true(*arguments)

        fails = (
            (chunks, "compute_patients_index") if place == "after" else (outbox, "enqueue_delivery")
        )
        with monkeypatch.context() as patched:
            patched.setattr(*fails, killed)
            with pytest.raises(Killed):
                record_first_outcome(kept_service, kept_clinic, reports_id, outcome)
        assert deliveries(kept_client, to) == screenings(kept_client) == []
        work(kept_service)
        progress = kept_client.get(f"{batch['links']['reports']}/{reports_id}").json()
        assert (progress["state"], progress["rows_enqueued"]) == ("done", 2)
        references = Counter(
            screening["patient"]["reference"] for screening in screenings(kept_client)
        )
        assert references == {"MRN-1": 1, "MRN-3": 1}
        assert len(deliveries(kept_client, to)) == 2


class TestMeanwhile:
    @pytest.mark.parametrize("early", [True, False])
    def test_the_destination_became_inactive(
        self, kept_service, kept_clinic, kept_client, batch, to, early
    ):
        reports = request_delivery(kept_client, batch, to)
        off = {"active": False}
        if early:
            kept_client.patch(f"/v1/destinations/{to}", json=off)
            work(kept_service)
        else:
            outcome = compute_first_outcome(kept_service, kept_clinic, reports["id"])
            kept_client.patch(f"/v1/destinations/{to}", json=off)
            record_first_outcome(kept_service, kept_clinic, reports["id"], outcome)
        progress = kept_client.get(reports["links"]["self"]).json()
        assert (progress["state"], progress["rows_enqueued"], progress["rows_set_aside"]) == (
            "done",
            0,
            3,
        )
        assert progress["failed"]["inactive"] == 3 - (not early)
        assert screenings(kept_client) == []
        work(kept_service)

    @pytest.mark.parametrize("early", [True, False])
    def test_the_destination_was_deleted(
        self, kept_service, kept_clinic, kept_client, batch, to, early
    ):
        reports = request_delivery(kept_client, batch, to)
        outcome = None if early else compute_first_outcome(kept_service, kept_clinic, reports["id"])
        assert kept_client.delete(f"/v1/destinations/{to}").status_code == 204
        if early:
            work(kept_service)
        else:
            record_first_outcome(kept_service, kept_clinic, reports["id"], outcome)
        progress = kept_client.get(reports["links"]["self"]).json()
        assert progress["state"] == "done"
        assert progress["failed"]["no_destination"] == 3 - (not early)
        assert screenings(kept_client) == []
        work(kept_service)

    def test_a_screening_was_marked_or_replaced(self, kept_client, batch, to):
        deliver_batch(kept_client, batch, to)
        by_patient = {
            screening["patient"]["reference"]: screening["id"]
            for screening in screenings(kept_client)
        }
        reason = {"reason": "another patient"}
        here = f"/v1/screenings/{by_patient['MRN-1']}/entered-in-error"
        assert kept_client.post(here, json=reason).status_code == 201
        create_resource(kept_client, f"/v1/screenings/{by_patient['MRN-3']}/amendments",
             builders.request("MRN-3"))  # fmt: skip
        other_destination = destination(kept_client)["id"]
        progress = deliver_batch(kept_client, batch, other_destination)
        assert progress["failed"] == {"amended": 1, "entered_in_error": 1, "patient_reference": 1}
        assert deliveries(kept_client, other_destination) == []

    def test_a_row_that_cannot_be_made_is_set_aside_and_the_others_go(
        self, kept_client, batch, to, monkeypatch
    ):
        from api.jobs import deliver_chunk

        true = deliver_chunk.preview.compose_for_preview

        def failing(context, subject, *arguments):
            if subject.screening.patient.reference == "MRN-1":
                raise ValueError
            return true(context, subject, *arguments)

        monkeypatch.setattr(deliver_chunk.preview, "compose_for_preview", failing)
        progress = deliver_batch(kept_client, batch, to)
        assert progress["failed"] == {"patient_reference": 1, "set_aside": 1}
        assert [screening["patient"]["reference"] for screening in screenings(kept_client)] == [
            "MRN-3"
        ]

    def test_a_chunk_that_ends_its_process_each_time_is_set_aside_and_keeps_nothing(
        self, kept_service, kept_clinic, kept_client, batch, to, monkeypatch
    ):
        reports = request_delivery(kept_client, batch, to)
        context = build_worker_context(kept_service)

        class Killed(BaseException):
            pass

        def killed(_):
            raise Killed

        with monkeypatch.context() as patched:
            patched.setattr(context, "compute_outcome", killed)
            for _ in range(kept_service.services.settings.batch_attempts):
                with pytest.raises(Killed):
                    chunk_runner.run_chunk(context, kept_clinic.organisation, reports["id"], 0)
        work(kept_service)
        progress = kept_client.get(reports["links"]["self"]).json()
        assert (progress["state"], progress["failed"]) == ("done", {"set_aside": 3})
        assert screenings(kept_client) == []
        acts = [act for act in audited(kept_service, kept_clinic) if act.action == "deliver"]
        assert [act.outcome for act in acts] == ["set_aside"]

    def test_the_batch_was_cancelled(self, kept_service, kept_clinic, kept_client, batch, to):
        reports = request_delivery(kept_client, batch, to)
        outcome = compute_first_outcome(kept_service, kept_clinic, reports["id"])
        kept_client.post(batch["links"]["self"] + "/cancel")
        assert record_first_outcome(kept_service, kept_clinic, reports["id"], outcome) == "over"
        assert screenings(kept_client) == deliveries(kept_client, to) == []


class TestRights:
    def test_a_patient_erased_meanwhile_is_not_kept_again(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        reports = request_delivery(kept_client, batch, to)
        outcome = compute_first_outcome(kept_service, kept_clinic, reports["id"])
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-1"})
        assert erased.json()["batches"] == 2
        assert record_first_outcome(kept_service, kept_clinic, reports["id"], outcome) == "over"
        assert screenings(kept_client) == []

    def test_erasing_a_patient_takes_the_screening_its_delivery_and_the_batch(
        self, kept_client, batch, to
    ):
        progress = deliver_batch(kept_client, batch, to)
        erased = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-1"}).json()
        assert (erased["screenings"], erased["deliveries"]) == (1, 1)
        assert kept_client.get(progress["links"]["self"]).status_code == 404
        assert [screening["patient"]["reference"] for screening in screenings(kept_client)] == [
            "MRN-3"
        ]

    def test_under_a_hold_it_is_kept(self, kept_client, batch, to):
        kept_client.post("/v1/patients/holds", json={"reference": "MRN-1", "reason": "court"})
        deliver_batch(kept_client, batch, to)
        refusal = kept_client.request("DELETE", "/v1/patients", json={"reference": "MRN-1"})
        assert problem(refusal) == (409, "legal_hold")
        assert len(screenings(kept_client)) == 2

    def test_what_was_kept_outlives_the_batch(
        self, kept_service, kept_clinic, kept_client, batch, to
    ):
        progress = deliver_batch(kept_client, batch, to)
        assert kept_client.delete(batch["links"]["self"]).status_code == 204
        assert kept_client.get(progress["links"]["self"]).status_code == 404
        assert len(screenings(kept_client)) == len(deliveries(kept_client, to)) == 2
        assert last_act(kept_service, kept_clinic)[0] == "list"

    def test_whoever_was_merged_meanwhile_stays_merged(self, kept_client, batch, to):
        deliver_batch(kept_client, batch, to)
        body = {"retired": {"reference": "MRN-1"}, "survivor": {"reference": "MRN-7"}}
        assert kept_client.post("/v1/patients/merge", json=body).json()["screenings"] == 1
        other_destination = destination(kept_client)["id"]
        assert deliver_batch(kept_client, batch, other_destination)["rows_enqueued"] == 2
        references = {screening["patient"]["reference"] for screening in screenings(kept_client)}
        assert references == {"MRN-7", "MRN-3"}


def test_ids_of_screenings_follow_from_batch_and_row(store):
    from api.jobs.deliver_chunk import _derive_screening_id

    owner = builders.clinic(store)
    book = load_catalogue().find_active("nociplastic")
    new_batch = batches.NewBatch("score", book.name, book.sha256, {"explain": False})
    ids = [
        do(store, owner, lambda w: batches.add_batch(w, new_batch, [], w.now)).id for _ in range(2)
    ]
    batch_list = [
        chunks.ChunkBatch("r", "deliveries", "b", "0", {}, batch_id, "c") for batch_id in ids
    ]
    tasks = [chunks.ClaimedChunk(stored_batch, 0, 0, 1, 1, None) for stored_batch in batch_list]
    screening_ids = [_derive_screening_id(task, row) for task in tasks for row in range(1, 100)]
    assert len(set(screening_ids)) == len(screening_ids)
    assert _derive_screening_id(tasks[0], 7) == screening_ids[6]
