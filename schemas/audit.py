"""The shape of the audit: what was done by whom, without a word of what it was done with."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.base import Frozen

Action = Literal[
    "create",
    "score",
    "cancel",
    "read",
    "list",
    "amend",
    "enter_in_error",
    "acknowledge",
    "report",
    "export",
    "erase",
    "hold",
    "release",
    "purge",
    "sign_in",
    "refuse",
    "administer",
    "rotate",
    "backup",
    "answer",
    "revoke",
    "sign_out",
    "import",
    "deliver",
    "merge",
]
Means = Literal["token", "api_key", "command_line", "anonymous", "service", "link", "session"]


class Act(Frozen):
    """One act. `target` is an id of ours; `count` says how many like it are told as one."""

    actor: str = Field(
        description="The id of the client or practitioner, or `command_line`, `service`, `unknown`."
    )
    means: Means
    action: Action
    outcome: str = Field(default="ok", description="`ok`, or the code of the problem.")
    kind: str = Field(default="", description="What was acted on: screening, report, client ...")
    target: str = ""
    route: str = ""
    request_id: str = ""
    count: int = 1


class AuditEntry(Act):
    """An act with its place in the chain of its organisation."""

    seq: int
    at: datetime


class Checkpoint(Frozen):
    """Where a chain ended at a moment, sealed; kept outside, it shows that nothing was cut off."""

    organisation: str
    seq: int
    mac: str
    at: datetime
    seal: str


class ChainFault(Frozen):
    """One place where a chain does not hold."""

    seq: int
    what: Literal[
        "changed",
        "missing",
        "unverifiable",
        "inserted",
        "cut_off",
        "head_changed",
        "not_our_checkpoint",
        "not_as_at_checkpoint",
    ]
    until: int | None = None
