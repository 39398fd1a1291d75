"""Read and set the cookies of the desk, which scripts cannot read and foreign forms do not send.

Over https each cookie is bound to this host (`__Host-`). If an EHR may frame the pages, the cookies
are partitioned by the framing site (`Partitioned`) and sent inside its frame.
"""

from starlette.requests import Request
from starlette.responses import Response

from api.settings import Settings

SESSION = "nociscreen_session"
LOGIN_FORM = "nociscreen_visit"
DEVICE = "nociscreen_device"
LANGUAGE = "nociscreen_language"
OIDC_FLOW = "nociscreen_flow"


def read_cookie(request: Request, name: str) -> str:
    """Return the value of a cookie; empty if it is not set."""
    return request.cookies.get(_full_name(request.app.state.settings, name), "")[:4000]


def set_cookie(
    request: Request, response: Response, name: str, value: str, seconds: int | None = None
) -> None:
    """Set a cookie for some seconds, or until the browser is closed."""
    settings: Settings = request.app.state.settings
    secure = _is_secure(settings)
    framed = secure and bool(settings.frame_ancestors)
    parts = [f"{_full_name(settings, name)}={value}", "Path=/", "HttpOnly"]
    parts.append("SameSite=None; Partitioned" if framed else "SameSite=Lax")
    if secure:
        parts.append("Secure")
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    response.headers.append("Set-Cookie", "; ".join(parts))


def delete_cookie(request: Request, response: Response, name: str) -> None:
    """Expire a cookie."""
    set_cookie(request, response, name, "", 0)


def _full_name(settings: Settings, name: str) -> str:
    return f"__Host-{name}" if _is_secure(settings) else name


def _is_secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")
