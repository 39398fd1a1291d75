"""Forged tokens, made without the library under test: one true token, and every single change."""

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

NOW = 1_795_000_000
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
MACS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
SPKI = serialization.PublicFormat.SubjectPublicKeyInfo


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def as_part(value: Any) -> str:
    """Bytes as they are, text as it is in UTF-8, all else as JSON."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    return b64(value if isinstance(value, bytes) else json.dumps(value).encode())


def private_key(algorithm: str):
    if algorithm.startswith("RS"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key({"ES256": ec.SECP256R1, "ES384": ec.SECP384R1}[algorithm]())


def private_pem(private) -> bytes:
    return private.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(private) -> bytes:
    return private.public_key().public_bytes(PEM, SPKI)


def signature(private, algorithm: str, text: str) -> bytes:
    digest = HASHES[algorithm[-3:]]
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(text.encode(), padding.PKCS1v15(), digest)
    octets = (private.key_size + 7) // 8
    r, s = utils.decode_dss_signature(private.sign(text.encode(), ec.ECDSA(digest)))
    return r.to_bytes(octets, "big") + s.to_bytes(octets, "big")


@dataclass(frozen=True)
class Forger:
    """One trusted private key with the header and claims of a token that is accepted."""

    private: Any
    algorithm: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    def parts(self, header=None, claims=None, without=()) -> tuple[dict, dict]:
        head, body = dict(self.header) | (header or {}), dict(self.claims) | (claims or {})
        for name in without:
            head.pop(name, None)
            body.pop(name, None)
        return head, body

    def token(self, header=None, claims=None, without=()) -> str:
        """Truly signed, with these members changed."""
        return self.sign_parts(*map(as_part, self.parts(header, claims, without)))

    def raw(self, header=None, claims=None) -> str:
        """Truly signed, with a whole part replaced."""
        head, body = self.parts()
        return self.sign_parts(
            as_part(head if header is None else header), as_part(body if claims is None else claims)
        )

    def sign_parts(self, header: str, claims: str) -> str:
        text = f"{header}.{claims}"
        return f"{text}.{b64(signature(self.private, self.algorithm, text))}"

    def signed_as(self, algorithm: str, private, header=None) -> str:
        """Signed by another key or by another algorithm, and saying so in its header."""
        head, body = self.parts({"alg": algorithm} | (header or {}))
        text = f"{as_part(head)}.{as_part(body)}"
        return f"{text}.{b64(signature(private, algorithm, text))}"

    def macked(self, algorithm: str, secret: bytes, header=None) -> str:
        head, body = self.parts({"alg": algorithm} | (header or {}))
        text = f"{as_part(head)}.{as_part(body)}"
        return f"{text}.{b64(hmac.new(secret, text.encode(), MACS[algorithm]).digest())}"


Attack = Callable[[Forger], str]
ATTACKS: dict[str, Attack] = {}


def _add(name: str, attack: Attack) -> None:
    assert name not in ATTACKS, name
    ATTACKS[name] = attack


# The algorithm

ALGORITHMS = [
    *("none", "None", "NONE", "nOnE", "none ", "", " ", "\x00none", "HS256", "HS384", "HS512"),
    *("hs256", "PS256", "PS384", "PS512", "ES512", "ES256K", "EdDSA", "es256", "es384", "rs384"),
    *("ES256 ", " ES384", "RS384\n", "ES-256", "SHA256withECDSA", "dir", "A128KW", "RSA-OAEP"),
    *("PBES2-HS256+A128KW", "ECDH-ES", "\uff25\uff33256", None, 256, True, 0, [], {}),
]
for number, algorithm in enumerate(ALGORITHMS):
    _add(f"alg {number}", lambda f, a=algorithm: f.token({"alg": a}))
for algorithm in ("none", "None", "NONE", "nOnE", ""):
    _add(
        f"unsigned as {algorithm!r}",
        lambda f, a=algorithm: f.token({"alg": a}).rpartition(".")[0] + ".",
    )
_add("alg in a list", lambda f: f.token({"alg": [f.algorithm]}))
_add("alg in an object", lambda f: f.token({"alg": {f.algorithm: 1}}))
for algorithm in ("ES256", "ES384", "RS256", "RS384", "RS512"):
    _add(
        f"says {algorithm} and is another",
        lambda f, a=algorithm: f.token({"alg": a if a != f.algorithm else "ES512"}),
    )
    _add(
        f"signed by a stranger with {algorithm}",
        lambda f, a=algorithm: f.signed_as(a, stranger(a)),
    )

_STRANGERS: dict[str, Any] = {}


def stranger(algorithm: str):
    kind = "RS384" if algorithm.startswith("RS") else algorithm
    if kind not in _STRANGERS:
        _STRANGERS[kind] = private_key(kind)
    return _STRANGERS[kind]


def _other_digest(forger: Forger) -> str:
    """By the trusted key itself, with the digest of another algorithm, and saying so."""
    other = {"ES256": "ES384", "ES384": "ES256", "RS384": "RS256", "RS256": "RS512"}
    return forger.signed_as(other[forger.algorithm], forger.private)


_add("the trusted key under another algorithm", _other_digest)

# Parts taken away, moved and added


def _change_parts(change: Callable[[str, str, str], str]) -> Attack:
    return lambda forger: change(*forger.token().split("."))


for number, change in enumerate(
    [
        lambda h, c, _s: f"{h}.{c}",
        lambda h, c, _s: f"{h}.{c}.",
        lambda h, _c, s: f"{h}..{s}",
        lambda _h, c, s: f".{c}.{s}",
        lambda h, _c, _s: h,
        lambda _h, _c, _s: "..",
        lambda h, c, s: f"{c}.{h}.{s}",
        lambda h, c, s: f"{h}.{s}.{c}",
        lambda h, c, s: f"{s}.{h}.{c}",
        lambda h, c, s: f".{h}.{c}.{s}",
        lambda h, c, s: f"{h}.{c}.{s}.",
        lambda h, c, s: f"{h}.{c}.{s}.{s}",
        lambda h, c, s: f"{h}.{c}.{c}.{s}.{s}",
        lambda h, c, s: f"{h}.{c}.{s}{s}",
        lambda h, c, s: f"{h}.{c}.{s[:-4]}",
        lambda h, c, s: f"{h}.{c}.{'A' * len(s)}",
        lambda h, c, s: f"{h}{c}.{s}",
        lambda h, c, s: f"{h},{c},{s}",
        lambda h, c, s: json.dumps({"protected": h, "payload": c, "signature": s}),
        lambda h, c, s: json.dumps(
            {"payload": c, "signatures": [{"protected": h, "signature": s}]}
        ),
        lambda h, c, s: f"Bearer {h}.{c}.{s}",
        lambda h, c, s: b64(f"{h}.{c}.{s}".encode()),
    ]
):
    _add(f"moved parts {number}", _change_parts(change))
_add("a token in a token", lambda f: f.raw({**f.header, "cty": "JWT"}, f.token()))
_add("a token as claims", lambda f: f.raw(None, f.token()))
_add(
    "claims of another token",
    lambda f: ".".join(
        (
            f.token().split(".")[0],
            f.token(claims={"jti": "other"}).split(".")[1],
            f.token().split(".")[2],
        )
    ),
)

# Encrypted shapes and bombs


def _jwe(header: dict, content: bytes = b"x" * 64) -> Attack:
    return lambda f: ".".join(
        (
            as_part(header | {"kid": f.header["kid"]}),
            b64(b"k" * 40),
            b64(b"i" * 12),
            b64(content),
            b64(b"t" * 16),
        )
    )


BOMB = zlib.compress(b"0" * 10_000_000)[2:-4]
for number, header in enumerate(
    [
        {"alg": "dir", "enc": "A256GCM"},
        {"alg": "dir", "enc": "A128CBC-HS256"},
        {"alg": "RSA-OAEP", "enc": "A256GCM"},
        {"alg": "ECDH-ES", "enc": "A256GCM", "epk": {"kty": "EC"}},
        {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "AAAA", "p2c": 10**9},
        {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2s": "AAAA", "p2c": 2**31 - 1},
    ]
):
    _add(f"encrypted {number}", _jwe(header))
_add("an encrypted bomb", _jwe({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}, BOMB))
_add("a signed bomb", lambda f: f.raw({**f.header, "zip": "DEF"}, BOMB))
_add(
    "deflated claims",
    lambda f: f.raw({**f.header, "zip": "DEF"}, zlib.compress(json.dumps(dict(f.claims)).encode())),
)
for count in (1000, 10**6, 10**9):
    _add(f"signed with p2c {count}", lambda f, n=count: f.token({"p2c": n, "p2s": "AAAA"}))

# Nesting, in the header and in a claim


def _nested(text: str, inner: str) -> str:
    return text.replace('"DEEP"', inner)


for depth in (40, 600, 1_100, 3_000):
    for name, inner in {
        "lists": "[" * depth + "]" * depth,
        "objects": '{"a":' * depth + "1" + "}" * depth,
        "open lists": "[" * depth,
    }.items():
        _add(f"header of {depth} {name}", lambda f, i=inner: f.raw(header=i))
        _add(
            f"header member of {depth} {name}",
            lambda f, i=inner: f.raw(header=_nested(json.dumps({**f.header, "deep": "DEEP"}), i)),
        )
        if depth > 100:
            _add(
                f"claim of {depth} {name}",
                lambda f, i=inner: f.raw(
                    claims=_nested(json.dumps({**f.claims, "deep": "DEEP"}), i)
                ),
            )

# Parts that are not a JSON object, or one that can be read in two ways

BROKEN = [
    *(b"not json", b"[]", b"null", b"true", b'"ES256"', b"1", b"\xff\xfe", b"{}", b"{", b"{'a':1}"),
    *(b"\x00\x00", b"NaN", b'{"alg":"ES256"', b"[{}]", b"{}{}", b'"\\ud800"', b"{}\x00"),
]
for number, broken in enumerate(BROKEN):
    _add(f"broken header {number}", lambda f, b=broken: f.raw(header=b))
    _add(f"broken claims {number}", lambda f, b=broken: f.raw(claims=b))


def _retold(place: str, change: Callable[[str], str | bytes]) -> Attack:
    """Truly signed, the text of one part changed so that its meaning may stay as it was."""

    def attack(forger: Forger) -> str:
        return forger.raw(**{place: change(json.dumps(dict(getattr(forger, place))))})

    return attack


for place in ("header", "claims"):
    for name, change in {
        "byte order mark": lambda t: "\ufeff" + t,
        "UTF-16": lambda t: t.encode("utf-16"),
        "trailing comma": lambda t: t[:-1] + ",}",
        "comment": lambda t: "/**/" + t,
        "trailing text": lambda t: t + "x",
        "NaN": lambda t: t[:-1] + ', "x": NaN}',
        "infinity": lambda t: t[:-1] + ', "x": -Infinity}',
        "huge fraction": lambda t: t[:-1] + ', "x": 1e400}',
        "giant number": lambda t: t[:-1] + f', "x": {10**400}}}',
        "number past Python's own limit": lambda t: t[:-1] + f', "x": {"9" * 4400}}}',
        "lone surrogate": lambda t: t[:-1] + ', "x": "\\ud800"}',
        "lone surrogate in a name": lambda t: t[:-1] + ', "\\udfff": 1}',
        "raw surrogate": lambda t: t[:-1] + ', "x": "\ud800"}',
        "invalid UTF-8": lambda t: t.encode()[:-1] + b', "x": "\xc3\x28"}',
        "overlong UTF-8": lambda t: t.encode()[:-1] + b', "x": "\xc0\xaf"}',
        "raw control character": lambda t: t[:-1] + ', "x": "\x01"}',
    }.items():
        _add(f"{place} with {name}", _retold(place, change))
for name in ("alg", "typ", "kid"):
    _add(
        f"doubled {name}",
        lambda f, n=name: f.raw(
            header=json.dumps(dict(f.header))[:-1] + f', "{n}": {json.dumps(f.header[n])}}}'
        ),
    )
    _add(
        f"doubled {name}, the first false",
        lambda f, n=name: f.raw(header=f'{{"{n}": "none", ' + json.dumps(dict(f.header))[1:]),
    )
for name in ("iss", "sub", "aud", "exp", "jti"):
    _add(
        f"doubled {name}",
        lambda f, n=name: f.raw(
            claims=json.dumps(dict(f.claims))[:-1] + f', "{n}": {json.dumps(f.claims[n])}}}'
        ),
    )
_add(
    "a name doubled by an escape",
    lambda f: f.raw(claims=json.dumps(dict(f.claims))[:-1] + ', "\\u0073ub": "admin"}'),
)

# The name of the key

KIDS = [
    *(
        "other",
        "../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "' OR '1'='1",
        "a; DROP TABLE",
    ),
    *(
        "a\x00b",
        "a\nb",
        "\u212a",
        "k" * 129,
        "k" * 700,
        "",
        " ",
        "%00",
        "${jndi:ldap://127.0.0.1/a}",
    ),
    *("http://127.0.0.1:9/key", None, 0, True, [], {}, ["a"], {"$ne": None}),
]
for number, kid in enumerate(KIDS):
    _add(f"kid {number}", lambda f, k=kid: f.token({"kid": k}))
_add("kid in capitals", lambda f: f.token({"kid": f.header["kid"].swapcase()}))
_add("kid with a space", lambda f: f.token({"kid": f.header["kid"] + " "}))
_add("kid in a list", lambda f: f.token({"kid": [f.header["kid"]]}))
_add("no kid", lambda f: f.token(without=["kid"]))
_add("no alg", lambda f: f.token(without=["alg"]))

# Header members that others may send (RFC 7515, section 4), and the service never does

OTHER_HEADERS = {
    name: (lambda f, n=name, v=value: f.token({n: v}))
    for name, value in {
        "cty": "JWT",
        "typ": "jwt",
        "x5c": ["MIIB"],
        "x5t": "AA",
        "x5t#S256": "A",
        "iss": "nociscreen",
        "sub": "hospital",
        "nonce": "a",
        "url": "http://127.0.0.1:9",
        "Alg": "none",
        "__proto__": {"alg": "none"},
    }.items()
}

# Header members that are never taken

for number, extra in enumerate(
    [
        *({"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"crit": "exp"}),
        *({"b64": False}, {"b64": True}, {"zip": "DEF"}, {"zip": None}),
        *({"jku": None}, {"jwk": None}, {"x5u": ""}, {"enc": "A256GCM"}),
        *({"epk": {}}, {"apu": "AA"}, {"iv": "AA"}, {"tag": "AA"}, {"": 1}),
    ]
):
    _add(f"header with more {number}", lambda f, e=extra: f.token(e))
for number, type_ in enumerate(
    [
        None,
        "",
        "at+JWT",
        "AT+JWT",
        "application/at+jwt",
        "JOSE",
        "id+jwt",
        "logout+jwt",
        "dpop+jwt",
        " at+jwt",
        "at+jwt\n",
        ["at+jwt"],
        ["JWT"],
        {},
        0,
        True,
    ]
):
    _add(f"typ {number}", lambda f, t=type_: f.token({"typ": t}))

# Secrets of HMAC: weak ones, and what is public

SECRETS = [
    *(
        b"",
        b"\x00",
        b" ",
        b"secret",
        b"password",
        b"changeme",
        b"key",
        b"null",
        b"None",
        b"undefined",
    ),
    *(b"nociscreen", b"jwt", b"test", b"admin", b"123456", b"{}", b"[]", b'[""]', b"0", b"true"),
    b"your-256-bit-secret",
]
for algorithm in MACS:
    for number, secret in enumerate(SECRETS):
        _add(
            f"weak secret {number} with {algorithm}",
            lambda f, a=algorithm, s=secret: f.macked(a, s),
        )


def _encodings(private) -> list[bytes]:
    """Every encoding of the public key."""
    public = private.public_key()
    pem, der = public.public_bytes(PEM, SPKI), public.public_bytes(DER, SPKI)
    forms = [pem, pem.strip(), pem.replace(b"\n", b"\r\n"), der, base64.b64encode(der)]
    openssh = serialization.PublicFormat.OpenSSH
    forms.append(public.public_bytes(serialization.Encoding.OpenSSH, openssh))
    forms.append(hashlib.sha256(der).digest())
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        pkcs1 = serialization.PublicFormat.PKCS1
        return [
            *forms,
            public.public_bytes(PEM, pkcs1),
            public.public_bytes(DER, pkcs1),
            numbers.n.to_bytes(256, "big"),
            json.dumps({"kty": "RSA", "n": b64(numbers.n.to_bytes(256, "big"))}).encode(),
        ]
    point = public.public_numbers()
    octets = (public.key_size + 7) // 8
    x962 = serialization.Encoding.X962
    return [
        *forms,
        public.public_bytes(x962, serialization.PublicFormat.UncompressedPoint),
        public.public_bytes(x962, serialization.PublicFormat.CompressedPoint),
        point.x.to_bytes(octets, "big"),
        json.dumps({"kty": "EC", "x": b64(point.x.to_bytes(octets, "big"))}).encode(),
    ]


for algorithm in MACS:
    for number in range(11):
        _add(
            f"public key {number} as secret of {algorithm}",
            lambda f, a=algorithm, n=number: f.macked(a, _encodings(f.private)[n]),
        )
        _add(
            f"public key {number} as secret of {algorithm}, the alg untouched",
            lambda f, a=algorithm, n=number: (
                f.token().rpartition(".")[0]
                + "."
                + f.macked(a, _encodings(f.private)[n], {"alg": f.algorithm}).rpartition(".")[2]
            ),
        )

# Other spellings of the same bytes

STRANGE = "=\n\r\t !*%+/,;~\u00e9\u0410\x00"
for character in STRANGE:
    for place in (1, 40, 85):
        _add(
            f"signature with {character!r} at {place}",
            lambda f, c=character, p=place: "{0}.{1}{c}{2}".format(
                (t := f.token()).rpartition(".")[0],
                t.rpartition(".")[2][:p],
                t.rpartition(".")[2][p:],
                c=c,
            ),
        )


def _respelled(part: str, spare: int) -> str:
    """The same bytes with spare bits set, or padded where there are none to spare."""
    bits = {0: 0, 2: 4, 3: 2}[len(part) % 4]
    if bits == 0:
        return part + "===="[: 1 + spare % 4]
    return part[:-1] + LETTERS[LETTERS.index(part[-1]) | (1 + spare % (2**bits - 1))]


for spare in range(15):
    _add(
        f"signature respelled {spare}",
        lambda f, n=spare: ".".join(
            (*(t := f.token().split("."))[:2], _respelled(t[2], n)),
        ),
    )
for spare in range(3):
    _add(
        f"header respelled {spare} and truly signed",
        lambda f, n=spare: f.sign_parts(
            _respelled(as_part(dict(f.header)), n), as_part(dict(f.claims))
        ),
    )
    _add(
        f"claims respelled {spare} and truly signed",
        lambda f, n=spare: f.sign_parts(
            as_part(dict(f.header)), _respelled(as_part(dict(f.claims)), n)
        ),
    )
for tail in ("=", "==", "\n", " ", "%3D", "\x00", "\t", ";a=b", "&a=b", "\ud800", "\u00a0"):
    _add(f"tail {tail!r}", lambda f, t=tail: f.token() + t)
    _add(f"head {tail!r}", lambda f, t=tail: t + f.token())
_add("alphabet of plain base64", lambda f: f.token().replace("-", "+").replace("_", "/") + "+/")
_add("beyond the length", lambda f: f.token(claims={"jti": "a" * 9000}))
_add("a very long one", lambda _: ".".join(["A" * 3_000_000] * 3))
_add("full width", lambda f: "".join(chr(ord(c) + 0xFEE0) for c in f.token()))

# Signatures by their numbers


def _octets(forger: Forger) -> int:
    return (forger.private.key_size + 7) // 8


def _order(forger: Forger) -> int:
    return {
        "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        "ES384": int(
            "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
            "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
            16,
        ),
    }.get(forger.algorithm, 2)


def _numbers(choose: Callable[[int, int, int], tuple[int, int]]) -> Attack:
    """A signature of chosen r and s (of RSA: of those bytes), the rest untouched."""

    def attack(forger: Forger) -> str:
        text, _, true = forger.token().rpartition(".")
        raw = base64.urlsafe_b64decode(true + "==")
        half = len(raw) // 2
        r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        r, s = choose(r, s, _order(forger))
        return f"{text}.{b64(r.to_bytes(half, 'big') + s.to_bytes(half, 'big'))}"

    return attack


for name, choose in {
    "zero r and s": lambda _r, _s, _n: (0, 0),
    "zero r": lambda _r, s, _n: (0, s),
    "zero s": lambda r, _s, _n: (r, 0),
    "one": lambda _r, _s, _n: (1, 1),
    "r of the order": lambda _r, s, n: (n, s),
    "s of the order": lambda r, _s, n: (r, n),
    "both of the order": lambda _r, _s, n: (n, n),
    "r and s exchanged": lambda r, s, _n: (s, r),
    "r twice": lambda r, _s, _n: (r, r),
}.items():
    _add(f"signature with {name}", _numbers(choose))


def _der(forger: Forger) -> str:
    text, _, true = forger.token().rpartition(".")
    raw = base64.urlsafe_b64decode(true + "==")
    half = len(raw) // 2
    numbers = (int.from_bytes(value, "big") for value in (raw[:half], raw[half:]))
    return f"{text}.{b64(utils.encode_dss_signature(*numbers))}"


_add("signature in DER", _der)
for extra in (b"\x00", b"\x00\x00\x00"):
    _add(
        f"signature with {len(extra)} octets before it",
        lambda f, e=extra: (
            (t := f.token()).rpartition(".")[0]
            + "."
            + b64(e + base64.urlsafe_b64decode(t.rpartition(".")[2] + "=="))
        ),
    )
    _add(
        f"signature with {len(extra)} octets after it",
        lambda f, e=extra: (
            (t := f.token()).rpartition(".")[0]
            + "."
            + b64(base64.urlsafe_b64decode(t.rpartition(".")[2] + "==") + e)
        ),
    )

# Claims that are truly signed, and wrong

WRONG_CLAIMS: list[dict[str, Any]] = [
    *({"exp": value} for value in (NOW, NOW - 1, NOW - 31, 0, -1, NOW + 931, NOW + 86400, 10**17)),
    *(
        {"exp": value}
        for value in (10**16, str(NOW + 60), NOW + 60.5, NOW + 60.0, True, None, [], {})
    ),
    *(
        {"iat": value}
        for value in (NOW + 31, NOW + 60, NOW - 3600, 0, -1, str(NOW), NOW + 0.0, True)
    ),
    *({"iat": value} for value in (None, [], {}, 10**16)),
    *(
        {"nbf": value}
        for value in (NOW + 31, NOW + 200, str(NOW), NOW + 0.5, True, None, [], 10**16)
    ),
    *({"aud": value} for value in ("other", "", None, [], {}, 0, True, ["nociscreen-api"])),
    *(
        {"aud": value}
        for value in ("nociscreen-api ", "nociscreen-api/", "NOCISCREEN-API", ["a", "b"])
    ),
    *(
        {"iss": value}
        for value in ("other", "", None, [], {}, 0, True, ["nociscreen"], ["hospital"])
    ),
    *({"sub": value} for value in ("", "other", None, 5, True, [], {}, "a b", "a\x00", "a" * 101)),
    *({"sub": value} for value in ("hospital ", "hospital\n", "\u0430", "' OR 1=1", ["hospital"])),
    *({"jti": value} for value in ("", None, 7, True, [], {}, "a b", "a\x00", "a" * 201, "\u00e9")),
]
WRONG_CLAIMS.append({"iat": NOW + 20, "exp": NOW + 10})
for number, claims in enumerate(WRONG_CLAIMS):
    _add(f"wrong claims {number}", lambda f, c=claims: f.token(claims=c))
for name in ("iss", "sub", "aud", "exp", "jti"):
    _add(f"no {name}", lambda f, n=name: f.token(without=[n]))
_add("no claims", lambda f: f.raw(claims={}))
