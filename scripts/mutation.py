"""Runs mutmut on one share of the code: `python scripts/mutation.py edge run 'api.security.*'`.

A share is a table below [tool.mutmut.share] in pyproject.toml. mutmut reads one table alone: the
keys of the share replace its values. The words after the share are those of mutmut itself.
"""

import sys
import tomllib
from pathlib import Path

from mutmut.__main__ import cli
from mutmut.configuration import config


def main() -> None:
    """Run mutmut with the configuration of the share that is named first."""
    shares = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]["share"]
    if len(sys.argv) < 3 or sys.argv[1] not in shares:
        sys.exit(f"expected one of {', '.join(shares)}, then what mutmut is to do: run, results")
    for key, value in shares[sys.argv.pop(1)].items():
        setattr(config(), key, value)
    cli()


if __name__ == "__main__":
    main()
