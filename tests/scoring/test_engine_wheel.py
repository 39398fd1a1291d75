"""The scorer as a wheel of its own: reproducible, free of the service, and it scores alike."""

import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest

from scoring.columns.frames import score_columns, score_frame

SCRIPTS = Path(__file__).parents[2] / "scripts"
SCRIPT = SCRIPTS / "engine_wheel.py"
ROWS = {"age_years": [44, 17, 300], "pain_sites": ["neck|face", "none", ""]}
PROGRAM = f"""
import sys
sys.path.insert(0, sys.argv[1])
import nociscreen_engine
import polars as pl
frame = pl.DataFrame({ROWS!r})
print(frame.nociscreen.score().write_json())
own = {{name.partition(".")[0] for name in sys.modules}}
assert own.isdisjoint({{"api", "scoring", "schemas", "reports", "fastapi", "sqlalchemy"}}), own
"""


def run(*words: object) -> str:
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_wheel_is_the_same_each_time_and_scores_as_the_tree_does(tmp_path):
    first, second = (Path(run(SCRIPT, tmp_path / name).strip()) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        archive.extractall(tmp_path / "package")
    results = run("-I", "-c", PROGRAM, tmp_path / "package")
    assert results.strip() == score_frame(pl.DataFrame(ROWS)).write_json()


def test_a_frame_is_scored_as_a_whole_and_by_an_expression():
    frame = pl.DataFrame(ROWS)
    results = frame.nociscreen.score()
    expected = ["insufficient_information", "out_of_scope", None]
    assert results["status"].to_list() == expected
    by_column = frame.lazy().select(score_columns(list(ROWS)).struct.unnest()).collect()
    assert by_column.equals(results)
    assert "because_A1" in frame.nociscreen.score(explain=True).columns


@pytest.mark.parametrize(
    ("name", "message"),
    [("clinic", "set ignore_unknown=True"), ("Age years", "did you mean 'age_years'")],
)
def test_a_column_of_a_frame_that_is_no_question_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        score_frame(pl.DataFrame({name: ["44"]}))
    with pytest.raises(ValueError, match=message):
        score_columns([name])


def test_the_capacity_table_is_that_of_its_figure(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import capacity_table

    page = capacity_table.PAGE.read_text(encoding="utf-8")
    figure = int(capacity_table.FIGURE.findall(page)[0].replace(",", ""))
    assert capacity_table.replace_section(page, figure) == page
    assert "| 100,000,000 | 33 min | 4 min | 31 s |" in capacity_table.render_section(50_000)
