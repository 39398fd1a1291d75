"""Load the texts of notifications from `locales`, as data, and fill in what they may say."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from schemas.base import FrozenModel, Text
from schemas.notification import NotificationContent, NotificationKind

LOCALES = Path(__file__).parent / "locales"
DEFAULT_LANGUAGE = "en"


class MessageText(FrozenModel):
    """The text of one kind of notification: an e-mail and, for patients, an SMS."""

    subject: Text
    body: Text
    sms: Text | None = None


_TEXTS = TypeAdapter[dict[NotificationKind, MessageText]](dict[NotificationKind, MessageText])


@cache
def list_text_languages() -> tuple[str, ...]:
    """Return the languages that notifications are written in."""
    return tuple(sorted(file.stem for file in LOCALES.glob("*.toml")))


@cache
def load_texts(language: str) -> dict[NotificationKind, MessageText]:
    """Return the texts of a language by kind."""
    content = (LOCALES / f"{language}.toml").read_text(encoding="utf-8")
    return _TEXTS.validate_python(tomllib.loads(content))


def compose_text(
    kind: NotificationKind, content: NotificationContent, organisation: str, desk_url: str
) -> MessageText:
    """Return the text to send, in English if the language is not available."""
    is_known = content.language in list_text_languages()
    text = load_texts(content.language if is_known else DEFAULT_LANGUAGE)[kind]
    values = {
        "organisation": organisation,
        "url": content.url or desk_url,
        "patient": f" ({content.initial}.)" if content.initial else "",
    }
    return MessageText(
        subject=text.subject.format(**values),
        body=text.body.lstrip().format(**values),
        sms=text.sms and text.sms.format(**values),
    )
