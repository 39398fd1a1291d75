"""Validates the public JWK that a client registers.

An error names the wrong member and what was expected. It never repeats a value, which could be a
private key sent by mistake.
"""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from api.security import keys
from api.security.base64url import decode_base64url
from api.security.jws import KID_PATTERN

MAX_MEMBERS = 32
_PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "r", "t", "priv", "seed")
_MAX_NUMBER_CHARACTERS = 1366  # 8192 bits in base64url


def parse_client_jwk(jwk: Mapping[str, Any]) -> tuple[keys.VerifyingKey, dict[str, str]]:
    """Return the key of a JWK and the members to store. Raises ValueError.

    P-256 implies ES256 and P-384 ES384; RSA defaults to RS384 and allows RS256 and RS512 in `alg`.
    """
    if not isinstance(jwk, Mapping) or len(jwk) > MAX_MEMBERS:
        raise ValueError("expected one JWK, an object of few members")
    if any(name in jwk for name in _PRIVATE_MEMBERS):
        raise ValueError("expected a public key: no private or secret member")
    _check_purpose(jwk)
    public: PublicKeyTypes
    match jwk.get("kty"):
        case "EC":
            algorithm, public = _parse_ec_key(jwk)
        case "RSA":
            algorithm, public = _parse_rsa_key(jwk)
        case _:
            raise ValueError("kty: expected EC or RSA")
    kid = jwk["kid"] if "kid" in jwk else keys.compute_thumbprint(public)
    if not isinstance(kid, str) or not KID_PATTERN.fullmatch(kid):
        raise ValueError("kid: expected 1 to 128 plain characters")
    key = keys.VerifyingKey(kid, algorithm, keys.encode_public_pem(public))
    return key, key.to_jwk()


def _check_purpose(jwk: Mapping[str, Any]) -> None:
    if jwk.get("use", "sig") != "sig":
        raise ValueError("use: expected sig")
    if jwk.get("key_ops", ["verify"]) != ["verify"]:
        raise ValueError("key_ops: expected verify alone")


def _parse_ec_key(jwk: Mapping[str, Any]) -> tuple[str, ec.EllipticCurvePublicKey]:
    curves = {curve: (algorithm, kind()) for algorithm, (curve, kind) in keys.EC_CURVES.items()}
    name = jwk.get("crv")
    if not isinstance(name, str) or name not in curves:
        raise ValueError("crv: expected P-256 or P-384")
    algorithm, curve = curves[name]
    if jwk.get("alg", algorithm) != algorithm:
        raise ValueError("alg: expected ES256 for P-256, ES384 for P-384")
    size = (curve.key_size + 7) // 8
    x, y = (_decode_member(jwk, member) for member in ("x", "y"))
    if len(x) != size or len(y) != size:
        raise ValueError("x, y: expected as many octets as the curve has")
    try:
        numbers = int.from_bytes(x, "big"), int.from_bytes(y, "big")
        point = ec.EllipticCurvePublicNumbers(*numbers, curve)
        return algorithm, point.public_key()
    except ValueError:
        raise ValueError("x, y: expected a point on the curve") from None


def _parse_rsa_key(jwk: Mapping[str, Any]) -> tuple[str, rsa.RSAPublicKey]:
    algorithm = jwk.get("alg", keys.RSA_ALGORITHMS[0])
    if algorithm not in keys.RSA_ALGORITHMS:
        raise ValueError("alg: expected RS384, RS256 or RS512 for RSA")
    modulus, exponent = (_decode_member(jwk, member) for member in ("n", "e"))
    if modulus[0] == 0 or exponent[0] == 0:
        raise ValueError("n, e: expected no leading zero octets")
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if n.bit_length() not in keys.RSA_BITS or n % 2 == 0:
        raise ValueError("n: expected an odd number of 2048 to 8192 bits")
    if e not in keys.RSA_EXPONENTS:
        raise ValueError("e: expected an odd number from 65537, of at most 32 bits")
    return algorithm, rsa.RSAPublicNumbers(e, n).public_key()


def _decode_member(jwk: Mapping[str, Any], member: str) -> bytes:
    text = jwk.get(member)
    expected = f"{member}: expected base64url without padding"
    if not isinstance(text, str) or not 1 < len(text) <= _MAX_NUMBER_CHARACTERS:
        raise ValueError(expected)
    try:
        return decode_base64url(text)
    except ValueError:
        raise ValueError(expected) from None
