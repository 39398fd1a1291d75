"""Deliveries and destinations over HTTP: made, shown before, refused for a reason, watched."""

import pytest
from support.batch_files import done, rows
from support.builders import request
from support.callers import last_act
from support.path_resources import destination, made

ADDRESS = "mllps://ehr.example:2575"


@pytest.fixture
def to(kept_client):
    return destination(kept_client)


@pytest.fixture
def screening(kept_client):
    return made(kept_client, "/v1/screenings", request("MRN-0042", system="urn:oid:1.2.3"))["id"]


class TestADestination:
    def test_lies_where_it_is_allowed_alone(self, kept_client, to):
        assert to["address"] == ADDRESS
        for address in ("mllps://evil.example:2575", "mllps://ehr.example:2576"):
            wanted = {"name": "E", "profile": "generic-v2", "address": address}
            assert kept_client.post("/v1/destinations", json=wanted).status_code == 409

    @pytest.mark.parametrize(
        ("more", "pointer"),
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
    def test_of_the_wrong_shape_is_refused_by_its_place(self, kept_client, to, more, pointer):
        wanted = {"name": "E", "profile": "generic-v2", "address": to["address"]} | more
        answer = kept_client.post("/v1/destinations", json=wanted)
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]

    def test_is_forgotten_only_where_nothing_was_sent(self, kept_client, to, screening):
        body = {"destination": to["id"]}
        made(kept_client, f"/v1/screenings/{screening}/deliveries", body)
        assert kept_client.delete(f"/v1/destinations/{to['id']}").status_code == 409

    def test_tells_no_secret_after_it_was_made(self, kept_client, to):
        wanted = {"name": "H", "profile": "generic-webhook", "address": "https://ehr.example/in"}
        hook = made(kept_client, "/v1/destinations", wanted)
        assert hook["webhook_secret"].startswith("whsec_")
        again = kept_client.get(f"/v1/destinations/{hook['id']}").text
        assert hook["webhook_secret"] not in again
        assert "whsec_" not in kept_client.get("/v1/destinations").text
        assert to["id"] != hook["id"]

    def test_shows_a_public_key_to_register_and_never_the_private_one(self, kept_client, to):
        smart = {"token_url": "https://ehr.example/token", "client_id": "us"}
        wanted = {"name": "F", "profile": "generic-fhir", "address": "https://ehr.example/fhir"}
        told = made(kept_client, "/v1/destinations", wanted | {"smart": smart})
        assert set(told["public_key"]) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
        assert to["public_key"] is None


class TestADelivery:
    def test_waits_and_is_audited(self, kept_client, kept_service, kept_clinic, to, screening):
        body = {"destination": to["id"]}
        told = made(kept_client, f"/v1/screenings/{screening}/deliveries", body)
        assert (told["state"], told["event"]) == ("waiting", "result")
        assert last_act(kept_service, kept_clinic) == (
            "deliver", "enqueued", "delivery", told["id"],
        )  # fmt: skip
        again = kept_client.post(f"/v1/screenings/{screening}/deliveries", json=body)
        assert again.status_code == 409

    def test_to_a_destination_of_another_is_not_found(
        self, kept_client, other_client, to, screening
    ):
        theirs = destination(other_client)["id"]
        for path in ("deliveries", "deliveries/preview"):
            answer = kept_client.post(
                f"/v1/screenings/{screening}/{path}", json={"destination": theirs}
            )
            assert answer.status_code == 404
        assert to["id"] != theirs

    def test_that_does_not_fit_is_refused_and_the_preview_says_why(self, kept_client, to):
        name = {"name": "Žižek, Slavoj"}
        kept = made(kept_client, "/v1/screenings", request("MRN-1", **name))["id"]
        options = {"v2": {"character_set": "8859/1"}, "document": {"how": "url"}}
        kept_client.patch(f"/v1/destinations/{to['id']}", json={"options": options})
        here, body = f"/v1/screenings/{kept}/deliveries", {"destination": to["id"]}
        refused = kept_client.post(here, json=body)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/unfit")
        assert [each["pointer"] for each in refused.json()["errors"]] == ["/PID-5"]
        assert "Slavoj" not in refused.text
        shown = kept_client.post(f"{here}/preview", json=body).json()
        assert (shown["fits"], [each["place"] for each in shown["misfits"]]) == (False, ["PID-5"])

    def test_is_shown_to_the_byte_before_and_keeps_nothing(self, kept_client, to, screening):
        here, body = f"/v1/screenings/{screening}/deliveries", {"destination": to["id"]}
        shown = kept_client.post(f"{here}/preview", json=body).json()
        (part,) = shown["parts"]
        assert shown["fits"]
        assert part["text"].startswith("MSH|^~\\&|NOCISCREEN|")
        assert part["bytes"] == len(part["text"].encode())
        assert shown["unconfirmed"]
        assert kept_client.get("/v1/deliveries").json()["deliveries"] == []

    def test_of_what_was_entered_in_error_or_replaced_is_refused(self, kept_client, to, screening):
        here, body = f"/v1/screenings/{screening}", {"destination": to["id"]}
        kept_client.post(f"{here}/entered-in-error", json={"reason": "another patient"})
        assert kept_client.post(f"{here}/deliveries", json=body).status_code == 409

    def test_is_narrowed_in_lists(self, kept_client, to, screening):
        body = {"destination": to["id"]}
        one = made(kept_client, f"/v1/screenings/{screening}/deliveries", body)["id"]
        for query, ids in (
            ("state=waiting", [one]),
            ("state=parked", []),
            (f"screening={screening}", [one]),
            (f"destination={to['id']}", [one]),
        ):
            found = kept_client.get(f"/v1/deliveries?{query}").json()["deliveries"]
            assert [each["id"] for each in found] == ids


class TestMergingByRoute:
    def test_moves_and_tells(self, kept_client, screening):
        system = "urn:oid:1.2.3"
        body = {
            "retired": {"reference": "MRN-0042", "system": system},
            "survivor": {"reference": "MRN-0043", "system": system},
        }
        merged = kept_client.post("/v1/patients/merge", json=body)
        assert merged.json() == {"screenings": 1, "links": 0, "holds": 0, "batches": 0}
        told = kept_client.get(f"/v1/screenings/{screening}").json()
        assert told["patient"]["reference"] == "MRN-0043"
        assert told["moves"][0]["from_reference"] == "MRN-0042"
        assert kept_client.post("/v1/patients/merge", json=body).status_code == 404

    def test_tells_of_batches_that_keep_the_retired_number(self, kept_client, screening):
        batch = done(kept_client, rows(1, patient_reference="MRN-0042"))["links"]["self"]
        number = {"system": "urn:oid:1.2.3"}
        stays = number | {"reference": "MRN-0043"}
        body = {"retired": number | {"reference": "MRN-0042"}, "survivor": stays}
        merged = kept_client.post("/v1/patients/merge", json=body)
        assert merged.json() == {"screenings": 1, "links": 0, "holds": 0, "batches": 1}
        assert kept_client.get(batch).status_code == 200
        erased = kept_client.request("delete", "/v1/patients", json=stays).json()
        assert (erased["screenings"], erased["batches"]) == (1, 1)
        for gone in (batch, f"/v1/screenings/{screening}"):
            assert kept_client.get(gone).status_code == 404
