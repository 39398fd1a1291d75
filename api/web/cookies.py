"""Read and set the cookies of the pages, which scripts and forms of other sites cannot use.

Over https each cookie is bound to this host (`__Host-`). If an EHR may frame the pages, the cookies
are partitioned by the framing site (`Partitioned`) and sent inside its frame.
"""

from starlette.requests import Request
from starlette.responses import Response

from api.auth.services import find_services

SESSION = "nociscreen_session"
LOGIN_FORM = "nociscreen_login_form"
LOGIN_FAULTS = "nociscreen_login_faults"
DEVICE = "nociscreen_device"
LANGUAGE = "nociscreen_language"
OIDC_FLOW = "nociscreen_oidc_flow"
LAUNCH_FLOW = "nociscreen_launch_flow"
LAUNCH = "nociscreen_launch"
KIOSK_LINK = "nociscreen_kiosk"
LINK_HOLDER = "nociscreen_link_holder"
REVIEWED = "nociscreen_reviewed"


def read_cookie(request: Request, name: str) -> str:
    """Return the value of a cookie; empty if it is not set."""
    return request.cookies.get(_build_full_name(request, name), "")[:4000]


def set_cookie(
    request: Request, response: Response, name: str, value: str, seconds: int | None = None
) -> None:
    """Set a cookie for some seconds, or until the browser is closed."""
    secure = _is_secure(request)
    framed = secure and bool(find_services(request).settings.frame_ancestors)
    parts = [f"{_build_full_name(request, name)}={value}", "Path=/", "HttpOnly"]
    parts.append("SameSite=None; Partitioned" if framed else "SameSite=Lax")
    if secure:
        parts.append("Secure")
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    response.headers.append("Set-Cookie", "; ".join(parts))


def delete_cookie(request: Request, response: Response, name: str) -> None:
    """Expire a cookie."""
    set_cookie(request, response, name, "", 0)


def _build_full_name(request: Request, name: str) -> str:
    return f"__Host-{name}" if _is_secure(request) else name


def _is_secure(request: Request) -> bool:
    return find_services(request).settings.public_url.startswith("https://")
