"""Builds the Device: the software that scores, with its version and the hash of each rulebook."""

from api.fhir.elements import CanonicalUrls, Resource, build_software_identifier
from scoring.catalogue import Catalogue


def build_device_id(version: str) -> str:
    """Return the logical id of the software in this version."""
    return f"nociscreen-{version}"


def build_device(urls: CanonicalUrls, catalogue: Catalogue, version: str) -> Resource:
    """Return the Device that the results of this version name by its identifier."""
    rulebooks = [
        {"type": {"text": f"SHA-256 of {entry.name}"}, "value": entry.sha256}
        for entry in catalogue.entries
        if entry.status != "draft"
    ]
    return {
        "resourceType": "Device",
        "id": build_device_id(version),
        "identifier": [build_software_identifier(urls, version)],
        "status": "active",
        "manufacturer": "nociscreen",
        "deviceName": [{"name": "nociscreen", "type": "user-friendly-name"}],
        "type": {"text": "Software that scores pain intakes; decision support"},
        "version": [{"type": {"text": "software"}, "value": version}, *rulebooks],
        "url": urls.service_url,
    }
