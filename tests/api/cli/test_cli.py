"""The command line, as a newcomer types it: our own program in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("nociscreen"))
ROOT = Path(__file__).parents[3]
INTAKE = ROOT / "api" / "examples" / "phq4.json"
RULEBOOK = ROOT / "scoring" / "rulebooks" / "phq4" / "1.0.0.toml"


def run(
    *words, given: str | None = None, folder: Path = ROOT, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [PROGRAM, *map(str, words)],
        input=given,
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | (environment or {}),
        check=False,
        timeout=60,
    )


def test_score_prints_the_assessment():
    done = run("score", INTAKE)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["totals"]["sum"]["points"] == 4


def test_score_reads_standard_input_and_a_flat_object():
    answers = json.loads(INTAKE.read_text())["answers"]
    done = run("score", "-", "--rulebook", "phq4", given=json.dumps(answers))
    assert json.loads(done.stdout) == json.loads(run("score", INTAKE).stdout)


def test_score_as_a_table_is_for_people():
    done = run("score", ROOT / "api" / "examples" / "red_flag.json", "--table")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "nociplastic@1.0.0: withheld red flag"
    assert lines[1] == "safety: T0"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "not_json"),
        ('{"phq4_down": 1e-99999999999999999999}', "number_too_long"),
        ('{"phq4_down": 9}', "less_than_equal"),
        ('{"rulebook": "none", "answers": {}}', "union_tag_invalid"),
        ('{"unheard_of": 1}', "extra_forbidden"),
        ("[]", "model_attributes_type"),
    ],
)
def test_bad_input_ends_with_2_and_the_problem(text, code):
    done = run("score", "-", "--rulebook", "phq4", given=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert json.loads(done.stderr)["errors"][0]["code"] == code


def test_a_file_that_is_not_there_ends_with_2():
    done = run("score", "nowhere.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be read" in done.stderr


def test_report_writes_a_pdf(tmp_path):
    done = run("report", INTAKE, "-o", tmp_path / "report.pdf")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-1.7")


def test_a_report_that_cannot_be_written_ends_with_2(tmp_path):
    done = run("report", INTAKE, "-o", tmp_path / "no" / "report.pdf")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_rulebook_check_says_that_it_holds_or_what_does_not(tmp_path):
    assert "phq4@1.0.0 holds together" in run("rulebook", "check", RULEBOOK).stdout
    broken = tmp_path / "broken.toml"
    broken.write_text(RULEBOOK.read_text().replace('domain = "anxiety"', 'domain = "x"'))
    done = run("rulebook", "check", broken)
    assert done.returncode == 2
    assert "broken.toml: criterion Q1: there is no domain x" in done.stderr


def test_rulebook_release_refuses_what_is_released():
    done = run("rulebook", "release", RULEBOOK, "--approver", "Dr A", "--on", "2027-05-03")
    assert done.returncode == 2
    assert "never changes" in done.stderr


def test_openapi_is_what_the_code_says_and_check_tells_when_not(tmp_path):
    assert run("openapi", "--check").returncode == 0
    assert run("openapi", "--folder", tmp_path).returncode == 0
    (tmp_path / "openapi.json").write_text("{}")
    done = run("openapi", "--check", "--folder", tmp_path)
    assert done.returncode == 1
    assert "openapi.json" in done.stderr


def test_help_names_every_command():
    text = run("--help").stdout
    for word in ("serve", "score", "report", "rulebook", "openapi", "token"):
        assert word in text


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("KEY_RING_FILE", "/", "NOCISCREEN_KEY_RING_FILE: / cannot be read: Is a directory"),
        ("KEY_RING_FILE", __file__, "NOCISCREEN_KEY_RING_FILE: "),
        ("KEY_RING", "x", "NOCISCREEN_KEY_RING: "),
        ("BODY_BYTES", "many", "NOCISCREEN_BODY_BYTES: "),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(setting, value, named, tmp_path):
    done = run("token", folder=tmp_path, environment={f"NOCISCREEN_{setting}": value})
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr


def test_rulebook_check_refuses_what_nests_too_deeply(tmp_path):
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000 + "]" * 5000)
    done = run("rulebook", "check", str(tmp_path / "deep.toml"))
    assert (done.returncode, done.stderr) == (2, "deep.toml: nests too deeply\n")


def test_rulebook_release_keeps_to_its_folder(tmp_path):
    (tmp_path / "mine.toml").write_text(RULEBOOK.read_text())
    done = run("rulebook", "release", str(tmp_path / "mine.toml"), "--approver", "x")
    assert done.returncode == 2
    assert "must lie in the folder of rulebooks" in done.stderr
