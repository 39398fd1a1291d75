"""Signing and verifying keys, each bound to one algorithm, and their JWK representation.

The constructors check that the key type and curve match the algorithm.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from api.security.base64url import encode_base64url
from api.security.jws import KID_PATTERN

SigningAlgorithm = Literal["ES256", "ES384"]
EC_CURVES: Mapping[str, tuple[str, type[ec.EllipticCurve]]] = {
    "ES256": ("P-256", ec.SECP256R1),
    "ES384": ("P-384", ec.SECP384R1),
}
RSA_ALGORITHMS = ("RS384", "RS256", "RS512")
RSA_BITS = range(2048, 8192 + 1)
RSA_EXPONENTS = range(65537, 2**32, 2)
_THUMBPRINT_MEMBERS = ("crv", "e", "kty", "n", "x", "y")


@dataclass(frozen=True)
class VerifyingKey:
    """A public key, as SubjectPublicKeyInfo in PEM, for one algorithm."""

    kid: str
    algorithm: str
    public_pem: bytes

    def __post_init__(self) -> None:
        if not KID_PATTERN.fullmatch(self.kid):
            raise ValueError("kid: expected 1 to 128 plain characters")
        _check_algorithm(serialization.load_pem_public_key(self.public_pem), self.algorithm)

    def to_jwk(self) -> dict[str, str]:
        """Return the key as a JWK (RFC 7517) with `kid`, `alg` and `use`."""
        public = serialization.load_pem_public_key(self.public_pem)
        return _public_members(public) | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}


@dataclass(frozen=True)
class SigningKey:
    """One of our private keys, as PEM. It is excluded from `repr`."""

    kid: str
    algorithm: SigningAlgorithm
    private_pem: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.algorithm not in EC_CURVES:
            raise ValueError("algorithm: expected ES256 or ES384")
        self.to_verifying_key()

    def to_public_jwk(self) -> dict[str, str]:
        """Return the public key as a JWK."""
        return self.to_verifying_key().to_jwk()

    def to_verifying_key(self) -> VerifyingKey:
        """Return the public key with the same `kid`."""
        private = serialization.load_pem_private_key(self.private_pem, password=None)
        return VerifyingKey(self.kid, self.algorithm, encode_public_pem(private.public_key()))


def generate_signing_key(algorithm: SigningAlgorithm) -> SigningKey:
    """Generate a key whose `kid` is its thumbprint. Raises ValueError for other algorithms."""
    if algorithm not in EC_CURVES:
        raise ValueError("algorithm: expected ES256 or ES384")
    private = ec.generate_private_key(EC_CURVES[algorithm][1]())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(compute_thumbprint(private.public_key()), algorithm, pem)


def compute_thumbprint(public: PublicKeyTypes) -> str:
    """Return the JWK thumbprint (RFC 7638): SHA-256 in base64url, 43 characters."""
    numbers = _public_members(public)
    members = {name: numbers[name] for name in _THUMBPRINT_MEMBERS if name in numbers}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return encode_base64url(hashlib.sha256(text.encode("ascii")).digest())


def encode_public_pem(public: PublicKeyTypes) -> bytes:
    """Encode a public key as SubjectPublicKeyInfo in PEM."""
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _check_algorithm(public: PublicKeyTypes, algorithm: str) -> None:
    if isinstance(public, ec.EllipticCurvePublicKey) and algorithm in EC_CURVES:
        fits = isinstance(public.curve, EC_CURVES[algorithm][1])
    elif isinstance(public, rsa.RSAPublicKey) and algorithm in RSA_ALGORITHMS:
        fits = public.key_size in RSA_BITS and public.public_numbers().e in RSA_EXPONENTS
    else:
        fits = False
    if not fits:
        raise ValueError("expected a key on P-256 or P-384, or RSA, that fits its algorithm")


def _public_members(public: PublicKeyTypes) -> dict[str, str]:
    if isinstance(public, rsa.RSAPublicKey):
        modulus, exponent = public.public_numbers().n, public.public_numbers().e
        return {"kty": "RSA", "n": _encode_integer(modulus), "e": _encode_integer(exponent)}
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise ValueError("expected a key on a curve, or RSA")
    size = (public.key_size + 7) // 8
    point = public.public_numbers()
    curve = next(name for name, kind in EC_CURVES.values() if isinstance(public.curve, kind))
    x, y = (encode_base64url(coordinate.to_bytes(size, "big")) for coordinate in (point.x, point.y))
    return {"kty": "EC", "crv": curve, "x": x, "y": y}


def _encode_integer(number: int) -> str:
    return encode_base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
