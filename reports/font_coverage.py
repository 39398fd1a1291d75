"""Scripts: which characters the fonts of this package can show; the others are named by number."""

import unicodedata
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

FONTS = Path(__file__).parent / "fonts"
_UNSEEN = {*map(ord, "\t\n\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"), *range(0xFE00, 0xFE10)}
_LATIN = 0x100


def shown(text: str) -> str:
    """The text with [U+13000] in place of each character that no font here can show."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    odd = {code for code in map(ord, set(text)) if code >= _LATIN} - _UNSEEN
    unknown = {code: f"[U+{code:04X}]" for code in odd if not _has_glyph(code)}
    return text.translate(unknown) if unknown else text


def _has_glyph(code: int) -> bool:
    return code in _characters(_OWN) or any(code in _characters(file) for file in _OTHERS)


_OWN = FONTS / "NociscreenSans-Regular.ttf"
_OTHERS = sorted(set(FONTS.glob("*.ttf")) - {_OWN})


@cache
def _characters(file: Path) -> frozenset[int]:
    with TTFont(file, lazy=True) as font:
        return frozenset(font.getBestCmap())
