"""The names of DBOS that the workflow engine uses without being documented still exist.

If one fails after an update, read api/jobs/workflow_engine.py again before the version in
pyproject.toml changes.
"""

import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

from dbos import DBOS

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
DEPENDENCIES = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["dependencies"]


def test_the_version_is_pinned_exactly():
    (pin,) = [line for line in DEPENDENCIES if line.startswith("dbos==")]
    assert pin == f"dbos=={version('dbos')}"


def test_workflows_of_lost_workers_can_be_recovered():
    parameters = inspect.signature(DBOS._recover_pending_workflows).parameters
    assert list(parameters) == ["executor_ids"]
