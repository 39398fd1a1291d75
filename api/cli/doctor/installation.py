"""Examines this computer: settings, key ring, disks, and whether it can render a report."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

from api.cli.doctor.check_result import CheckResult
from api.settings import Settings
from api.store.key_ring import KeyRingError, parse_key_ring, read_key_file

LITTLE_SPACE_BYTES = 2 * 1024**3
TOO_LITTLE_SPACE_BYTES = 200 * 1024**2
_OTHERS_PERMISSIONS = stat.S_IRWXO | stat.S_IWGRP
_EXAMPLE = Path(__file__).parents[2] / "contract" / "examples" / "core_form.json"


def check_settings(settings: Settings) -> Iterator[CheckResult]:
    """Name the settings file; a setting that is not valid has ended the command before."""
    file = settings.settings_file
    if file is None:
        yield CheckResult("ok", "settings", f"{len(settings.model_fields_set)} are set")
        return
    if warning := _find_open_permission(file):
        yield CheckResult("warning", "settings", warning)
    else:
        count = len(settings.model_fields_set) - 1
        yield CheckResult("ok", "settings", f"{count} are set, by variables and {file}")


def check_key_ring(settings: Settings) -> Iterator[CheckResult]:
    """Read the ring; whether it opens the database is seen there."""
    ring, file = settings.key_ring, settings.key_ring_file
    if ring is None and not file.exists():
        if settings.database_url is None and not settings.database_file.exists():
            yield CheckResult(
                "warning", "key ring", f"{file} is missing; `nociscreen serve` creates it"
            )
        else:
            yield CheckResult(
                "failed", "key ring", f"{file} is missing: put it back, or name its place in "
                "NOCISCREEN_KEY_RING_FILE; `nociscreen keys new` prints an entry of a new ring"
            )  # fmt: skip
        return
    try:
        keys = parse_key_ring(ring.get_secret_value() if ring else read_key_file(file))
    except KeyRingError as error:
        yield CheckResult("failed", "key ring", f"{error}")
        return
    if ring is None and (warning := _find_open_permission(file)):
        yield CheckResult("warning", "key ring", warning)
    else:
        place = "NOCISCREEN_KEY_RING" if ring else file
        yield CheckResult(
            "ok", "key ring", f"{place} holds {len(keys)}; keep a copy of it elsewhere"
        )


def check_disks(settings: Settings) -> Iterator[CheckResult]:
    """Look for space where the service writes."""
    folders = [Path(tempfile.gettempdir())]
    if settings.database_url is None:
        folders.append(settings.database_file.parent)
    if settings.ledger_file is not None:
        folders.append(settings.ledger_file.parent)
    for folder in dict.fromkeys(map(_find_existing_folder, folders)):
        if os.access(folder, os.W_OK):
            yield judge_space(folder, shutil.disk_usage(folder).free)
        else:
            yield CheckResult("failed", "disk", f"this user cannot write in {folder}")


def judge_space(folder: Path, free: int) -> CheckResult:
    """Return what follows from the bytes that are free."""
    text = f"{free / 1024**3:.1f} GiB are free in {folder}"
    if free < TOO_LITTLE_SPACE_BYTES:
        return CheckResult("failed", "disk", f"{text}: free space, or nothing can be stored")
    if free < LITTLE_SPACE_BYTES:
        return CheckResult("warning", "disk", f"{text}: free space before it is full")
    return CheckResult("ok", "disk", text)


def check_report(_: Settings) -> Iterator[CheckResult]:
    """Render the report of an example in memory."""
    try:
        size = len(_render_example())
    except OSError as error:  # a library is missing
        yield CheckResult(
            "failed", "report", f"WeasyPrint cannot be loaded ({error}): install Pango, or run "
            "scripts/system-libraries"
        )  # fmt: skip
        return
    if find_library("harfbuzz-subset") is None:
        yield CheckResult(
            "warning", "report", "libharfbuzz-subset is missing, so reports take twice as long: "
            "install libharfbuzz-subset0"
        )  # fmt: skip
    else:
        yield CheckResult("ok", "report", f"an example is rendered in {size} bytes")


def _render_example() -> bytes:
    from api.cli.commands.score import read_intake_file
    from api.documents.document_builder import PrintSettings, render_intake
    from api.documents.render_pool import InProcessRenderer
    from api.documents.request import DocumentRequest, find_format_by_suffix
    from reports.view.heading import Letterhead
    from scoring.catalogue import load_catalogue

    request = DocumentRequest(find_format_by_suffix(".pdf"), "clinician", "en", "full")
    intake = read_intake_file(str(_EXAMPLE), "nociplastic")
    print_settings = PrintSettings(Letterhead(name=None), test=True)
    return render_intake(
        load_catalogue(), print_settings, InProcessRenderer(), intake, request
    ).content


def _find_existing_folder(folder: Path) -> Path:
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _find_open_permission(file: Path) -> str | None:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & _OTHERS_PERMISSIONS:
        return f"others can use {file} (mode {mode:04o}): chmod 600 {file}"
    return None
