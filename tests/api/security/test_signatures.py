"""Every forged token is refused by both verifiers, in the same way."""

import ast
import json
import string
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.faults.forged_tokens import (
    ATTACKS,
    NOW,
    OTHER_HEADERS,
    Forger,
    as_part,
    b64,
    private_key,
    public_pem,
    stranger,
)
from support.faults.token_targets import TOKEN_URL, access_opens, make_target

from api.security.claims import ExpectedToken
from api.security.keys import VerifyingKey, generate_signing_key
from api.security.signatures import InvalidTokenError, sign_token, verify_token, verify_with_key
from api.security.tokens.access_tokens import AccessTokens

ROOT = Path(__file__).parents[3]


def test_the_true_token_opens(target):
    assert target.opens(target.forger.token())


def test_every_forged_token_is_refused(target):
    accepted = [name for name, attack in ATTACKS.items() if target.opens(attack(target.forger))]
    assert len(ATTACKS) > 500
    assert accepted == []
    assert target.opens(target.forger.token())


def test_other_headers_are_ignored_in_the_tokens_of_others_alone(target):
    accepted = {name for name, forge in OTHER_HEADERS.items() if target.opens(forge(target.forger))}
    is_of_others = target.forger.header["typ"] == "JWT"
    assert accepted == (set(OTHER_HEADERS) if is_of_others else set())


def test_a_changed_character_anywhere_is_refused(target):
    token = target.forger.token()
    changed_tokens = [
        token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        for place, character in enumerate(token)
    ]
    assert len(changed_tokens) > 300
    assert [changed for changed in changed_tokens if target.opens(changed)] == []


def test_a_token_cut_anywhere_is_refused(target):
    token = target.forger.token()
    assert not any(target.opens(token[:place]) for place in range(0, len(token), 3))


class TestOtherKeys:
    @pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS256", "RS384", "RS512"])
    def test_a_strangers_key_under_the_trusted_kid_is_refused(self, target, algorithm):
        forged = target.forger.signed_as(algorithm, stranger(algorithm))
        assert not target.opens(forged)

    @pytest.mark.parametrize(("curve", "says"), [("ES256", "ES384"), ("ES384", "ES256")])
    @pytest.mark.parametrize("kind", ["access", "assertion"])
    def test_a_key_of_one_curve_is_never_the_other_algorithm(self, kind, curve, says):
        target = make_target(kind, curve)
        assert not target.opens(target.forger.signed_as(says, target.forger.private))
        assert not target.opens(target.forger.token({"alg": says}))
        with pytest.raises(ValueError, match="fits its algorithm"):
            VerifyingKey("Key-1", says, target.key.public_pem)

    def test_an_rsa_key_in_place_of_the_trusted_key_opens_nothing(self):
        target = make_target("access", "RS384")
        assert not target.opens(target.forger.token())

    def test_a_token_of_a_key_on_a_curve_is_not_proved_by_an_rsa_key_of_its_name(self, assertion):
        rsa_key = VerifyingKey("Key-1", "RS384", public_pem(stranger("RS384")))
        expected = ExpectedToken(
            ("ES384", "RS384"), ("JWT",), "hospital", "", frozenset(), allow_other_claims=True,
            max_lifetime_seconds=300, max_expiry_seconds=300,
        )  # fmt: skip
        for token in (
            assertion.forger.token(),
            assertion.forger.signed_as("ES384", stranger("ES384")),
        ):
            with pytest.raises(InvalidTokenError):
                verify_token(token, find_key=lambda _: rsa_key, expected=expected)


