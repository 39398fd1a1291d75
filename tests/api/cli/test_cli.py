"""The program `nociscreen`, run in its own process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.builders import EXAMPLES
from support.servers.forked_program import run_program
from typer.testing import CliRunner

from api.cli import main
from api.settings import list_unknown_variables

PROGRAM = str(Path(sys.executable).with_name("nociscreen"))
ROOT = Path(__file__).parents[3]
CONTRACT = ROOT / "openapi"
INTAKE = EXAMPLES / "phq4.json"
RULEBOOK = ROOT / "scoring" / "rulebooks" / "phq4" / "1.0.0.toml"


def run(
    *words, stdin: str | None = None, folder: Path = ROOT, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess:
    return run_program([*map(str, words)], os.environ | (environment or {}), folder, stdin)


def test_score_prints_the_assessment():
    process = run("score", INTAKE)
    assert (process.returncode, process.stderr) == (0, "")
    assert json.loads(process.stdout)["totals"]["sum"]["points"] == 4


def test_score_reads_standard_input_and_a_flat_object():
    answers = json.loads(INTAKE.read_text())["answers"]
    process = run("score", "-", "--rulebook", "phq4", stdin=json.dumps(answers))
    assert json.loads(process.stdout) == json.loads(run("score", INTAKE).stdout)


@pytest.mark.parametrize("words", [["--help"], ["score", str(EXAMPLES / "widespread_pain.json")]])
def test_a_command_without_a_service_starts_without_its_libraries(words):
    program = (
        "import sys; from api.cli import main; main(sys.argv[1:], standalone_mode=False); "
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    completed = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    heavy = {"fastapi", "starlette", "sqlalchemy", "polars", "weasyprint", "dbos", "cryptography"}
    assert heavy & set(completed.stderr.split()) == set()
    assert completed.stdout


def test_score_prints_a_table():
    process = run("score", EXAMPLES / "red_flag.json", "--table")
    assert process.returncode == 0
    lines = process.stdout.splitlines()
    assert lines[0] == "nociplastic@2.0.0: withheld red flag"
    assert lines[1] == "safety: T0"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "not_json"),
        ('{"phq4_down": 1e-99999999999999999999}', "number_too_long"),
        ('{"phq4_down": 9}', "too_large"),
        ('{"rulebook": "none", "answers": {}}', "not_an_option"),
        ('{"unheard_of": 1}', "unknown_member"),
        ("[]", "not_an_object"),
    ],
)
def test_bad_input_ends_with_2_and_the_problem(text, code):
    process = run("score", "-", "--rulebook", "phq4", stdin=text)
    assert (process.returncode, process.stdout) == (2, "")
    assert json.loads(process.stderr)["errors"][0]["code"] == code


def test_a_missing_file_ends_with_2():
    process = run("score", "nowhere.json")
    assert (process.returncode, process.stdout) == (2, "")
    assert "cannot be read" in process.stderr


def test_report_writes_a_pdf(tmp_path):
    process = run("report", INTAKE, "-o", tmp_path / "report.pdf")
    assert (process.returncode, process.stderr) == (0, "")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-1.7")


@pytest.fixture
def unsafe_intake(tmp_path) -> Path:
    """An intake of a person who does not feel safe at home."""
    file = tmp_path / "intake.json"
    file.write_text(
        json.dumps({"rf_personal_safety": ["unsafe_at_home"], "rf_general": ["fever_or_rigors"]})
    )
    return file


@pytest.mark.parametrize(
    ("options", "is_shown"),
    [([], True), (["--edition", "full"], True), (["--edition", "shareable"], False)],
    ids=["default", "full", "shareable"],
)
def test_report_has_flags_about_the_person_in_the_full_edition_only(
    tmp_path, unsafe_intake, options, is_shown
):
    out = tmp_path / "report.txt"
    process = run("report", unsafe_intake, "-o", out, *options)
    assert (process.returncode, process.stderr) == (0, "")
    text = out.read_text()
    assert ("Does not feel safe with someone close" in text) == is_shown
    assert "Fever or shivering fits" in text


def test_report_refuses_an_unknown_edition(tmp_path):
    process = run("report", INTAKE, "-o", tmp_path / "report.txt", "--edition", "secret")
    assert process.returncode == 2
    assert "--edition" in process.stderr


def test_a_report_that_cannot_be_written_ends_with_2(tmp_path):
    process = run("report", INTAKE, "-o", tmp_path / "no" / "report.pdf")
    assert process.returncode == 2
    assert "cannot be written" in process.stderr


def test_rulebook_check_prints_valid_or_the_errors(tmp_path):
    assert "phq4@1.0.0 is valid" in run("rulebook", "check", RULEBOOK).stdout
    broken = tmp_path / "broken.toml"
    broken.write_text(RULEBOOK.read_text().replace('domain = "anxiety"', 'domain = "x"'))
    process = run("rulebook", "check", broken)
    assert process.returncode == 2
    assert "broken.toml: criterion Q1: unknown domain x" in process.stderr


def test_rulebook_release_refuses_a_released_version():
    process = run("rulebook", "release", RULEBOOK, "--approver", "Dr A", "--on", "2027-05-03")
    assert process.returncode == 2
    assert "cannot be changed" in process.stderr


def test_openapi_check_fails_if_the_files_are_out_of_date(tmp_path):
    shutil.copytree(CONTRACT, tmp_path, dirs_exist_ok=True)
    (tmp_path / "openapi.json").write_text("{}")
    process = run("openapi", "--check", "--folder", tmp_path)
    assert process.returncode == 1
    assert "openapi.json" in process.stderr


def test_help_names_every_command():
    text = run("--help").stdout
    for word in ("serve", "score", "report", "rulebook", "openapi", "token"):
        assert word in text


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("KEY_RING_FILE", "/", "NOCISCREEN_KEY_RING_FILE: / cannot be read: Is a directory"),
        ("KEY_RING_FILE", __file__, "NOCISCREEN_KEY_RING_FILE: "),
        ("KEY_RING", "x", "NOCISCREEN_KEY_RING: "),
        ("MAX_BODY_BYTES", "many", "NOCISCREEN_MAX_BODY_BYTES: "),
        ("BODY_BYTES", "many", "NOCISCREEN_MAX_BODY_BYTES: "),
    ],
)
def test_an_invalid_setting_is_named(setting, value, message, tmp_path):
    process = run("admin", "first", folder=tmp_path, environment={f"NOCISCREEN_{setting}": value})
    assert (process.returncode, process.stdout) == (2, "")
    assert message in process.stderr


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("NOCISCREEN_TRUSTED_PROXY", "NOCISCREEN_TRUSTED_PROXIES"),
        ("NOCISCREEN_PUBLICURL", "NOCISCREEN_PUBLIC_URL"),
        ("nociscreen_render_worker", "NOCISCREEN_RENDER_WORKERS"),
        ("NOCISCREEN_", "NOCISCREEN_ISSUER"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_setting(name, nearest, monkeypatch):
    monkeypatch.setenv(name, "secret")
    outcome = CliRunner().invoke(main, ["token"])
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr == f"{name} is not a setting; did you mean {nearest}?\n"


def test_a_variable_of_another_program_is_no_setting():
    variables = ["PATH", "NOCI_X", "XNOCISCREEN_X", "NOCISCREEN_BODY_BYTES", "NOCISCREEN_ISSUER"]
    assert list(list_unknown_variables([*variables, "nociscreen_issuer"])) == []


def test_rulebook_check_refuses_deep_nesting(tmp_path):
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000 + "]" * 5000)
    process = run("rulebook", "check", str(tmp_path / "deep.toml"))
    assert (process.returncode, process.stderr) == (2, "deep.toml: nests too deeply\n")


def test_rulebook_release_refuses_a_file_outside_the_rulebook_folder(tmp_path):
    (tmp_path / "mine.toml").write_text(RULEBOOK.read_text())
    process = run("rulebook", "release", str(tmp_path / "mine.toml"), "--approver", "x")
    assert process.returncode == 2
    assert "must be in the rulebooks folder" in process.stderr


@pytest.mark.parametrize(
    ("former", "current"),
    [
        ("admin place allow", "admin allowed-host add"),
        ("admin place disallow", "admin allowed-host remove"),
        ("admin issuer drop", "admin issuer remove"),
        ("admin client drop-secret", "admin client revoke-secret"),
        ("mllp --client-authority .", "mllp --client-ca ."),
        ("admin destination add --tls-authorities .", "admin destination add --tls-ca ."),
        ("admin destination add --no-follows", "admin destination add --no-send-corrections"),
        ("admin organisation change --closed", "admin organisation change --inactive"),
        ("import --map x", "import --mapping x"),
        ("batch --to csv", "batch --output-format csv"),
    ],
)
def test_a_former_name_is_accepted(former, current):
    outcome = CliRunner().invoke(main, [*former.split(), "--help"])
    assert outcome.exit_code == 0
    assert outcome.stdout == CliRunner().invoke(main, [*current.split(), "--help"]).stdout


def test_the_installed_program_runs():
    process = subprocess.run([PROGRAM, "score", INTAKE], capture_output=True, text=True, check=True)
    assert process.stdout == run("score", INTAKE).stdout
