"""Models of the audit log, which records actions but no patient data."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.base import FrozenModel

Action = Literal[
    "create",
    "score",
    "cancel",
    "read",
    "list",
    "amend",
    "rescore",
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
    "restore",
    "answer",
    "revoke",
    "sign_out",
    "import",
    "deliver",
    "merge",
    "request",
    "approve",
    "reject",
]
AuthenticationMeans = Literal[
    "token", "api_key", "command_line", "anonymous", "service", "link", "session"
]


class AuditedAction(FrozenModel):
    """One audited action. `target` is an internal id; `count` is the number of grouped actions."""

    actor: str = Field(
        description=(
            "The id of the client or practitioner, `mllp:` with the sender's name, or "
            "`command_line`, `service`, `unknown`."
        )
    )
    means: AuthenticationMeans
    action: Action
    outcome: str = Field(default="ok", description="`ok`, or the code of the problem.")
    kind: str = Field(default="", description="The kind of object: screening, report, client ...")
    target: str = ""
    route: str = ""
    request_id: str = ""
    count: int = 1


class AuditEntry(AuditedAction):
    """An audited action with its position in the audit chain of its organisation."""

    seq: int
    at: datetime


class Checkpoint(FrozenModel):
    """The sealed end of an audit chain at an instant; stored elsewhere, it reveals truncation."""

    organisation: str
    seq: int
    mac: str
    at: datetime
    seal: str


class ChainFault(FrozenModel):
    """One position at which an audit chain fails verification."""

    seq: int
    what: Literal[
        "changed",
        "missing",
        "unverifiable",
        "inserted",
        "truncated",
        "head_changed",
        "foreign_checkpoint",
        "checkpoint_mismatch",
    ]
    until: int | None = None
