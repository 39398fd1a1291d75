"""Cookies of the desk: no script reads them, and no other site sends them along by a form.

Over https each is bound to this host alone (`__Host-`). Where an EHR frames the pages, the browser
keeps them apart for that EHR (`Partitioned`), and sends them inside its frame.
"""

from starlette.requests import Request
from starlette.responses import Response

from api.settings import Settings

SESSION = "nociscreen_session"
VISIT = "nociscreen_visit"
DEVICE = "nociscreen_device"
LANGUAGE = "nociscreen_language"
FLOW = "nociscreen_flow"


def given(request: Request, name: str) -> str:
    """What the browser holds under this name; empty where it holds nothing."""
    return request.cookies.get(_name(request.app.state.settings, name), "")[:4000]


def give(
    request: Request, response: Response, name: str, value: str, seconds: int | None = None
) -> None:
    """Have the browser hold this; until it is closed, where no seconds are told."""
    settings: Settings = request.app.state.settings
    secure = _is_secure(settings)
    framed = secure and bool(settings.frame_ancestors)
    parts = [f"{_name(settings, name)}={value}", "Path=/", "HttpOnly"]
    parts.append("SameSite=None; Partitioned" if framed else "SameSite=Lax")
    if secure:
        parts.append("Secure")
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    response.headers.append("Set-Cookie", "; ".join(parts))


def take_back(request: Request, response: Response, name: str) -> None:
    """Have the browser forget it."""
    give(request, response, name, "", 0)


def _name(settings: Settings, name: str) -> str:
    return f"__Host-{name}" if _is_secure(settings) else name


def _is_secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")
