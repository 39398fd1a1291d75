"""Scripts of the world, and every field that takes free text."""

from pydantic import TypeAdapter, ValidationError
from support.reports.report_examples import build_heading

from reports.view.heading import AddressLine

SCRIPTS = {
    "greek": "Ελένη Παπαδοπούλου",
    "cyrillic": "Анна Петрівна Щербак",
    "arabic": "فاطمة الزهراء محمد",
    "hebrew": "שרה בת־אל לוי",
    "chinese": "王小明 臺灣",
    "japanese": "山田 花子 ヤマダ",
    "korean": "김민수",
    "devanagari": "प्रिया शर्मा",
    "bengali": "রবীন্দ্রনাথ",
    "tamil": "தமிழ்ச்செல்வி",
    "thai": "สมชาย ใจดี",
    "vietnamese": "Nguyễn Thị Hồng Ánh",
    "combining": "e\u0301 a\u0308 o\u0302\u0323 Z\u0351\u036b\u0343",
    "emoji": "Ada \U0001f600 \U0001f3c3\u200d\u2640\ufe0f",
    "mixed": "Ada فاطمة 王 \U0001f600 Ω",
    "surrogate pair": "\U00020000\U0001d538",
    "no font has it": "\U00013000\u1680",
}


def fill_all_text_fields(text: str) -> dict:
    """The text in each field that takes free text."""
    short = text[:200]
    other = {"id": short[:100] or "x", "on": "2026-10-01"}
    return {
        "patient_name": short,
        "patient_reference": short,
        "patient_system": short,
        "encounter": short,
        "clinician_reference": short,
        "screening_id": short,
        "note": text,
        "entered_in_error": short,
        "replaces": {**other, "on": build_heading().produced_on},
        "letterhead": {"name": short, "address": _line(short[:120])},
    }


def _line(text: str) -> list[str]:
    """The text as a line of an address, where it may be one; refusals are tested at the route."""
    try:
        return [TypeAdapter(AddressLine).validate_python(text)]
    except ValidationError:
        return []
