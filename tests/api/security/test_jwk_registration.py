"""Registered keys: what is taken, what is refused, and that a refusal repeats nothing."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from support.faults.forged_tokens import LETTERS, b64, private_key

from api.security.jwk_registration import parse_client_jwk

CANARY = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnk"


def octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def on_curve(algorithm: str) -> dict:
    private = private_key(algorithm)
    point = private.public_key().public_numbers()
    size = (private.key_size + 7) // 8
    return {
        "kty": "EC",
        "crv": {"ES256": "P-256", "ES384": "P-384"}[algorithm],
        "x": b64(point.x.to_bytes(size, "big")),
        "y": b64(point.y.to_bytes(size, "big")),
        "kid": "a",
    }


def of_rsa() -> dict:
    numbers = private_key("RS384").public_key().public_numbers()
    return {"kty": "RSA", "n": b64(octets(numbers.n)), "e": b64(octets(numbers.e)), "kid": "a"}


JWKS = {"P-256": on_curve("ES256"), "P-384": on_curve("ES384"), "RSA": of_rsa()}


@pytest.mark.parametrize(
    ("name", "alg", "expected"),
    [
        ("P-256", None, "ES256"),
        ("P-256", "ES256", "ES256"),
        ("P-384", None, "ES384"),
        ("P-384", "ES384", "ES384"),
        ("RSA", None, "RS384"),
        ("RSA", "RS256", "RS256"),
        ("RSA", "RS384", "RS384"),
        ("RSA", "RS512", "RS512"),
    ],
)
def test_the_kind_of_key_says_the_algorithm(name, alg, expected):
    jwk = JWKS[name] | ({"alg": alg} if alg else {})
    key, members = parse_client_jwk(jwk)
    assert (key.kid, key.algorithm) == ("a", expected)
    assert members == JWKS[name] | {"alg": expected, "use": "sig"}
    assert parse_client_jwk(members) == (key, members)


@pytest.mark.parametrize("name", JWKS)
def test_a_key_without_a_name_is_named_by_its_thumbprint(name):
    unnamed = {member: value for member, value in JWKS[name].items() if member != "kid"}
    key, members = parse_client_jwk(unnamed)
    assert len(key.kid) == 43
    assert members["kid"] == key.kid == parse_client_jwk(unnamed | {"alg": key.algorithm})[0].kid


@pytest.mark.parametrize(
    "more", [{"use": "sig"}, {"key_ops": ["verify"]}, {"ext": True}, {"x5c": ["AA"]}, {"note": 1}]
)
def test_what_a_key_may_say_besides_is_taken_and_not_kept(more):
    assert parse_client_jwk(JWKS["P-256"] | more) == parse_client_jwk(JWKS["P-256"])


def test_the_thumbprint_is_that_of_the_standard():
    """The example of RFC 7638, section 3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
        "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
        "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI"
        "4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key, _ = parse_client_jwk({"kty": "RSA", "n": n, "e": "AQAB"})
    assert key.kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")


@pytest.mark.parametrize("name", JWKS)
@pytest.mark.parametrize("member", PRIVATE)
@pytest.mark.parametrize("value", [CANARY, "", None])
def test_a_private_member_is_refused_and_not_repeated(name, member, value):
    with pytest.raises(ValueError, match="expected") as refusal:
        parse_client_jwk(JWKS[name] | {member: value})
    assert str(refusal.value) == "expected a public key: no private or secret member"


def changed(name: str, **members) -> dict:
    return JWKS[name] | members


def octets_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


def respelled(text: str) -> str:
    return text[:-1] + LETTERS[LETTERS.index(text[-1]) ^ 1]


