"""Tokens: what is refused, and that every refusal looks the same."""

import base64
import hashlib
import hmac
import json

import pytest
import time_machine
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils

from api.problems import Problem
from api.security import Keys, read_keys

NOW = 1_795_000_000


@pytest.fixture(autouse=True)
def _clock_at_now():
    with time_machine.travel(NOW, tick=False):
        yield


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def as_json(value) -> str:
    return b64(value if isinstance(value, bytes) else json.dumps(value).encode())


@pytest.fixture(scope="module")
def pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture(scope="module")
def keys(pem: bytes) -> Keys:
    return Keys(pem, "nociscreen", "nociscreen-api")


@pytest.fixture(scope="module")
def forge(pem: bytes, keys: Keys):
    """A token truly signed with the trusted key, its header and claims as wished."""
    private = serialization.load_pem_private_key(pem, None)

    def sign(header=None, claims=None, *, without=(), raw_header=None):
        head = {"alg": "ES256", "typ": "at+jwt", "kid": keys.kid} | (header or {})
        body = {
            "iss": "nociscreen",
            "aud": "nociscreen-api",
            "sub": "hospital",
            "scope": "score",
            "iat": NOW,
            "nbf": NOW,
            "exp": NOW + 300,
            "jti": "abc",
        } | (claims or {})
        for name in without:
            head.pop(name, None)
            body.pop(name, None)
        signed = f"{raw_header or as_json(head)}.{as_json(body)}"
        r, s = utils.decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    return sign


def refused(keys: Keys, token: str) -> bool:
    try:
        keys.verify(token)
    except Problem as problem:
        return problem.code == "bad_token"
    return False


def test_a_token_of_ours_tells_client_and_scopes(keys, forge):
    assert keys.verify(forge()).client == "hospital"
    principal = keys.verify(keys.sign("clinic", ["score"]))
    assert (principal.client, principal.scopes) == ("clinic", {"score"})


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": NOW - 31},
        {"exp": NOW + 901},
        {"exp": str(NOW + 300)},
        {"exp": NOW + 300.5},
        {"exp": True},
        {"exp": None},
        {"exp": 10**400},
        {"iat": NOW + 60, "nbf": NOW + 60, "exp": NOW + 300},
        {"iat": None},
        {"iat": []},
        {"nbf": NOW + 60},
        {"nbf": NOW - 9999},
        {"aud": "other"},
        {"aud": ["nociscreen-api"]},
        {"iss": "other"},
        {"sub": ""},
        {"sub": 5},
        {"sub": "a b"},
        {"jti": 7},
        {"jti": ""},
        {"scope": ["score"]},
    ],
    ids=range(21),
)
def test_signed_but_wrong_claims_are_refused(keys, forge, claims):
    assert refused(keys, forge(claims=claims))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "jti", "iat", "nbf", "exp", "scope"])
def test_a_missing_claim_is_refused(keys, forge, name):
    assert refused(keys, forge(without=[name]))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": "es256"},
        {"alg": ["ES256"]},
        {"alg": 256},
        {"alg": None},
        {"typ": "JWT"},
        {"typ": "at+JWT"},
        {"kid": "other"},
        {"kid": "../../../dev/null"},
        {"kid": ["a"]},
        {"kid": None},
        {"crit": ["exp"]},
        {"jku": "http://127.0.0.1:9/keys"},
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"x5u": "http://127.0.0.1:9/cert"},
        {"b64": False},
        {"zip": "DEF"},
    ],
    ids=str,
)
def test_a_header_that_is_not_exactly_ours_is_refused(keys, forge, header):
    assert refused(keys, forge(header=header))


@pytest.mark.parametrize("name", ["alg", "typ", "kid"])
def test_a_missing_header_member_is_refused(keys, forge, name):
    assert refused(keys, forge(without=[name]))


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 500 + b"]" * 500,
        b'{"a":' * 80 + b"1" + b"}" * 80,
        b"not json",
        b"[]",
        b"null",
        b'"ES256"',
        b"\xff\xfe",
    ],
)
def test_a_broken_header_is_refused_without_a_crash(keys, forge, raw):
    assert refused(keys, forge(raw_header=b64(raw)))


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b.c", "a" * 5000, "é.é.é", "a.b", "a.b.c.d.e", "\ud800.a.b", "a b.c.d"],
)
def test_what_has_not_the_shape_of_a_token_is_refused(keys, token):
    assert refused(keys, token)


def test_a_changed_character_anywhere_is_refused(keys, forge):
    token = forge()
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        assert refused(keys, token[:place] + other + token[place + 1 :])


def test_another_spelling_of_the_same_bytes_is_refused(keys, forge):
    token = forge()
    for other in ("=", "==", "\n", " ", "%3D"):
        assert refused(keys, token + other)
    head, body, signature = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(signature[-1])
    respelled = signature[:-1] + alphabet[last ^ 1]
    assert refused(keys, f"{head}.{body}.{respelled}")


def test_the_public_key_is_no_secret_to_sign_with(pem, keys, forge):
    public = serialization.load_pem_private_key(pem, None).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        secret = public.public_bytes(encoding, form)
        for algorithm in ("HS256", "ES256"):
            header = {"alg": algorithm, "typ": "at+jwt", "kid": keys.kid}
            signed = f"{as_json(header)}.{forge().split('.')[1]}"
            mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
            assert refused(keys, f"{signed}.{b64(mac)}")
            assert refused(keys, f"{signed}.{b64(mac + mac)}")


def test_another_key_is_refused(keys, tmp_path):
    other = read_keys(tmp_path / "other.pem", "nociscreen", "nociscreen-api")
    assert refused(keys, other.sign("hospital", ["score"]))


def test_a_token_accepted_once_is_refused_once_it_has_expired(keys, forge, time_machine):
    token = forge()
    assert keys.verify(token).client == "hospital"
    time_machine.move_to(NOW + 301)
    assert refused(keys, token)


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path):
    file = tmp_path / "made" / "key.pem"
    first = read_keys(file, "a", "b")
    assert file.stat().st_mode & 0o777 == 0o600
    assert read_keys(file, "a", "b").kid == first.kid


def test_a_key_of_another_kind_is_refused():
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(ValueError, match="P-256"):
        Keys(pem, "a", "b")


@pytest.mark.parametrize(("scopes", "seconds"), [(["other"], 60), (["score"], 901), (["score"], 0)])
def test_no_token_is_signed_for_an_unknown_scope_or_too_long(keys, scopes, seconds):
    with pytest.raises(ValueError, match=r"scope|minutes"):
        keys.sign("hospital", scopes, seconds)
