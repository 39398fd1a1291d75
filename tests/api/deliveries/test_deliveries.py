"""Deliveries and destinations over HTTP: created, previewed, refused with reasons, listed."""

import pytest
from support.batch_files import complete_batch, rows
from support.builders import request
from support.callers import last_act
from support.path_resources import create_resource, destination

ADDRESS = "mllps://ehr.example:2575"


@pytest.fixture
def receiver(kept_client):
    return destination(kept_client)


@pytest.fixture
def screening(kept_client):
    return create_resource(
        kept_client, "/v1/screenings", request("MRN-0042", system="urn:oid:1.2.3")
    )["id"]


class TestADestination:
    def test_must_be_at_an_allowed_host(self, kept_client, receiver):
        assert receiver["address"] == ADDRESS
        for address in ("mllps://evil.example:2575", "mllps://ehr.example:2576"):
            new_destination = {"name": "E", "profile": "generic-v2", "address": address}
            assert kept_client.post("/v1/destinations", json=new_destination).status_code == 409

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"profile": "none"}, "/profile"),
            ({"address": "https://ehr.example"}, "/address"),
            ({"address": "mllps://u@ehr.example:2575"}, "/address"),
            ({"options": {"v2": {"message": "ADT"}}}, "/options/v2/message"),
            ({"options": {"transport": "fhir"}}, "/options/transport"),
            ({"options": {"document": {"forms": ["pdf"]}}}, "/options/document"),
            ({"options": {"v2": {"namespace": "a|b\r"}}}, "/options/v2/namespace"),
        ],
    )
    def test_with_an_invalid_setting_is_refused_by_its_pointer(
        self, kept_client, receiver, changes, pointer
    ):
        new_destination = {
            "name": "E",
            "profile": "generic-v2",
            "address": receiver["address"],
        } | changes
        response = kept_client.post("/v1/destinations", json=new_destination)
        assert response.status_code == 422
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]

    def test_with_a_delivery_cannot_be_deleted(self, kept_client, receiver, screening):
        body = {"destination": receiver["id"]}
        create_resource(kept_client, f"/v1/screenings/{screening}/deliveries", body)
        assert kept_client.delete(f"/v1/destinations/{receiver['id']}").status_code == 409

    def test_shows_its_secret_only_when_it_is_created(self, kept_client, receiver):
        new_destination = {
            "name": "H",
            "profile": "generic-webhook",
            "address": "https://ehr.example/in",
        }
        new_webhook = create_resource(kept_client, "/v1/destinations", new_destination)
        assert new_webhook["webhook_secret"].startswith("whsec_")
        text = kept_client.get(f"/v1/destinations/{new_webhook['id']}").text
        assert new_webhook["webhook_secret"] not in text
        assert "whsec_" not in kept_client.get("/v1/destinations").text
        assert receiver["id"] != new_webhook["id"]

    def test_shows_a_public_key_to_register_and_never_the_private_one(self, kept_client, receiver):
        smart = {"token_url": "https://ehr.example/token", "client_id": "us"}
        new_destination = {
            "name": "F",
            "profile": "generic-fhir",
            "address": "https://ehr.example/fhir",
        }
        response = create_resource(
            kept_client, "/v1/destinations", new_destination | {"smart": smart}
        )
        assert set(response["public_key"]) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert receiver["public_key"] is None


