"""Secrets and API keys: made at random, known by a hash, refused by their shape."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.security import client_secrets
from api.security.client_secrets import (
    API_KEY_LENGTH,
    generate_api_key,
    generate_client_secret,
    has_api_key_prefix,
    hash_secret,
    parse_api_key,
    verify_secret,
)


class TestSecrets:
    def test_a_secret_is_long_random_and_recognisable(self):
        secrets = {generate_client_secret() for _ in range(100)}
        assert len(secrets) == 100
        assert all(len(item) == 47 and item.startswith("nss_") for item in secrets)

    def test_a_secret_matches_its_own_hash_only(self):
        secret = generate_client_secret()
        digest = hash_secret(secret)
        assert len(digest) == 64
        assert secret not in digest
        assert verify_secret(secret, digest)
        for other in (
            generate_client_secret(),
            secret[:-1],
            secret + " ",
            secret.swapcase(),
            "",
            digest,
        ):
            assert not verify_secret(other, digest)

    @pytest.mark.parametrize("stored_hash", ["", "\u00e9", "\ud800", "0" * 64])
    def test_an_odd_hash_matches_nothing(self, stored_hash):
        assert not verify_secret("nss_a", stored_hash)

    @given(st.text(st.characters(codec=None)))
    @example("\ud800")
    def test_any_text_can_be_compared(self, text):
        assert not verify_secret(text, hash_secret("nss_"))


class TestApiKeys:
    @pytest.mark.parametrize(("test", "prefix"), [(True, "nsk_test_"), (False, "nsk_live_")])
    def test_a_key_reads_as_its_id_and_hash(self, test, prefix):
        key = generate_api_key(test=test)
        assert key.text.startswith(f"{prefix}{key.id}.")
        assert len(key.text) == API_KEY_LENGTH
        assert parse_api_key(key.text) == (key.id, key.hash)
        assert verify_secret(key.text, key.hash)
        assert has_api_key_prefix(key.text)

    def test_no_two_keys_are_the_same(self):
        secrets = [generate_api_key(test=False) for _ in range(100)]
        assert len({key.id for key in secrets}) == len({key.hash for key in secrets}) == 100

    def test_another_well_formed_key_has_another_hash(self):
        key, other = generate_api_key(test=False), generate_api_key(test=False)
        start = f"nsk_live_{key.id}.{other.text[26:69]}"
        identity, digest = parse_api_key(start + client_secrets._checksum(start))
        assert identity == key.id
        assert digest != key.hash

    def test_a_live_key_with_a_test_prefix_has_another_hash(self):
        key = generate_api_key(test=False)
        start = key.text[:-8].replace("live", "test")
        assert parse_api_key(start + client_secrets._checksum(start))[1] != key.hash

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
            lambda text: text[:-8] + "0" * 8,
            lambda text: text[:-8],
            lambda text: text[:-1],
            lambda text: text[1:],
            lambda text: text.upper(),
            lambda text: text.lower() + ("" if text.lower() != text else "x"),
            lambda text: text.swapcase(),
            lambda text: "NSK_LIVE_" + text[9:],
            lambda text: text.replace("live", "test"),
            lambda text: text.replace("live", "prod"),
            lambda text: text.replace("nsk_", "sk_"),
            lambda text: text.replace("nsk_live_", ""),
            lambda text: text.replace(".", "_"),
            lambda text: text.replace(".", ".."),
            lambda text: text.replace(".", "\u3002"),
            lambda text: text + "\x00",
            lambda text: text[:30] + "\x00" + text[31:],
            lambda text: text[:30] + "\u0410" + text[31:],
            lambda text: text[:30] + "\ud800" + text[31:],
            lambda text: text[:30] + "\n" + text[31:],
            lambda text: text + "\n",
            lambda text: " " + text,
            lambda text: text + text,
            lambda text: text + "a" * 10_240,
            lambda _: "nsk_live_" + "a" * 10_240,
            lambda _: "nsk_",
            lambda _: "",
            lambda _: "\x00" * API_KEY_LENGTH,
            lambda _: "\uff10" * API_KEY_LENGTH,
        ],
    )
    def test_a_changed_key_is_refused_with_one_message(self, change):
        with pytest.raises(ValueError, match=r"^expected an API key$"):
            parse_api_key(change(generate_api_key(test=False).text))

    def test_a_changed_character_anywhere_is_refused(self):
        text = generate_api_key(test=False).text
        assert len(text) == API_KEY_LENGTH
        for place, character in enumerate(text):
            other = "a" if character != "a" else "b"
            with pytest.raises(ValueError, match=r"^expected an API key$"):
                parse_api_key(text[:place] + other + text[place + 1 :])

    @given(
        st.text(st.characters(codec=None)) | st.from_regex(client_secrets._API_KEY, fullmatch=True)
    )
    def test_no_text_raises_anything_else(self, text):
        with pytest.raises(ValueError, match=r"^expected an API key$"):
            parse_api_key(text)

    @pytest.mark.parametrize("text", ["", "nss_a", "Bearer nsk_a", "NSK_live_a", "eyJhbGciOi"])
    def test_other_texts_do_not_look_like_a_key(self, text):
        assert not has_api_key_prefix(text)
        assert has_api_key_prefix("nsk_" + text)
