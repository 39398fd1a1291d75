"""Hostile and odd input in every text field: shown as text, never obeyed, never a broken page."""

import io

import pikepdf
import pytest
from support.faults.hostile_text import SCRIPTS, fill_all_text_fields
from support.reports.document_readers import READERS
from support.reports.report_examples import (
    build_example_view,
    build_heading,
    extract_pdf_text,
    remove_line_breaks,
    render_once,
)

from reports import formats
from reports.font_coverage import replace_missing_glyphs

HOSTILE = {
    "script": "<script>alert(1)</script><img src=http://127.0.0.1:9/x onerror=alert(1)>",
    "attachment": "</p><link rel=attachment href=file:///etc/passwd>",
    "style": "<style>*{display:none}</style> @import url(http://127.0.0.1:9/x); } * { color: red",
    "css string": '"; } @page { @top-left { content: "x" } } \\22 \\a \\',
    "template": "{{ 7 * 7 }} {% include 'x' %} {# gone #}",
    "format": "{name} {0} %s %(x)s",
    "svg": "<svg><title>x</title><script>1</script></svg>",
    "entity": "&lt;b&gt; &#0; &xxe; ]]> <![CDATA[x]]>",
    "rtf": "\\par} {\\object\\objdata 0} \\'41 {\\field{\\*\\fldinst INCLUDEPICTURE x}}",
    "long word": "x" * 3000,
    "long arabic word": "م" * 2000,
    "many marks": "a" + "\u0301" * 500,
    "many lines": "a\n" * 400,
    "controls": "\x01\x02\x1b[31m\x7f bell\u0085\u2028\u2029",
    "direction": "\u202eabc\u202c \u2066x\u2069 \u200f",
    "tags": "\U000e0041\ufeff\u00ad\u200b",
}
PLAIN = [name for name, text in HOSTILE.items() if text.isascii() and text.isprintable()]


@pytest.mark.parametrize("name", [*SCRIPTS, *HOSTILE])
def test_every_format_is_made_and_whole(name):
    fields = fill_all_text_fields({**SCRIPTS, **HOSTILE}[name])
    view, heading = build_example_view("phq4", **fields), build_heading(**fields)
    for form in ("pdf", "html", "rtf", "txt", "note", "xml"):
        report = formats.render_format(view, heading, "clinician", form, render_once)
        assert report.content
        if form == "note":
            assert len(report.content.decode().splitlines()) <= 12
    with pikepdf.open(
        io.BytesIO(formats.render_format(view, heading, "clinician", "pdf", render_once)[0])
    ) as pdf:
        assert list(pdf.attachments) == ["assessment.json"]
        assert len(pdf.pages) <= 30
        for pdf_object in pdf.objects:
            if isinstance(pdf_object, pikepdf.Dictionary):
                assert not {"/JS", "/JavaScript", "/Launch", "/SubmitForm", "/GoToR"} & set(
                    pdf_object
                )


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("name", PLAIN)
def test_it_is_shown_as_text(name, form):
    fields = fill_all_text_fields(HOSTILE[name])
    report = formats.render_format(
        build_example_view("phq4", **fields),
        build_heading(**fields),
        "clinician",
        form,
        render_once,
    )
    assert remove_line_breaks(HOSTILE[name]) in remove_line_breaks(READERS[form](report.content))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_name_in_any_script_reads_the_same_in_text_formats(name):
    fields = {"patient_name": SCRIPTS[name]}
    for form in ("html", "rtf", "txt"):
        report = formats.render_format(
            build_example_view("phq4", **fields), build_heading(), "clinician", form, render_once
        )
        assert remove_line_breaks(SCRIPTS[name]) in remove_line_breaks(
            READERS[form](report.content)
        )


@pytest.mark.parametrize(
    "name", ["greek", "cyrillic", "chinese", "japanese", "korean", "vietnamese"]
)
def test_a_name_in_scripts_without_joining_reads_the_same_in_the_pdf(name):
    document = formats.build_document(
        build_example_view("phq4", patient_name=SCRIPTS[name]), "clinician"
    )
    assert remove_line_breaks(SCRIPTS[name]) in remove_line_breaks(
        extract_pdf_text(render_once(document))
    )


def test_what_no_font_here_shows_is_named_by_its_number():
    assert replace_missing_glyphs("a\U00013000") == "a[U+13000]"
    assert replace_missing_glyphs("Ada فاطمة 王 \U0001f600") == "Ada فاطمة 王 \U0001f600"


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_font_used_is_in_the_file(name):
    document = formats.build_document(
        build_example_view("phq4", patient_name=SCRIPTS[name]), "clinician"
    )
    with pikepdf.open(io.BytesIO(render_once(document))) as pdf:
        descriptors = [
            pdf_object
            for pdf_object in pdf.objects
            if isinstance(pdf_object, pikepdf.Dictionary)
            and pdf_object.get("/Type") == "/FontDescriptor"
        ]
        assert descriptors
        assert all("/FontFile2" in descriptor for descriptor in descriptors)