class TestADelivery:
    def test_waits_and_is_audited(
        self, kept_client, kept_service, kept_clinic, receiver, screening
    ):
        body = {"destination": receiver["id"]}
        response = create_resource(kept_client, f"/v1/screenings/{screening}/deliveries", body)
        assert (response["state"], response["event"]) == ("waiting", "result")
        assert last_act(kept_service, kept_clinic) == (
            "deliver", "enqueued", "delivery", response["id"],
        )  # fmt: skip
        repeated = kept_client.post(f"/v1/screenings/{screening}/deliveries", json=body)
        assert repeated.status_code == 409

    def test_to_another_organisations_destination_is_not_found(
        self, kept_client, other_client, receiver, screening
    ):
        other_id = destination(other_client)["id"]
        for path in ("deliveries", "deliveries/preview"):
            response = kept_client.post(
                f"/v1/screenings/{screening}/{path}", json={"destination": other_id}
            )
            assert response.status_code == 404
        assert receiver["id"] != other_id

    def test_with_a_misfit_is_refused_and_the_preview_says_why(self, kept_client, receiver):
        name = {"name": "Žižek, Slavoj"}
        screening = create_resource(kept_client, "/v1/screenings", request("MRN-1", **name))["id"]
        options = {"v2": {"character_set": "8859/1"}, "document": {"how": "url"}}
        kept_client.patch(f"/v1/destinations/{receiver['id']}", json={"options": options})
        here, body = f"/v1/screenings/{screening}/deliveries", {"destination": receiver["id"]}
        refusal = kept_client.post(here, json=body)
        assert (refusal.status_code, refusal.json()["type"]) == (
            422,
            "/problems/incompatible_with_destination",
        )
        assert [error["pointer"] for error in refusal.json()["errors"]] == ["/PID-5"]
        assert "Slavoj" not in refusal.text
        preview = kept_client.post(f"{here}/preview", json=body).json()
        places = [misfit["place"] for misfit in preview["misfits"]]
        assert (preview["fits"], places) == (False, ["PID-5"])

    def test_preview_shows_the_exact_bytes_and_stores_nothing(
        self, kept_client, receiver, screening
    ):
        here, body = f"/v1/screenings/{screening}/deliveries", {"destination": receiver["id"]}
        preview = kept_client.post(f"{here}/preview", json=body).json()
        (part,) = preview["parts"]
        assert preview["fits"]
        assert part["text"].startswith("MSH|^~\\&|NOCISCREEN|")
        assert part["bytes"] == len(part["text"].encode())
        assert preview["unconfirmed"]
        assert kept_client.get("/v1/deliveries").json()["deliveries"] == []

    def test_of_a_screening_entered_in_error_is_refused(self, kept_client, receiver, screening):
        here, body = f"/v1/screenings/{screening}", {"destination": receiver["id"]}
        kept_client.post(f"{here}/entered-in-error", json={"reason": "another patient"})
        assert kept_client.post(f"{here}/deliveries", json=body).status_code == 409

    def test_is_filtered_in_lists(self, kept_client, receiver, screening):
        body = {"destination": receiver["id"]}
        delivery_id = create_resource(kept_client, f"/v1/screenings/{screening}/deliveries", body)[
            "id"
        ]
        for query, ids in (
            ("state=waiting", [delivery_id]),
            ("state=parked", []),
            (f"screening={screening}", [delivery_id]),
            (f"destination={receiver['id']}", [delivery_id]),
        ):
            deliveries = kept_client.get(f"/v1/deliveries?{query}").json()["deliveries"]
            assert [delivery["id"] for delivery in deliveries] == ids


class TestMergingByRoute:
    def test_moves_screenings_and_lists_their_moves(self, kept_client, screening):
        system = "urn:oid:1.2.3"
        body = {
            "retired": {"reference": "MRN-0042", "system": system},
            "survivor": {"reference": "MRN-0043", "system": system},
        }
        merged = kept_client.post("/v1/patients/merge", json=body)
        assert merged.json() == {
            "screenings": 1,
            "links": 0,
            "response_drafts": 0,
            "holds": 0,
            "batches": 0,
        }
        response = kept_client.get(f"/v1/screenings/{screening}").json()
        assert response["patient"]["reference"] == "MRN-0043"
        assert response["moves"][0]["from_reference"] == "MRN-0042"
        assert kept_client.post("/v1/patients/merge", json=body).status_code == 404

    def test_counts_batches_that_keep_the_retired_number(self, kept_client, screening):
        batch = complete_batch(kept_client, rows(1, patient_reference="MRN-0042"))["links"]["self"]
        number = {"system": "urn:oid:1.2.3"}
        stays = number | {"reference": "MRN-0043"}
        body = {"retired": number | {"reference": "MRN-0042"}, "survivor": stays}
        merged = kept_client.post("/v1/patients/merge", json=body)
        assert merged.json() == {
            "screenings": 1,
            "links": 0,
            "response_drafts": 0,
            "holds": 0,
            "batches": 1,
        }
        assert kept_client.get(batch).status_code == 200
        erased = kept_client.request("delete", "/v1/patients", json=stays).json()
        assert (erased["screenings"], erased["batches"]) == (1, 1)
        for path in (batch, f"/v1/screenings/{screening}"):
            assert kept_client.get(path).status_code == 404
