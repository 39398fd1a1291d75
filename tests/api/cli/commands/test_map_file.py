"""`nociscreen map` suggests mappings that can be used, and shows what a mapping makes of a file."""

import tomllib
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from api.batch_scoring.mapping.mapping_file import load_mapping
from api.cli import main
from api.importing.samples import list_sample_mappings
from scoring.catalogue import load_catalogue
from scoring.translations import translate_rulebook

LOADED = load_catalogue().find_active("nociplastic")
EXPORTS = Path(__file__).parents[2] / "importing"
DICTIONARY = """\
"Variable / Field Name","Field Type","Field Label","Choices, Calculations, OR Slider Labels"
age,text,"Age (years)",
sites,checkbox,"Painful areas","0, None of these | 1, Neck | 3, Lower back | 4, Left shoulder"
extent,radio,"Extent of the pain","1, One small spot | 2, An area"
"""


def nociscreen(*words: object):
    return CliRunner().invoke(main, [*map(str, words)])


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def suggest(folder: Path, file: Path, *words: object) -> Path:
    outcome = nociscreen("map", "suggest", file, *words)
    assert outcome.exit_code == 0, outcome.stderr
    return write(folder, "map.toml", outcome.stdout)


def test_the_template_is_suggested_whole_and_gives_the_same_results(tmp_path):
    header = nociscreen("batch", "--template").stdout.strip().split(",")
    cells = {"row_id": "a", "patient_reference": "P1", "age_years": "44", "fatigue": "yes",
             "pain_sites": "neck|face", "pain_extent": "area"}  # fmt: skip
    row = ",".join(cells.get(name, "") for name in header)
    source = write(tmp_path, "in.csv", f"{','.join(header)}\n{row}\n")
    mapping = suggest(tmp_path, source)
    assert {it.id for it in load_mapping(mapping, load_catalogue())[0].question} == {
        *LOADED.questions
    }
    check = nociscreen("map", "check", source, "--map", mapping)
    assert (check.exit_code, "1 rows, 0 refused, 0 without answers" in check.stdout) == (0, True)
    plain, mapped = tmp_path / "plain.csv", tmp_path / "mapped.csv"
    assert nociscreen("batch", source, "-o", plain).exit_code == 0
    assert nociscreen("batch", source, "--map", mapping, "-o", mapped).exit_code == 0
    assert mapped.read_bytes() == plain.read_bytes()


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_labels_in_every_language_are_found(tmp_path, language):
    book = LOADED.rulebook if language == "en" else translate_rulebook(LOADED, language)
    labels = {question.label: question.id for question in book.question}
    unique = [it for it in labels if sum(it == q.label for q in book.question) == 1]
    header = ",".join(f'"{label}"' for label in unique)
    source = write(tmp_path, "in.csv", f'"Number",{header}\n1{"," * len(unique)}\n')
    table = tomllib.loads(suggest(tmp_path, source).read_text(encoding="utf-8"))
    assert {it["column"]: it["id"] for it in table["question"]} == {
        label: labels[label] for label in unique
    }


def test_a_data_dictionary_names_options_and_doubtful_matches_are_comments(tmp_path):
    dictionary = write(tmp_path, "dictionary.csv", DICTIONARY)
    columns = "record_id,redcap_event_name,age,sites___0,sites___1,sites___3,sites___4,extent,zzz"
    source = write(tmp_path, "in.csv", f"{columns}\n1,e,44,0,1,0,0,2,x\n")
    mapping = suggest(tmp_path, source, "--dictionary", dictionary)
    table = tomllib.loads(mapping.read_text(encoding="utf-8"))
    questions = {it["id"]: it for it in table["question"]}
    assert questions["pain_sites"]["columns"] == {
        "sites___1": "neck", "sites___3": "lower_back", "sites___4": "shoulder_left",
    }  # fmt: skip
    assert questions["pain_sites"]["none_column"] == "sites___0"
    assert questions["pain_extent"]["values"] == {"1": "spot", "2": "area"}
    assert (table["row"], table["ignore"]) == (["record_id", "redcap_event_name"], ["zzz"])
    unknown = write(tmp_path, "in.csv", "record_id,age,sites___1,sites___9\n1,44,1,0\n")
    text = suggest(tmp_path, unknown, "--dictionary", dictionary).read_text(encoding="utf-8")
    assert "# no option was found for: sites___9" in text
    assert [it["id"] for it in tomllib.loads(text)["question"]] == ["age_years"]


