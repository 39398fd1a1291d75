"""The desk: links for patients, made, listed, revoked."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import TypeAdapter, ValidationError

from api.dependencies import Chosen, Rulebooks
from api.desk.screening_rows import NO_TIER, Names, instruments
from api.desk.session_guard import AtDesk, Desk, Form, desk_route
from api.forms.link_urls import shown_once
from api.store.forms import form_settings, links
from api.store.forms.links import Wanted
from api.web.page_route import Fields, only
from api.web.page_texts import languages
from schemas.links import Link
from schemas.patient import KnownPatient, Reference
from scoring.catalogue import Catalogue, UnknownRulebookError

HERE = "/desk/links"
AT_ONCE = 25
LinkId = Annotated[str, Path(alias="link", pattern=r"^[0-9a-f-]{36}$")]
_DAYS = re.compile(r"[1-9]|[1-8][0-9]|90")
_TEXT = TypeAdapter[Any](Reference)
_FIELDS = ("reference", "system", "name", "rulebook", "kind", "days", "language")
router = APIRouter(prefix=HERE, route_class=desk_route("screenings:write"))


@router.get("")
def list_links(
    desk: AtDesk,
    rulebooks: Rulebooks,
    after: Annotated[str | None, Query(pattern=r"^[0-9a-f-]{36}$")] = None,
) -> Response:
    """Newest first, each with its state."""
    names = Names(rulebooks, desk.language, desk.clock)
    with desk.acts.transaction() as work:
        page = links.page(work, AT_ONCE, after)
        work.audit("list", "link", count=max(len(page.links), 1))
    return desk.show(
        "links", lines=[_line(each, names) for each in page.links], following=page.next
    )


@router.get("/new")
def ask(desk: AtDesk, rulebooks: Rulebooks) -> Response:
    """For whom, for what, for how long."""
    return _asked(desk, rulebooks, {"days": "14"}, {})


@router.post("/new")
def make(desk: AtDesk, rulebooks: Rulebooks, settings: Chosen, fields: Form) -> Response:
    """The link with its code, shown this once."""
    values = {name: only(fields, name).strip()[:300] for name in _FIELDS}
    faults = _faults(values, fields)
    try:
        rulebook = rulebooks.active(values["rulebook"]).name
    except UnknownRulebookError:
        faults["rulebook"] = "fault_unknown"
    if faults:
        return _asked(desk, rulebooks, values, faults)
    patient = KnownPatient.model_validate(
        {name: values[name] or None for name in ("reference", "system", "name")}
    )
    with desk.acts.transaction() as work:
        again = form_settings.own(work).ask_again_days
        kind: Any = "once" if values["kind"] == "once" else "until_submitted"
        language = values["language"] if values["language"] in languages() else None
        wanted = Wanted(patient, rulebook, again, kind, language, int(values["days"]))
        made, secret = links.make(work, wanted)
        work.audit("create", "link", made.id)
    until = Names(rulebooks, desk.language, desk.clock).moment(made.expires_at)
    return desk.show("link_made", made=shown_once(made, secret, settings.public_url), until=until)


@router.post("/{link}/revoke")
def revoke(desk: AtDesk, link: LinkId, fields: Form) -> Response:  # noqa: ARG001 - it is checked
    """Nobody can answer under it any more."""
    with desk.acts.transaction() as work:
        links.revoke(work, link)
        work.audit("revoke", "link", link)
    return desk.go(HERE)


def _asked(
    desk: Desk, rulebooks: Catalogue, values: dict[str, str], faults: dict[str, str]
) -> Response:
    choices = instruments(rulebooks, Names(rulebooks, desk.language, desk.clock))
    with desk.acts.transaction() as work:
        numbers = form_settings.own(work).emergency_numbers
        work.audit("read", "form_settings")
    return desk.show(
        "new_link",
        422 if faults else 200,
        choices=choices,
        values=dict.fromkeys(_FIELDS, "") | values,
        faults=faults,
        numbers=numbers,
        crisis_numbers=[each for each in numbers if each.crisis],
    )


def _faults(values: dict[str, str], fields: Fields) -> dict[str, str]:
    faults = {}
    for name in ("reference", "system", "name"):
        text = only(fields, name).strip()
        if (text or name == "reference") and not _is_reference(text):
            faults[name] = "fault_text"
    if not _DAYS.fullmatch(values["days"]):
        faults["days"] = "fault_days"
    return faults


def _is_reference(text: str) -> bool:
    try:
        _TEXT.validate_python(text)
    except ValidationError:
        return False
    return True


def _line(link: Link, names: Names) -> dict[str, Any]:
    tier = link.tier or NO_TIER
    again = link.ask_again_on
    return {
        "link": link,
        "title": names.title(link.rulebook),
        "tier": tier,
        "tier_words": names.tier(link.rulebook, tier),
        "until": names.day(link.expires_at),
        "made_on": names.day(link.created_at),
        "again_on": names.day(again) if again else None,
    }
