"""Sealing: bytes that open in one place only, and hashes that tell nothing elsewhere."""

import os

import pytest

from api.store.keys.field_encryption import DataKey, DataKeys, Place, SealError, digest

PLACE = Place("screening", "answers", "s1")
SECRET = os.urandom(32)
KEY = DataKey("k", "o1", SECRET)


def test_a_field_opens_where_it_was_sealed():
    assert KEY.open(PLACE, KEY.seal(PLACE, b"plain")) == b"plain"
    assert KEY.open(PLACE, KEY.seal(PLACE, b"")) == b""


@pytest.mark.parametrize(
    "moved",
    [
        PLACE._replace(row="s2"),
        PLACE._replace(column="patient"),
        PLACE._replace(table="report"),
        Place("screeninganswers", "", "s1"),
    ],
)
def test_a_field_moved_to_another_place_does_not_open(moved):
    with pytest.raises(SealError):
        KEY.open(moved, KEY.seal(PLACE, b"plain"))


def test_a_field_moved_to_another_organisation_does_not_open_even_by_the_same_key():
    with pytest.raises(SealError):
        DataKey("k", "o2", SECRET).open(PLACE, KEY.seal(PLACE, b"plain"))


def test_one_flipped_bit_anywhere_is_found():
    sealed = KEY.seal(PLACE, b"plain")
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealError):
            KEY.open(PLACE, bytes(changed))


def test_a_field_cut_short_does_not_open():
    sealed = KEY.seal(PLACE, b"plain")
    for end in range(len(sealed)):
        with pytest.raises(SealError):
            KEY.open(PLACE, sealed[:end])


def test_the_same_field_is_sealed_otherwise_each_time():
    assert KEY.seal(PLACE, b"plain") != KEY.seal(PLACE, b"plain")


def test_what_does_not_open_is_told_without_its_words():
    with pytest.raises(SealError) as told:
        KEY.open(PLACE, b"MRN-0042")
    assert "MRN" not in str(told.value)
    assert "screening.answers" in str(told.value)


def test_a_keyed_hash_is_of_its_organisation_key_and_column():
    hashes = [
        KEY.keyed("patient_index", "x"),
        KEY.keyed("system_index", "x"),
        KEY.keyed("patient_index", "y"),
        KEY.keyed("patient_index", None),
        KEY.keyed("patient_index", ""),
        DataKey("k", "o2", SECRET).keyed("patient_index", "x"),
        DataKey("k", "o1", os.urandom(32)).keyed("patient_index", "x"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert KEY.keyed("patient_index", "x") == hashes[0]


def test_words_that_read_alike_have_the_same_hash():
    composed, apart = "Zo\u00eb", "Zoe\u0308"
    assert KEY.keyed("patient_index", composed) == KEY.keyed("patient_index", apart)
    assert KEY.keyed("patient_index", "Zoe") != KEY.keyed("patient_index", composed)


def test_all_keys_open_and_one_seals():
    old, new = DataKey("old", "o1", os.urandom(32)), DataKey("new", "o1", os.urandom(32))
    keys = DataKeys(new, [old])
    assert keys.open("old", PLACE, old.seal(PLACE, b"plain")) == b"plain"
    assert keys.open("new", PLACE, keys.current.seal(PLACE, b"plain")) == b"plain"
    assert keys.older() == ["old"]
    assert set(keys.keyed("w", "x")) == {old.keyed("w", "x"), new.keyed("w", "x")}
    with pytest.raises(SealError, match="gone"):
        keys.open("other", PLACE, b"")
    with pytest.raises(SealError):
        keys.open("new", PLACE, old.seal(PLACE, b"plain"))


def test_a_digest_tells_where_its_parts_end():
    assert digest(b"ab", b"c") != digest(b"a", b"bc")
    assert digest(b"abc") != digest(b"abc", b"")
