"""Examines the database: reachable, role, tables, keys, ledger of withdrawals, clock."""

from collections.abc import Iterator

from api.cli.doctor.check_result import CheckResult, State
from api.cli.doctor.network import check_destinations
from api.settings import Settings
from api.store.database.engine import DatabaseError, find_bypassing_role
from api.store.errors import UnavailableError
from api.store.key_ring import KeyRingError
from api.store.operations import diagnosis, withdrawals
from api.store.operations.readiness import list_store_faults
from api.store.store import Store

CLOCK_WARNING_SECONDS = 2.0
CLOCK_FAILURE_SECONDS = 60.0


def check_records(settings: Settings) -> Iterator[CheckResult]:
    """Open the database as it is, and what is in it."""
    try:
        store = diagnosis.open_existing_store(settings)
    except (DatabaseError, KeyRingError) as error:
        yield CheckResult("failed", "database", str(error))
        yield CheckResult(
            "warning", "ledger, clock, destinations", "not examined without a database"
        )
        return
    if store is None:
        file = settings.database_file
        yield CheckResult(
            "warning", "database", f"{file} is missing; `nociscreen serve` creates it"
        )
        return
    try:
        yield from _check_store(store)
    except UnavailableError:
        yield CheckResult("failed", "database", "it stopped to answer: run the command again")
    finally:
        store.close()


def _check_store(store: Store) -> Iterator[CheckResult]:
    yield _check_clock(store)
    if role := find_bypassing_role(store.database):
        yield CheckResult("warning", "database", role)
    if not diagnosis.has_current_tables(store):
        yield CheckResult(
            "warning", "database", "its tables are not those of this release: run `nociscreen "
            "migrate`, or the newer release that changed them"
        )  # fmt: skip
        return
    faults = [text for _, text in list_store_faults(store)]
    for fault in faults:
        yield CheckResult("failed", "database", fault)
    if faults:
        return
    if not role:
        yield CheckResult("ok", "database", "it answers, and the key ring opens it")
    yield _check_ledger(store)
    yield from check_destinations(store)


def _check_ledger(store: Store) -> CheckResult:
    try:
        fault = withdrawals.find_ledger_fault(store)
    except OSError as error:
        return CheckResult("failed", "ledger", f"NOCISCREEN_WITHDRAWALS_FILE: {error.strerror}")
    if fault:
        return CheckResult("failed", "ledger", withdrawals.FAULT_TEXT[fault])
    if store.ledger is None:
        return CheckResult(
            "warning", "ledger", "there is none, so a restored backup brings back what was "
            "withdrawn: set NOCISCREEN_WITHDRAWALS_FILE"
        )  # fmt: skip
    return CheckResult("ok", "ledger", "it agrees with the database")


def _check_clock(store: Store) -> CheckResult:
    if store.database.is_embedded:
        return CheckResult("ok", "clock", "the database uses the clock of this computer")
    return judge_clock(diagnosis.measure_clock_offset(store))


def judge_clock(seconds: float) -> CheckResult:
    """Return what follows from the difference between two clocks."""
    text = f"this computer and the database differ by {abs(seconds):.1f} s"
    if abs(seconds) <= CLOCK_WARNING_SECONDS:
        return CheckResult("ok", "clock", text)
    state: State = "failed" if abs(seconds) > CLOCK_FAILURE_SECONDS else "warning"
    return CheckResult(state, "clock", f"{text}: synchronise both by NTP")
