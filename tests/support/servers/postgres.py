"""A real PostgreSQL: a cluster in a folder of its own, on a free loopback port."""

import os
import pwd
import shutil
import socket
import subprocess
from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy import make_url

LOGIN_ROLE = "service"
"""The owner of each database: the service refuses to start as a superuser."""
HOMES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class Postgres:
    """A cluster that is started, stopped and restarted at will."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._programs = _programs()
        self._owner = _owner()
        self._data, self.port = folder / "data", _free_port()
        self._durable = durable
        self._names = count()
        if self._owner:
            shutil.chown(folder, self._owner)
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                  "--locale=C", *([] if durable else ["--no-sync"]))  # fmt: skip
        self.start()
        self.say(f"CREATE ROLE {LOGIN_ROLE} LOGIN CREATEROLE")

    def start(self) -> None:
        options = f"-p {self.port} -k {self._data} -c listen_addresses=127.0.0.1"
        if not self._durable:
            options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        self._run(
            "pg_ctl", "-D", self._data, "-w", "-l", self._data / "log", "-o", options, "start"
        )

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def database(self, template: str | None = None, on: Path | None = None) -> str:
        """The name of a new database, its tables in this folder of another disk, if any."""
        name = f"n{next(self._names)}"
        of = f" OWNER {LOGIN_ROLE}" + (f" TEMPLATE {template}" if template else "")
        if on is not None:
            if self._owner:
                shutil.chown(on, self._owner)
            self._open_the_way_to(on)
            self.say(f"CREATE TABLESPACE on_{name} LOCATION '{on}'")
            of += f" TABLESPACE on_{name}"
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}{of}")
        return name

    def say(self, statement: str, database: str = "postgres") -> str:
        """What psql answers."""
        return self._run("psql", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres",
                         "-d", database, "-XAtc", statement)  # fmt: skip

    def require_password(self, role: str, password: str) -> None:
        """Add a role whose password this cluster checks."""
        rules = self._data / "pg_hba.conf"
        self.say(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        rules.write_text(f"host all {role} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
        self.say("SELECT pg_reload_conf()")

    def url(self, database: str, role: str = LOGIN_ROLE) -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *words: object) -> str:
        self._open_the_way_to(self._data)
        owner = {"user": self._owner, "group": pwd.getpwnam(self._owner).pw_gid,
                 "extra_groups": []} if self._owner else {}  # fmt: skip
        completed = subprocess.run(
            [str(self._programs / program), *map(str, words)],
            stdout=subprocess.PIPE if program == "psql" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if program == "psql" else subprocess.DEVNULL,
            text=True,
            cwd="/",
            check=True,
            timeout=60,
            **owner,
        )
        return (completed.stdout or "").strip()

    def _open_the_way_to(self, folder: Path) -> None:
        """Let PostgreSQL's own user through: each run of pytest shuts the folder all runs share."""
        if self._owner:
            for item in folder.parents:
                if item.stat().st_uid == os.getuid() and item.stat().st_mode & 0o077 == 0:
                    item.chmod(0o711)


def dump(url: str, *options: str) -> bytes:
    """Dump a database as its administrator: the login role of a service does not see all rows."""
    administrator = make_url(url).set(username="postgres").render_as_string()
    command = [_programs() / "pg_dump", *options, administrator]
    return subprocess.run(command, capture_output=True, check=True).stdout


def program(name: str) -> str:
    """Return the path of a program of PostgreSQL."""
    return str(_programs() / name)


def _programs() -> Path:
    if not HOMES:
        raise RuntimeError("PostgreSQL is missing: run `make setup-dev`, or install postgresql")
    return HOMES[0]


def _owner() -> str | None:
    """Whom to run as: PostgreSQL refuses to be run by root."""
    if os.getuid() != 0:
        return None
    names = {account.pw_name for account in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