@pytest.mark.parametrize("tool", sorted(list_sample_mappings()))
def test_a_batch_reads_each_export_by_the_mapping_that_import_uses(tmp_path, tool):
    source, mapping = EXPORTS / f"{tool}.csv", list_sample_mappings()[tool]
    out = tmp_path / "out.parquet"
    assert nociscreen("batch", source, "--map", mapping, "-o", out).exit_code == 0
    results = pl.read_parquet(out)
    dry_run = nociscreen("import", source, "--map", mapping, "--dry-run")
    assert f"{results.height} valid, 0 duplicate, 0 invalid" in dry_run.stdout
    assert results["status"].null_count() == 0
    assert results["patient_reference"].null_count() == 0


def test_a_check_says_what_is_refused_repeated_left_out_or_never_asked(tmp_path):
    mapping = write(
        tmp_path,
        "map.toml",
        'source = "x"\nrulebook = "nociplastic"\nrow = ["id", "visit"]\nignore = ["note"]\n'
        'missing = ["NA"]\n[[question]]\nid = "age_years"\ncolumn = "age"\n'
        '[[question]]\nid = "rf_general"\ncolumn = "flags"\n',
    )
    source = write(
        tmp_path,
        "in.csv",
        "id,visit,age,flags,note\n1,a,44,none,SECRET\n1,a,45,none,\n1,b,NA,SECRET,\n2,a,999,,\n",
    )
    outcome = nociscreen("map", "check", source, "--map", mapping)
    assert outcome.exit_code == 1
    lines = [" ".join(line.split()) for line in outcome.stdout.splitlines()]
    assert "age answers age_years 4 1 75% of rows" in lines
    assert "flags answers rf_general 3 1 50% of rows" in lines
    assert "4 rows, 2 refused, 0 without answers" in lines
    assert any(line.startswith("1 rows have a row_id that occurred before") for line in lines)
    assert any("that no column answers: " in line and "rf_spine" in line for line in lines)
    assert "SECRET" not in outcome.stdout


def test_a_labelled_export_of_redcap_is_matched_by_the_dictionary_of_its_project(tmp_path):
    source = EXPORTS / "redcap_labels.csv"
    mapping = suggest(tmp_path, source, "--dictionary", EXPORTS / "redcap_dictionary.csv")
    table = tomllib.loads(mapping.read_text(encoding="utf-8"))
    by_hand = tomllib.loads(list_sample_mappings()["redcap_labels"].read_text(encoding="utf-8"))
    assert (table["patient"], table["row"]) == (by_hand["patient"], by_hand["row"])
    suggested = {question.pop("id"): question for question in table["question"]}
    expected = {question.pop("id"): question for question in by_hand["question"]}
    assert {*suggested} == {*expected} - {"rf_general"}
    assert suggested["pain_sites"] == expected["pain_sites"]
    assert suggested["peg_pain"] == expected["peg_pain"]
    text = mapping.read_text(encoding="utf-8")
    assert '# no option was found for "A spot", "A large area":' in text
    assert '# no option was found for "Don\'t know":' in text
    assert '# id = "rf_general"' in text


@pytest.mark.parametrize(
    ("patient", "day", "total"),
    [("Patientennummer", "Datum", "Summe"), ("Su n\u00famero", "Marca temporal", "Suma")],
)
def test_a_german_or_spanish_sheet_with_a_title_and_a_total_is_read(tmp_path, patient, day, total):
    label = LOADED.questions["age_years"].label
    text = f"Export;;\n{patient};{day};{label}\nP-1;03.01.2026;44\n{total};;44\n"
    source = write(tmp_path, "in.csv", text)
    mapping = suggest(tmp_path, source, "--header-line", "2")
    table = tomllib.loads(mapping.read_text(encoding="utf-8"))
    assert (table["patient"], table["answered_on"]["column"]) == (patient, day)
    outcome = nociscreen("batch", source, "--map", mapping, "-o", tmp_path / "out.csv")
    assert "1 rows look like a total, not like a patient: rows 2" in outcome.stderr
    assert outcome.exit_code == 1


def test_a_workbook_with_merged_cells_above_its_header_is_suggested_and_read(tmp_path):
    from xlsxwriter import Workbook

    source, label = tmp_path / "in.xlsx", LOADED.questions["age_years"].label
    with Workbook(source) as book:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 1, "Person")
        sheet.write_row(1, 0, ["Patient ID", label, "Visit date"])
        sheet.write_row(2, 0, ["P-1", 44, "2026-01-03"])
    mapping = suggest(tmp_path, source, "--header-line", "2")
    out = tmp_path / "out.parquet"
    assert nociscreen("batch", source, "--map", mapping, "-o", out).exit_code == 0
    assert pl.read_parquet(out)["patient_reference"].to_list() == ["P-1"]
