"""What `nociscreen doctor` found out about one thing."""

from typing import Literal, NamedTuple

State = Literal["ok", "warning", "failed"]
EXIT_STATUS: dict[State, int] = {"ok": 0, "warning": 1, "failed": 2}


class CheckResult(NamedTuple):
    """A thing, its state, and what to do unless it is ok."""

    state: State
    subject: str
    text: str

    def format_line(self) -> str:
        """Return the result as one line."""
        return f"{self.state:<7}  {self.subject}: {' '.join(self.text.split())}"
