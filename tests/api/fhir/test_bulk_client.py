"""SMART Fetch, a Bulk Data client that was not written here, exports from a real server."""

import json
import socket

import httpx2
import pytest
from support.builders import add, build_store_settings, clinic, do
from support.interop.hospital_issuers import Signer
from support.servers.async_thread import run_aside
from support.servers.processes import serving

from api.fhir.bulk_export import EXPORTED_TYPES
from api.store.accounts import clients
from api.store.operations.startup import open_store


class BulkSite:
    """A served clinic with two screenings, and a client of it with a registered key."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.settings = build_store_settings(folder)
        store = open_store(self.settings)
        self.clinic = clinic(store)
        self.ids = [add(store, self.clinic, reference).id for reference in ("N-1", "N-2")]
        self.signer = Signer("ES384")
        jwk = self.signer.export_jwk()
        do(store, self.clinic, clients.add_client_key, self.clinic.client, jwk)
        store.close()

    def serving(self):
        return serving(self.settings, port=self.port, NOCISCREEN_PUBLIC_URL=self.address)

    def authorise(self):
        """Return the header of the client's access token."""
        form = {"grant_type": "client_credentials"}
        secret = (self.clinic.client, self.clinic.secret)
        answer = httpx2.post(f"{self.address}/v1/oauth/token", data=form, auth=secret)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def export(self, folder, path="Patient", **options):
        """Export all types into this folder as SMART Fetch does."""
        from cumulus_fhir_support import FhirClient  # its import takes as long as a test
        from smart_fetch.bulk_utils import BulkExporter
        from smart_fetch.lifecycle import OutputMetadata

        key = self.signer.key.export_private(as_dict=True)
        jwk = key | {"kid": self.signer.kid, "alg": "ES384", "key_ops": ["sign"]}

        async def export() -> None:
            client = FhirClient(
                f"{self.address}/fhir",
                EXPORTED_TYPES,
                smart_client_id=self.clinic.client,
                smart_jwks={"keys": [jwk]},
            )
            async with client:
                exporter = BulkExporter(
                    client,
                    set(EXPORTED_TYPES),
                    f"{self.address}/fhir/{path}",
                    str(folder),
                    metadata=OutputMetadata(str(folder)),
                    **options,
                )
                await exporter.export()

        run_aside(export())


@pytest.fixture
def site(tmp_path):
    return BulkSite(tmp_path)


@pytest.fixture
def exported(tmp_path):
    folder = tmp_path / "exported"
    folder.mkdir()
    return folder


def read_lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.slow
def test_it_fetches_every_resource_and_deletes_the_export(site, exported):
    with site.serving():
        headers = site.authorise()
        site.export(exported)
        for name in EXPORTED_TYPES:
            resources = read_lines(exported / f"{name}.001.ndjson")
            assert [resource["id"] for resource in resources] == site.ids
            addresses = [f"{site.address}/fhir/{name}/{number}" for number in site.ids]
            assert resources == [httpx2.get(it, headers=headers).json() for it in addresses]
        log = read_lines(exported / "log.ndjson")
        (kickoff,) = [row for row in log if row["eventId"] == "kickoff"]
        status_address = kickoff["eventDetail"]["responseHeaders"]["content-location"]
        assert kickoff["eventDetail"]["exportUrl"].startswith(f"{site.address}/fhir/Patient/$exp")
        assert [row["eventId"] for row in log].count("download_complete") == len(EXPORTED_TYPES)
        assert log[-1]["eventId"] == "export_complete"
        assert log[-1]["eventDetail"]["resources"] == len(EXPORTED_TYPES) * len(site.ids)
        assert httpx2.get(status_address, headers=headers).status_code == 404


def test_it_shows_what_is_not_supported(site, exported):
    filters = {name: {"status=final"} for name in EXPORTED_TYPES}
    with site.serving():
        with pytest.raises(SystemExit, match="_typeFilter: is not supported"):
            site.export(exported, type_filter=filters)
        with pytest.raises(SystemExit, match=r"`\$export` is not offered at this address"):
            site.export(exported, path="Group/g1")
