"""Registration: one public JWK as a client sends it in, a key and its canonical members out.

A refusal says which member is wrong and what was expected. It never repeats a value: that could be
a private key sent by mistake.
"""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from api.security.base64url import decoded
from api.security.jws import KID
from api.security.keys import (
    EC_CURVES,
    RSA_ALGORITHMS,
    RSA_BITS,
    RSA_EXPONENTS,
    VerifyingKey,
    public_pem,
    thumbprint,
)

MEMBERS = 32
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "r", "t", "priv", "seed")
_LONGEST_NUMBER = 1366  # 8192 bits in base64url


def client_key(jwk: Mapping[str, Any]) -> tuple[VerifyingKey, dict[str, str]]:
    """The key in a client's JWK, and the members to keep. ValueError says what was expected.

    EC on P-256 is ES256 and on P-384 ES384; RSA is RS384, or RS256 or RS512 where `alg` says so.
    """
    if not isinstance(jwk, Mapping) or len(jwk) > MEMBERS:
        raise ValueError("expected one JWK, an object of few members")
    if any(name in jwk for name in _PRIVATE):
        raise ValueError("expected a public key: no private or secret member")
    _check_purpose(jwk)
    public: PublicKeyTypes
    match jwk.get("kty"):
        case "EC":
            algorithm, public = _on_curve(jwk)
        case "RSA":
            algorithm, public = _rsa(jwk)
        case _:
            raise ValueError("kty: expected EC or RSA")
    kid = jwk.get("kid", thumbprint(public))
    if not isinstance(kid, str) or not KID.fullmatch(kid):
        raise ValueError("kid: expected 1 to 128 plain characters")
    key = VerifyingKey(kid, algorithm, public_pem(public))
    return key, key.public_jwk()


def _check_purpose(jwk: Mapping[str, Any]) -> None:
    if jwk.get("use", "sig") != "sig":
        raise ValueError("use: expected sig")
    if jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise ValueError("key_ops: expected verify alone")


def _on_curve(jwk: Mapping[str, Any]) -> tuple[str, ec.EllipticCurvePublicKey]:
    named = {curve: (algorithm, kind()) for algorithm, (curve, kind) in EC_CURVES.items()}
    name = jwk.get("crv")
    if not isinstance(name, str) or name not in named:
        raise ValueError("crv: expected P-256 or P-384")
    algorithm, curve = named[name]
    if jwk.get("alg", algorithm) != algorithm:
        raise ValueError("alg: expected ES256 for P-256, ES384 for P-384")
    octets = (curve.key_size + 7) // 8
    x, y = (_octets(jwk, member) for member in ("x", "y"))
    if len(x) != octets or len(y) != octets:
        raise ValueError("x, y: expected as many octets as the curve has")
    try:
        point = ec.EllipticCurvePublicNumbers(
            int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve
        )
        return algorithm, point.public_key()
    except ValueError:
        raise ValueError("x, y: expected a point on the curve") from None


def _rsa(jwk: Mapping[str, Any]) -> tuple[str, rsa.RSAPublicKey]:
    algorithm = jwk.get("alg", RSA_ALGORITHMS[0])
    if algorithm not in RSA_ALGORITHMS:
        raise ValueError("alg: expected RS384, RS256 or RS512 for RSA")
    modulus, exponent = (_octets(jwk, member) for member in ("n", "e"))
    if modulus[0] == 0 or exponent[0] == 0:
        raise ValueError("n, e: expected no leading zero octets")
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if n.bit_length() not in RSA_BITS or n % 2 == 0:
        raise ValueError("n: expected an odd number of 2048 to 8192 bits")
    if e not in RSA_EXPONENTS:
        raise ValueError("e: expected an odd number from 65537, of at most 32 bits")
    return algorithm, rsa.RSAPublicNumbers(e, n).public_key()


def _octets(jwk: Mapping[str, Any], member: str) -> bytes:
    text = jwk.get(member)
    expected = f"{member}: expected base64url without padding"
    if not isinstance(text, str) or not 1 < len(text) <= _LONGEST_NUMBER:
        raise ValueError(expected)
    try:
        return decoded(text)
    except ValueError:
        raise ValueError(expected) from None
