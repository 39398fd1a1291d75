"""Readers of the text in each report format."""

import re
from html.parser import HTMLParser

from support.reports.report_examples import extract_pdf_text


class Texts(HTMLParser):
    """The text of a page without its style and what names its pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.kept, self._inside = [], []

    def handle_starttag(self, tag, _):
        if tag in ("style", "head", "svg"):
            self._inside.append(tag)

    def handle_endtag(self, tag):
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data):
        if "style" not in self._inside and "head" not in self._inside:
            self.kept.append(data)


def html_text(page: bytes) -> str:
    parser = Texts()
    parser.feed(page.decode())
    return "".join(parser.kept)


def rtf_text(raw: bytes) -> str:
    """The words of an RTF: its commands taken out, its characters read."""
    text = raw.decode("ascii")
    text = re.sub(r"\{\\(fonttbl|info)(\{[^{}]*\}|[^{}])*\}", "", text)
    units = re.sub(r"\\u(-?\d+)\?", lambda m: chr(int(m[1]) % 65536), text)
    units = re.sub(r"\\'([0-9a-f]{2})", lambda m: f"\0{m[1]}\0", units)
    units = re.sub(r"\\[a-z]+-?\d* ?|[{}]", "", units)
    units = re.sub("\0([0-9a-f]{2})\0", lambda m: chr(int(m[1], 16)), units)
    return units.encode("utf-16", "surrogatepass").decode("utf-16")


READERS = {
    "pdf": extract_pdf_text,
    "html": html_text,
    "rtf": rtf_text,
    "txt": bytes.decode,
}
