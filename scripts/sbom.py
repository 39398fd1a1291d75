"""Writes build/sbom.json: a CycloneDX 1.6 bill of the locked packages that the service runs on.

Versions, hashes and dependencies come from requirements.lock, licences from the installed packages.
A component has one hash for each file of its release. The same lock gives the same bill, byte for
byte, at the same `SOURCE_DATE_EPOCH`; without that its time is now.
"""

import importlib.metadata
import os
import re
import sys
import time
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.spdx import fixup_id
from packageurl import PackageURL

ROOT = Path(__file__).parent.parent
BILL = ROOT / "build" / "sbom.json"
LOCKED = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+?))? \\")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
PARENT = re.compile(r"    # +(?:via )?([a-z0-9]\S*)")
LICENCE_CLASSIFIER = "License :: OSI Approved :: "


class LockedPackage(NamedTuple):
    """A package of the lock; parents are the packages that need it."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    parents: tuple[str, ...]


def main() -> None:
    """Write the bill, and name the packages whose licence is not known here."""
    text = build_bill((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    BILL.parent.mkdir(exist_ok=True)
    BILL.write_text(f"{text}\n", encoding="utf-8")
    print(BILL.relative_to(ROOT))


def build_bill(lock: str) -> str:
    """Return the bill of the packages in the text of a lock, as JSON."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    service = Component(
        name=project["name"],
        version=project["version"],
        type=ComponentType.APPLICATION,
        bom_ref=project["name"],
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )
    made_at = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    bill = Bom(
        metadata=BomMetaData(component=service, timestamp=datetime.fromtimestamp(made_at, UTC)),
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"{service.version} {lock}"),
    )
    packages = tuple(read_lock(lock))
    components = {package: build_component(package) for package in packages}
    bill.components.update(components.values())
    register_dependencies(bill, components, service)
    return make_outputter(bill, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)


def read_lock(lock: str) -> Iterator[LockedPackage]:
    """Read the packages of a lock that uv wrote with hashes."""
    for block in re.split(r"\n(?=\S)", lock):
        if locked := LOCKED.match(block):
            yield LockedPackage(
                locked["name"],
                locked["version"],
                locked["marker"] or "",
                tuple(HASH.findall(block)),
                tuple(parent for parent in PARENT.findall(block) if parent != "via"),
            )


def build_component(package: LockedPackage) -> Component:
    """Return the package as a component; a package for some platforms only says for which."""
    marker = [Property(name="nociscreen:environment-marker", value=package.marker)]
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"{package.name}=={package.version}",
        purl=PackageURL("pypi", name=package.name, version=package.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.hashes],
        licenses=find_licences(package),
        properties=marker if package.marker else (),
    )


def find_licences(package: LockedPackage) -> list[License]:
    """Return the licences that the installed package states, or say that none is known."""
    try:
        metadata = importlib.metadata.metadata(package.name)
    except importlib.metadata.PackageNotFoundError:
        print(f"{package.name}: not installed here, so its licence is missing", file=sys.stderr)
        return []
    free_text = metadata.get("License") or ""
    expression = metadata.get("License-Expression") or fixup_id(free_text)
    classifiers = [
        classifier.removeprefix(LICENCE_CLASSIFIER)
        for classifier in metadata.get_all("Classifier", ())
        if classifier.startswith(LICENCE_CLASSIFIER)
    ]
    files = [f"see {name} in the package" for name in metadata.get_all("License-File", ())]
    licences = [expression] if expression else classifiers or free_text.splitlines()[:1] or files
    return [LicenseFactory().make_from_string(licence) for licence in licences]


def register_dependencies(
    bill: Bom, components: Mapping[LockedPackage, Component], service: Component
) -> None:
    """Note which component needs which. A package may be locked in several versions."""
    by_name = {service.name: [service]}
    for component in components.values():
        by_name.setdefault(component.name, []).append(component)
    for component in (service, *components.values()):
        bill.register_dependency(component)
    for package, component in components.items():
        for parent in package.parents:
            for dependant in by_name[parent]:
                bill.register_dependency(dependant, [component])


if __name__ == "__main__":
    main()
