"""Passwords: common, expected and personal ones are refused, others are not."""

import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from api.security.passwords import WeakPasswordError, check_password_strength

PERSONAL_TEXTS = ("Dr. Núria Gärtner", "GP-12", "Praxis am Lindenhof", "Höhenweg 12", "1090 Wien")
COMMON = [text for text in FREQUENCY_LISTS["passwords"] if len(text) >= 12]


def find_fault(password: str, personal_texts=PERSONAL_TEXTS) -> str | None:
    try:
        check_password_strength(password, personal_texts)
    except WeakPasswordError as error:
        return str(error)
    return None


def test_every_common_password_of_the_list_is_refused():
    assert len(COMMON) > 200
    assert {find_fault(password, ()) for password in COMMON} == {"password_weak"}


@pytest.mark.parametrize(
    "password",
    [
        "Schmerzpraxis2024!",
        "Willkommen-2026",
        "Contraseña12345",
        "Physiotherapie1",
        "SommerHerbstWinter",
        "nociscreen-nociscreen",
        "Praxis am Lindenhof",
        "PraxisAmLindenhof!",
        "höhenweg12-1090wien",
        "Nuria.Gaertner.1090",
        "Dr.NúriaGärtner",
        "drnuriagartner12",
        "GärtnerGärtnerGärtner7",
    ],
)
def test_names_addresses_and_expected_words_make_no_password(password):
    assert find_fault(password) == "password_weak"


@pytest.mark.parametrize(
    "password",
    [
        "vier Katzen tanzen Polka",
        "Lindenhof kaput zebra trombone",
        "8306-1742-9951-3382",
        "$%&/()=?;:_-*+~<",
        "correct horse battery staple",
        "пароль из семи случайных слов",
    ],
)
def test_others_are_accepted(password):
    assert find_fault(password) is None


@pytest.mark.parametrize(
    ("length", "fault"),
    [(11, "password_short"), (12, None), (200, None), (201, "password_long")],
)
def test_the_length_has_two_limits(length, fault):
    assert find_fault(("7Kq!vLx2" + "wZ9#pT4mRb" * 20)[:length]) == fault