X, Y = JWKS["P-256"]["x"], JWKS["P-256"]["y"]
K1 = ec.generate_private_key(ec.SECP256K1()).public_key().public_numbers()
WRONG = {
    "kty oct": {"kty": "oct"},
    "kty OKP": {"kty": "OKP", "crv": "Ed25519", "x": X},
    "kty AKP": {"kty": "AKP", "alg": "ML-DSA-44", "pub": X},
    "no kty": {"crv": "P-256", "x": X, "y": Y},
    "kty in small letters": changed("P-256", kty="ec"),
    "kty a list": changed("P-256", kty=["EC"]),
    "RSA with a point": changed("P-256", kty="RSA"),
    "EC with a modulus": changed("RSA", kty="EC"),
    "crv unknown": changed("P-256", crv="secp256k1"),
    "crv P-521": changed("P-256", crv="P-521"),
    "crv of the other size": changed("P-256", crv="P-384"),
    "crv a list": changed("P-256", crv=["P-256"]),
    "no crv": {"kty": "EC", "x": X, "y": Y},
    "x and y exchanged": changed("P-256", x=Y, y=X),
    "x and y zero": changed("P-256", x=b64(bytes(32)), y=b64(bytes(32))),
    "a point of another curve": changed(
        "P-256", x=b64(K1.x.to_bytes(32, "big")), y=b64(K1.y.to_bytes(32, "big"))
    ),
    "x beyond the field": changed("P-256", x=b64(b"\xff" * 32)),
    "x after a zero": changed("P-256", x=b64(b"\x00" + octets_of(X))),
    "x with an octet less": changed("P-256", x=b64(b"\x01" * 31)),
    "x empty": changed("P-256", x=""),
    "x padded": changed("P-256", x=X + "="),
    "x respelled": changed("P-256", x=respelled(X)),
    "x a number": changed("P-256", x=5),
    "x missing": changed("P-256", x=None),
    "x endless": changed("P-256", x="A" * 10_000_000),
    "x not ASCII": changed("P-256", x="\u0410" * 43),
    "x with a surrogate": changed("P-256", x="\ud800" * 43),
    "RSA of 1024 bits": changed("RSA", n=b64(octets(2**1023 + 1))),
    "RSA of 2047 bits": changed("RSA", n=b64(octets(2**2046 + 1))),
    "RSA of 8193 bits": changed("RSA", n=b64(octets(2**8192 + 1))),
    "RSA of 65536 bits": changed("RSA", n=b64(octets(2**65535 + 1))),
    "an even modulus": changed("RSA", n=b64(octets(2**2047 + 2))),
    "a modulus of zeros": changed("RSA", n=b64(bytes(256))),
    "a modulus after a zero": changed("RSA", n=b64(b"\x00" + octets(2**2047 + 1))),
    "exponent 0": changed("RSA", e=b64(b"\x00")),
    "exponent 1": changed("RSA", e=b64(b"\x01")),
    "exponent 2": changed("RSA", e=b64(b"\x02")),
    "exponent 3": changed("RSA", e=b64(b"\x03")),
    "an even exponent": changed("RSA", e=b64(octets(65538))),
    "a huge exponent": changed("RSA", e=b64(octets(2**33 + 1))),
    "an exponent after a zero": changed("RSA", e=b64(b"\x00\x01\x00\x01")),
    "e missing": changed("RSA", e=None),
    "alg of the other curve": changed("P-256", alg="ES384"),
    "alg of RSA for EC": changed("P-256", alg="RS384"),
    "alg of EC for RSA": changed("RSA", alg="ES384"),
    "alg HS256 for RSA": changed("RSA", alg="HS256"),
    "alg PS384": changed("RSA", alg="PS384"),
    "alg RSA-OAEP": changed("RSA", alg="RSA-OAEP"),
    "alg none": changed("P-256", alg="none"),
    "alg null": changed("P-256", alg=None),
    "alg a list": changed("RSA", alg=["RS384"]),
    "use enc": changed("P-256", use="enc"),
    "use null": changed("P-256", use=None),
    "key_ops of signing": changed("P-256", key_ops=["sign"]),
    "key_ops of both": changed("P-256", key_ops=["sign", "verify"]),
    "key_ops empty": changed("P-256", key_ops=[]),
    "key_ops a text": changed("P-256", key_ops="verify"),
    "kid null": changed("P-256", kid=None),
    "kid empty": changed("P-256", kid=""),
    "kid a number": changed("P-256", kid=5),
    "kid with a space": changed("P-256", kid="a b"),
    "kid with NUL": changed("P-256", kid="a\x00"),
    "kid too long": changed("P-256", kid="k" * 129),
    "a list": [JWKS["P-256"]],
    "a text": "EC",
    "nothing": None,
    "a set": {"keys": [JWKS["P-256"]]},
    "too many members": JWKS["P-256"] | {f"m{number}": 1 for number in range(40)},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_key_is_refused_by_what_was_expected(name):
    with pytest.raises(ValueError, match="expected") as refusal:
        parse_client_jwk(WRONG[name])
    assert len(str(refusal.value)) < 100


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a list", "expected one JWK, an object of few members"),
        ("kty oct", "kty: expected EC or RSA"),
        ("kid empty", "kid: expected 1 to 128 plain characters"),
        ("use enc", "use: expected sig"),
        ("key_ops of both", "key_ops: expected verify alone"),
        ("no crv", "crv: expected P-256 or P-384"),
        ("alg of the other curve", "alg: expected ES256 for P-256, ES384 for P-384"),
        ("x padded", "x: expected base64url without padding"),
        ("x with an octet less", "x, y: expected as many octets as the curve has"),
        ("x and y zero", "x, y: expected a point on the curve"),
        ("alg HS256 for RSA", "alg: expected RS384, RS256 or RS512 for RSA"),
        ("a modulus after a zero", "n, e: expected no leading zero octets"),
        ("an exponent after a zero", "n, e: expected no leading zero octets"),
        ("an even modulus", "n: expected an odd number of 2048 to 8192 bits"),
        ("exponent 3", "e: expected an odd number from 65537, of at most 32 bits"),
        ("e missing", "e: expected base64url without padding"),
    ],
)
def test_a_refusal_names_the_member_and_what_was_expected(name, message):
    with pytest.raises(ValueError, match="expected") as refusal:
        parse_client_jwk(WRONG[name])
    assert str(refusal.value) == message


@pytest.mark.parametrize(("members", "is_accepted"), [(32, True), (33, False)])
def test_a_key_has_at_most_32_members(members, is_accepted):
    jwk = JWKS["P-256"]
    jwk = jwk | {f"m{number}": 1 for number in range(members - len(jwk))}
    if is_accepted:
        assert parse_client_jwk(jwk) == parse_client_jwk(JWKS["P-256"])
    else:
        with pytest.raises(ValueError, match="few members"):
            parse_client_jwk(jwk)


@pytest.mark.parametrize("bits", [2048, 8192])
def test_the_shortest_and_the_longest_modulus_are_accepted(bits):
    jwk = changed("RSA", n=b64(octets(2 ** (bits - 1) + 1)))
    assert parse_client_jwk(jwk)[1]["n"] == jwk["n"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(name=st.sampled_from(list(JWKS)), member=st.data(), value=JSON_VALUES)
def test_no_value_in_a_key_raises_anything_else(name, member, value):
    jwk = JWKS[name] | {"alg": parse_client_jwk(JWKS[name])[0].algorithm, "use": "sig"}
    jwk[member.draw(st.sampled_from([*jwk, "key_ops", "d"]))] = value
    try:
        parse_client_jwk(jwk)
    except ValueError as refusal:
        assert "expected" in str(refusal)  # noqa: PT017 - most are refused, some are not
