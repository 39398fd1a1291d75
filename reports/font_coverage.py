"""Find characters that the bundled fonts can't show and replace them by their code points."""

import unicodedata
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

FONT_FOLDER = Path(__file__).parent / "fonts"
_INVISIBLE = {
    *map(ord, "\t\n\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"),
    *range(0xFE00, 0xFE10),
}
_FIRST_NON_LATIN = 0x100


def replace_missing_glyphs(text: str) -> str:
    """Return the text with each character that no bundled font can show as e.g. [U+13000]."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    candidates = {code for code in map(ord, set(text)) if code >= _FIRST_NON_LATIN} - _INVISIBLE
    missing = {code: f"[U+{code:04X}]" for code in candidates if not _has_glyph(code)}
    return text.translate(missing) if missing else text


def _has_glyph(code: int) -> bool:
    return code in _load_characters(_MAIN_FONT) or any(
        code in _load_characters(file) for file in _FALLBACK_FONTS
    )


_MAIN_FONT = FONT_FOLDER / "NociscreenSans-Regular.ttf"
_FALLBACK_FONTS = sorted(set(FONT_FOLDER.glob("*.ttf")) - {_MAIN_FONT})


@cache
def _load_characters(file: Path) -> frozenset[int]:
    with TTFont(file, lazy=True) as font:
        return frozenset(font.getBestCmap())
