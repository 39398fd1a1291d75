"""What every page of the desk has, read from its templates."""

import re
from pathlib import Path

import api.web

WEB = Path(api.web.__file__).parent
TEXTS = {file.name: file.read_text("utf-8") for file in (WEB / "templates" / "desk").glob("*.j2")}
SIGNED_OUT = {"sign_in.html.j2", "invitation.html.j2", "codes.html.j2"}


def list_ancestors(name: str) -> list[str]:
    """Return the template and those that it extends, the outermost last."""
    parent = re.match(r'{% extends "(?:desk/)?([\w.]+)" %}', TEXTS.get(name, ""))
    return [name, *list_ancestors(parent[1])] if parent else [name]


def test_every_password_field_is_masked_and_open_to_password_managers():
    fields = [
        tag
        for text in TEXTS.values()
        for tag in re.findall(r"<input[^>]*>|\{\{ text_field\(.*?\) \}\}", text)
        if re.search(r'(?:name="|text_field\(say, ")\w*password', tag)
    ]
    assert len(fields) == 7
    masked = [field for field in fields if 'type="password"' in field]
    assert masked == fields
    managed = [
        field for field in fields if re.search(r'autocomplete="(?:current|new)-password"', field)
    ]
    assert managed == fields
    own_scripts = set((WEB / "static").glob("*.js")) - set((WEB / "static").glob("swagger-ui*"))
    scripts = [file.read_text("utf-8") for file in own_scripts]
    assert scripts
    assert [script for script in scripts if "paste" in script] == []


def test_every_page_of_a_session_can_end_it():
    assert 'action="/sign-out"' in TEXTS["desk.html.j2"]
    pages = {name for name in TEXTS if list_ancestors(name)[-1] == "base.html.j2"}
    in_session = {name for name in pages if "desk.html.j2" in list_ancestors(name)}
    assert len(in_session) > 20
    assert pages - in_session == {"front.html.j2"} | SIGNED_OUT
