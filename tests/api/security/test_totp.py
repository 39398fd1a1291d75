"""One-time codes: which moments they are accepted at."""

import re

import pyotp
import pytest
import time_machine

from api.security.totp import (
    STEP_SECONDS,
    build_provisioning_uri,
    find_matching_step,
    generate_recovery_codes,
    generate_totp_secret,
    normalise_code,
)

NOW = 1_795_000_005
STEP = NOW // STEP_SECONDS


@pytest.mark.parametrize(
    ("offset_seconds", "step"),
    [(-60, None), (-30, STEP - 1), (0, STEP), (30, STEP + 1), (60, None)],
)
def test_a_code_is_accepted_one_step_early_or_late_and_no_more(offset_seconds, step):
    secret = generate_totp_secret()
    code = pyotp.TOTP(secret).at(NOW + offset_seconds)
    with time_machine.travel(NOW, tick=False):
        assert find_matching_step(secret, code) == step


@pytest.mark.parametrize("code_text", ["{0}{1}", "{0} {1}", "{0}-{1}", " {0}{1} "])
def test_spaces_and_hyphens_in_a_code_do_not_matter(code_text):
    secret = generate_totp_secret()
    code = pyotp.TOTP(secret).at(NOW)
    with time_machine.travel(NOW, tick=False):
        assert find_matching_step(secret, code_text.format(code[:3], code[3:])) == STEP


@pytest.mark.parametrize(
    ("code", "normalised"),
    [(" ABCDE-fgHJK ", "abcdefghjk"), ("1" * 40, "1" * 40), ("1" * 41, "1" * 40)],
)
def test_a_code_is_compared_in_small_letters_and_up_to_forty_characters(code, normalised):
    assert normalise_code(code) == normalised


@pytest.mark.parametrize("code", ["", "000", "x" * 6, "\u0661" * 6])
def test_a_text_that_is_no_code_is_refused(code):
    assert find_matching_step(generate_totp_secret(), code) is None


def test_ten_different_recovery_codes_are_free_of_letters_that_look_alike():
    codes = generate_recovery_codes()
    assert len(set(codes)) == 10
    characters = "[2-9abcdefghjkmnpqrstuvwxyz]{5}"
    shape = re.compile(f"{characters}-{characters}")
    assert [code for code in codes if not shape.fullmatch(code)] == []


def test_the_provisioning_uri_names_the_secret_the_person_and_the_issuer():
    secret = generate_totp_secret()
    uri = build_provisioning_uri(secret, "anna", "Clinic")
    assert uri == f"otpauth://totp/Clinic:anna?secret={secret}&issuer=Clinic"