class _Listener(BaseHTTPRequestHandler):
    connections: list[str]

    def do_GET(self):
        self.heard.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"keys": []}')

    do_POST = do_HEAD = do_GET  # noqa: N815 - the names that the library calls

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def listener():
    """The address of a server on loopback, and what it was asked."""
    handler = type("Handler", (_Listener,), {"heard": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.heard
        server.shutdown()
        thread.join()


def test_the_listener_records_every_connection(listener):
    address, connections = listener
    with urllib.request.urlopen(address + "/keys") as answer:  # noqa: S310 - our own address
        assert answer.status == 200
    assert connections == ["/keys"]


@pytest.mark.parametrize("signer", ["trusted", "stranger"])
@pytest.mark.parametrize("member", ["jku", "x5u", "jwk", "x5c", "url", "kid", "iss", "aud", "jwks"])
def test_no_address_in_a_token_is_ever_asked(target, listener, member, signer):
    address, connections = listener
    private = target.forger.private
    if signer == "stranger":
        private = stranger(target.forger.algorithm)
    jwk = VerifyingKey("Key-1", target.forger.algorithm, public_pem(private)).to_jwk()
    value = {"jwk": jwk | {"x5u": address}, "x5c": [address]}.get(member, address + "/keys")
    forger = Forger(private, target.forger.algorithm, target.forger.header, target.forger.claims)
    if member in ("iss", "aud"):
        token = forger.token(claims={member: value})
    else:
        token = forger.token(header={member: value})
    is_ignored = signer == "trusted" and member in ("x5c", "url", "jwks")
    is_of_others = target.forger.header["typ"] == "JWT"
    assert target.opens(token) is (is_ignored and is_of_others)
    assert connections == []


@pytest.mark.parametrize("kid", ["a b", "' OR '1'='1", "a\x00", "", "k" * 129, None, 5, ["a"], {}])
def test_no_key_is_looked_up_by_an_odd_name(access, kid):
    def find(_):
        raise AssertionError

    tokens = AccessTokens("nociscreen", "nociscreen-api", find)
    assert not access_opens(tokens, access.forger.token({"kid": kid}))
    with pytest.raises(AssertionError):
        tokens.verify(access.forger.token())


class TestArbitraryText:
    @given(text=st.text(st.characters(codec=None), max_size=400))
    def test_no_text_raises_anything_else(self, target, text):
        assert not target.opens(text)

    @given(parts=st.lists(st.binary(max_size=120), min_size=1, max_size=5))
    def test_no_parts_raise_anything_else(self, target, parts):
        assert not target.opens(".".join(map(b64, parts)))

    @given(
        member=st.sampled_from(["alg", "kid", "typ", "iss", "sub", "aud", "exp", "iat", "jti"]),
        value=st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(string.printable),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
    )
    def test_no_signed_value_raises_anything_else(self, target, member, value):
        head, body = target.forger.parts()
        (head if member in head else body)[member] = value
        token = target.forger.sign_parts(as_part(head), as_part(body))
        assert target.opens(token) in {True, False}

    @given(place=st.integers(0, 2000), text=st.text(max_size=4))
    def test_no_change_of_a_true_token_raises_anything_else(self, target, place, text):
        token = target.forger.token()
        place %= len(token)
        changed = token[:place] + text + token[place + len(text) :]
        assert target.opens(changed) is (changed == token)


class TestSigning:
    @pytest.mark.parametrize("algorithm", ["ES256", "ES384"])
    def test_what_is_signed_is_verified(self, algorithm):
        key = generate_signing_key(algorithm)
        claims = {"iss": "a", "aud": "b", "sub": "c", "jti": "d", "exp": NOW + 60}
        expected = ExpectedToken(
            (algorithm,), ("at+jwt",), "a", "b", frozenset(claims), allow_other_claims=False,
            max_lifetime_seconds=60, max_expiry_seconds=60,
        )  # fmt: skip
        token = sign_token(claims, key, "at+jwt")
        assert (
            verify_token(token, find_key={key.kid: key.to_verifying_key()}.get, expected=expected)
            == claims
        )
        with pytest.raises(InvalidTokenError, match=r"^the token is refused$"):
            verify_token(token, find_key=lambda _: None, expected=expected)

    def test_a_key_that_cannot_be_looked_up_is_no_fault_of_the_token(self, access):
        def away(_):
            raise ConnectionError

        expected = ExpectedToken(
            ("ES256",), ("at+jwt",), "a", "b", frozenset(), allow_other_claims=True,
            max_lifetime_seconds=60, max_expiry_seconds=60,
        )  # fmt: skip
        with pytest.raises(ConnectionError):
            verify_token(access.forger.token(), find_key=away, expected=expected)


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (lambda _: "a.b.c", "malformed"),
        (lambda f: f.token({"jku": "https://elsewhere.example/keys"}), "header"),
        (lambda f: f.token({"typ": "other"}), "header"),
        (lambda f: f.token({"kid": "Key-2"}), "key_unknown"),
        (lambda f: f.token({"alg": "ES256"}), "algorithm"),
    ],
    ids=["no token", "jku", "typ", "kid", "alg"],
)
def test_a_token_that_is_refused_by_its_header_names_the_reason(assertion, forge, reason):
    expected = ExpectedToken(
        ("ES384",), ("JWT",), "hospital", TOKEN_URL, frozenset(), allow_other_claims=True,
        max_lifetime_seconds=300, max_expiry_seconds=300, jwks_url="https://hospital.example/keys",
    )  # fmt: skip
    assert verify_with_key(assertion.forger.token(), assertion.key, expected)["sub"] == "hospital"
    with pytest.raises(InvalidTokenError) as error_info:
        verify_with_key(forge(assertion.forger), assertion.key, expected)
    assert error_info.value.reason == reason


def _imported(file: Path) -> set[str]:
    """The names that a file imports, or could by text."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            names.add(str(node.args[0].value))
    return {name.partition(".")[0] for name in names}


def test_one_module_of_the_whole_project_imports_python_jose():
    folders = ("api", "bench", "reports", "schemas", "scoring", "scripts", "tests")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 80
    importers = [str(file.relative_to(ROOT)) for file in files if "jose" in _imported(file)]
    assert importers == ["api/security/signatures.py"]


def test_encrypted_tokens_are_not_even_loaded():
    code = "import api.security.signatures, sys, json; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    loaded = json.loads(out.stdout)
    assert "jose.jwt" in loaded
    assert "jose.jwe" not in loaded


def test_keys_of_the_forger_are_not_those_of_anyone_else():
    assert public_pem(private_key("ES256")) != public_pem(private_key("ES256"))
