"""Keys: made for one algorithm, named by their thumbprint, never shown."""

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from support.faults.forged_tokens import b64, private_key, private_pem, public_pem

from api.security.jwk_registration import parse_client_jwk
from api.security.keys import (
    SigningKey,
    VerifyingKey,
    compute_thumbprint,
    generate_signing_key,
)


@pytest.mark.parametrize(("algorithm", "curve"), [("ES256", "P-256"), ("ES384", "P-384")])
def test_a_new_key_is_named_by_its_thumbprint(algorithm, curve):
    jwk = generate_signing_key(algorithm).to_public_jwk()
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(members, separators=(",", ":"))
    assert jwk["kid"] == b64(hashlib.sha256(text.encode()).digest())
    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (jwk["kty"], jwk["crv"], jwk["alg"], jwk["use"]) == ("EC", curve, algorithm, "sig")


@pytest.mark.parametrize("algorithm", ["ES256", "ES384"])
def test_the_public_half_comes_back_from_its_jwk(algorithm):
    key = generate_signing_key(algorithm)
    assert parse_client_jwk(key.to_public_jwk()) == (key.to_verifying_key(), key.to_public_jwk())


@pytest.mark.parametrize("algorithm", ["ES512", "RS384", "HS256", "none", "", "es256"])
def test_no_key_is_made_for_another_algorithm(algorithm):
    with pytest.raises(ValueError, match="expected ES256 or ES384"):
        generate_signing_key(algorithm)
    with pytest.raises(ValueError, match="expected ES256 or ES384"):
        SigningKey("a", algorithm, private_pem(private_key("ES256")))


@pytest.mark.parametrize(("build_key", "message"), [("ES256", "ES384"), ("ES384", "ES256")])
def test_a_signing_key_must_be_on_the_curve_of_its_algorithm(build_key, message):
    with pytest.raises(ValueError, match="fits its algorithm"):
        SigningKey("a", message, private_pem(private_key(build_key)))


@pytest.mark.parametrize(
    "private",
    [
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505 - refused
        rsa.generate_private_key(public_exponent=3, key_size=2048),
    ],
    ids=["secp256k1", "P-521", "Ed25519", "RSA of 1024 bits", "RSA with exponent 3"],
)
@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS384", "HS256", "none"])
def test_no_other_kind_of_key_verifies_anything(private, algorithm):
    with pytest.raises(ValueError, match="fits its algorithm"):
        VerifyingKey("a", algorithm, public_pem(private))


@pytest.mark.parametrize("kid", ["", "a b", "a\n", "k" * 129, "\u00e9"])
def test_a_key_has_a_plain_name(kid):
    with pytest.raises(ValueError, match="kid"):
        VerifyingKey(kid, "ES256", public_pem(private_key("ES256")))


def test_a_private_key_is_not_shown():
    key = generate_signing_key("ES256")
    assert "PRIVATE" not in repr(key)
    assert "private" not in repr(key)
    assert "d" not in key.to_public_jwk()


def test_a_key_that_is_neither_on_a_curve_nor_rsa_has_no_thumbprint():
    with pytest.raises(ValueError, match=r"^expected a key on a curve, or RSA$"):
        compute_thumbprint(ed25519.Ed25519PrivateKey.generate().public_key())
