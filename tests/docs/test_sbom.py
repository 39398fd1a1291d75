"""The bill of materials of `make sbom` is valid and lists what requirements.lock lists."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sbom():
    """Return scripts/sbom.py as a module."""
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "scripts" / "sbom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bill(sbom) -> str:
    """Return the bill of the lock, as JSON."""
    return sbom.build_bill(LOCK)


def test_the_bill_is_a_cyclonedx_1_6_document(bill):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    broken = bill.replace('"type": "library"', '"type": "book"')
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None


def test_the_bill_holds_every_locked_package_with_every_hash(bill):
    components = json.loads(bill)["components"]
    purls = {component["purl"] for component in components}
    locked = re.findall(r"^(\S+)==([^\s;]+)", LOCK, re.MULTILINE)
    assert purls == {f"pkg:pypi/{name}@{version}" for name, version in locked}
    hashes = [digest["content"] for component in components for digest in component["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", LOCK))


def test_every_installed_package_states_a_licence_and_who_needs_it(bill):
    document = json.loads(bill)
    unlicensed = [part["name"] for part in document["components"] if not part.get("licenses")]
    assert set(unlicensed) <= {"brotlicffi", "colorama"}  # for PyPy and Windows
    needed = {ref for entry in document["dependencies"] for ref in entry.get("dependsOn", ())}
    assert needed == {component["bom-ref"] for component in document["components"]}


def test_every_licence_lets_a_hospital_use_the_package_in_its_own_programs(bill):
    """Permissive, or weak copyleft; of several licences one is enough."""
    fitting = re.compile(r"MIT|BSD|Apache|ISC|PSF|LGPL|Lesser|Mozilla|Zlib")
    unfitting = {
        part["name"]
        for part in json.loads(bill)["components"]
        if part.get("licenses") and not fitting.search(json.dumps(part["licenses"]))
    }
    assert unfitting == {"sqlcipher3"}  # zlib: its file LICENSE


def test_the_same_lock_gives_the_same_bill_and_another_one_another_number(sbom, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    first = sbom.build_bill(LOCK)
    assert first == sbom.build_bill(LOCK)
    other = json.loads(sbom.build_bill(LOCK.replace("fastapi==", "fastapi==9")))
    assert other["serialNumber"] != json.loads(first)["serialNumber"]
    assert json.loads(first)["metadata"]["timestamp"] == "2026-01-01T00:00:00+00:00"
