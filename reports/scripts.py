"""Scripts: which characters the fonts of this package can show; the others are named by number."""

import re
import unicodedata
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont

FONTS = Path(__file__).parent / "fonts"
_PLAIN = re.compile(r"[\x00-\x7f\xa0-\xff]*")
_UNSEEN = re.compile("[\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}\ufe00-\ufe0f]")


def shown(text: str) -> str:
    """The text with [U+13000] in place of each character that no font here can show."""
    if _PLAIN.fullmatch(text):
        return text
    text = unicodedata.normalize("NFC", text)
    return "".join(each if _has_glyph(each) else f"[U+{ord(each):04X}]" for each in text)


def _has_glyph(character: str) -> bool:
    if ord(character) in _letters() or character in "\t\n" or _UNSEEN.fullmatch(character):
        return True
    return any(ord(character) in _characters(file) for file in sorted(FONTS.glob("*.ttf")))


def _letters() -> frozenset[int]:
    return _characters(FONTS / "NociscreenSans-Regular.ttf")


@cache
def _characters(file: Path) -> frozenset[int]:
    with TTFont(file, lazy=True) as font:
        return frozenset(font.getBestCmap())
