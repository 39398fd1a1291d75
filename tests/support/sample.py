"""Samples of the everyday suite (`make test`); every whole form runs in `make full`."""

import os
from collections.abc import Iterable
from typing import Any

IS_SAMPLE = os.environ.get("TEST_SAMPLE") == "1"


def take_sample(rows: Iterable[Any], step: int) -> list[Any]:
    """Return all rows, or in the everyday suite the first and every `step`-th after it."""
    return list(rows)[:: step if IS_SAMPLE else 1]
