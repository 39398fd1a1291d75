"""Field encryption: a field can be decrypted in its own place only; hashes differ elsewhere."""

import os

import pytest

from api.store.keys.field_encryption import (
    DataKey,
    DataKeys,
    DecryptionError,
    FieldLocation,
    hash_parts,
)

PLACE = FieldLocation("screening", "answers", "s1")
SECRET = os.urandom(32)
KEY = DataKey("k", "o1", SECRET)


def test_a_field_stored_by_release_1_1_can_be_decrypted():
    key = DataKey("k1", "o-1", bytes(range(32)))
    stored_field = bytes.fromhex(
        "01000102030405060708090a0bf6a2acec5694a4b2678b73e0daa8da9c39334c6c38"
    )
    assert key.decrypt(FieldLocation("draft", "content", "l-1"), stored_field) == b"plain"


def test_a_field_is_decrypted_where_it_was_encrypted():
    assert KEY.decrypt(PLACE, KEY.encrypt(PLACE, b"plain")) == b"plain"
    assert KEY.decrypt(PLACE, KEY.encrypt(PLACE, b"")) == b""


@pytest.mark.parametrize(
    "other_location",
    [
        PLACE._replace(row="s2"),
        PLACE._replace(column="patient"),
        PLACE._replace(table="report"),
        FieldLocation("screeninganswers", "", "s1"),
    ],
)
def test_a_field_moved_to_another_place_cannot_be_decrypted(other_location):
    with pytest.raises(DecryptionError):
        KEY.decrypt(other_location, KEY.encrypt(PLACE, b"plain"))


def test_a_field_moved_to_another_organisation_does_not_open_even_by_the_same_key():
    with pytest.raises(DecryptionError):
        DataKey("k", "o2", SECRET).decrypt(PLACE, KEY.encrypt(PLACE, b"plain"))


def test_one_flipped_bit_anywhere_is_found():
    encrypted = KEY.encrypt(PLACE, b"plain")
    for bit in range(len(encrypted) * 8):
        changed = bytearray(encrypted)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecryptionError):
            KEY.decrypt(PLACE, bytes(changed))


def test_a_field_cut_short_does_not_open():
    encrypted = KEY.encrypt(PLACE, b"plain")
    for end in range(len(encrypted)):
        with pytest.raises(DecryptionError):
            KEY.decrypt(PLACE, encrypted[:end])


def test_the_same_field_is_encrypted_differently_each_time():
    assert KEY.encrypt(PLACE, b"plain") != KEY.encrypt(PLACE, b"plain")


def test_a_decryption_error_does_not_quote_the_field():
    with pytest.raises(DecryptionError) as error:
        KEY.decrypt(PLACE, b"MRN-0042")
    assert "MRN" not in str(error.value)
    assert "screening.answers" in str(error.value)


def test_a_keyed_hash_is_of_its_organisation_key_and_column():
    hashes = [
        KEY.compute_keyed_hash("patient_index", "x"),
        KEY.compute_keyed_hash("system_index", "x"),
        KEY.compute_keyed_hash("patient_index", "y"),
        KEY.compute_keyed_hash("patient_index", None),
        KEY.compute_keyed_hash("patient_index", ""),
        DataKey("k", "o2", SECRET).compute_keyed_hash("patient_index", "x"),
        DataKey("k", "o1", os.urandom(32)).compute_keyed_hash("patient_index", "x"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert KEY.compute_keyed_hash("patient_index", "x") == hashes[0]


def test_words_that_read_alike_have_the_same_hash():
    composed_form, apart = "Zo\u00eb", "Zoe\u0308"
    assert KEY.compute_keyed_hash("patient_index", composed_form) == KEY.compute_keyed_hash(
        "patient_index", apart
    )
    assert KEY.compute_keyed_hash("patient_index", "Zoe") != KEY.compute_keyed_hash(
        "patient_index", composed_form
    )


def test_every_key_decrypts_and_the_current_one_encrypts():
    old, new = DataKey("old", "o1", os.urandom(32)), DataKey("new", "o1", os.urandom(32))
    keys = DataKeys(new, [old])
    assert keys.decrypt("old", PLACE, old.encrypt(PLACE, b"plain")) == b"plain"
    assert keys.decrypt("new", PLACE, keys.current.encrypt(PLACE, b"plain")) == b"plain"
    assert keys.list_older_key_ids() == ["old"]
    assert set(keys.compute_keyed_hashes("w", "x")) == {
        old.compute_keyed_hash("w", "x"),
        new.compute_keyed_hash("w", "x"),
    }
    with pytest.raises(DecryptionError, match="no longer exists"):
        keys.decrypt("other", PLACE, b"")
    with pytest.raises(DecryptionError):
        keys.decrypt("new", PLACE, old.encrypt(PLACE, b"plain"))


def test_a_digest_tells_where_its_parts_end():
    assert hash_parts(b"ab", b"c") != hash_parts(b"a", b"bc")
    assert hash_parts(b"abc") != hash_parts(b"abc", b"")
