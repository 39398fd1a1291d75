"""The key ring: read from the environment or a file, changed without stopping, never half."""

import pytest
from support.builders import build_store_settings, run_concurrently

from api.settings import Settings
from api.store import key_ring
from api.store.key_ring import (
    KeyRing,
    KeyRingError,
    create_key_ring_file,
    parse_key_ring,
    prepend_new_key,
)
from api.store.keys import file_key
from api.store.operations.startup import open_key_ring, open_store

FIRST, SECOND = f"first:{'A' * 43}", f"second:{'B' * 42}A"


def name(entry):
    return entry.partition(":")[0]


def test_a_key_wrapped_by_release_1_1_can_be_unwrapped():
    ring = KeyRing(lambda: "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
    wrapped = bytes.fromhex("000102030405060708090a0b3467b569a091639a8ba680843c99412d0cfc96a0974b")
    assert ring.unwrap("k1", wrapped, "about") == b"secret"


@pytest.mark.parametrize("between", ["\n", ",", ", ", "\r\n", "  \n\n"])
def test_the_first_key_wraps_and_all_unwrap(between):
    old = KeyRing(lambda: SECOND)
    wrapped = old.wrap(b"secret", "about")
    ring = KeyRing(lambda: f" {FIRST}{between}{SECOND}\n")
    assert ring.current_key_id == name(FIRST) == ring.wrap(b"secret", "about")[0]
    assert ring.unwrap(*wrapped, "about") == b"secret"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "k",
        "k:short",
        f"{FIRST}x",
        f"{FIRST},{FIRST}",
        f"{FIRST};{SECOND}",
        f"ü{FIRST}",
        f"{FIRST}\nk:{'A' * 42}!",
    ],
)
def test_bad_text_is_refused_without_repeating_it(text):
    with pytest.raises(KeyRingError) as notes:
        parse_key_ring(text)
    assert FIRST not in str(notes.value)


def test_a_secret_is_bound_to_what_it_is_about():
    ring = KeyRing(lambda: FIRST)
    key_id, wrapped = ring.wrap(b"secret", "one")
    with pytest.raises(KeyRingError):
        ring.unwrap(key_id, wrapped, "another")
    changed = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    for broken in (changed, b"", wrapped[:5]):
        with pytest.raises(KeyRingError):
            ring.unwrap(key_id, broken, "one")


def test_an_unknown_key_is_looked_for_in_the_file_once_more(tmp_path):
    path = tmp_path / "ring"
    create_key_ring_file(path)
    ring = KeyRing(path.read_text)
    prepend_new_key(path)
    newer = KeyRing(path.read_text).wrap(b"secret", "about")
    assert ring.unwrap(*newer, "about") == b"secret"
    with pytest.raises(KeyRingError, match="lacks"):
        ring.unwrap("none", b"", "about")


def test_a_running_ring_wraps_by_the_key_that_was_put_first_meanwhile(tmp_path):
    path = tmp_path / "ring"
    create_key_ring_file(path)
    ring = KeyRing(path.read_text)
    newest = prepend_new_key(path)
    assert ring.wrap(b"secret", "about")[0] == newest


def test_a_file_is_its_owners_alone_and_made_once(tmp_path):
    path = tmp_path / "deep" / "ring"
    create_key_ring_file(path)
    text = path.read_text()
    with pytest.raises(FileExistsError):
        create_key_ring_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    newest = prepend_new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().splitlines()[0].startswith(newest + ":")
    assert path.read_text().endswith(text)
    assert list(path.parent.iterdir()) == [path]


def test_nothing_is_put_before_what_is_no_ring(tmp_path):
    path = tmp_path / "ring"
    path.write_text("k:broken")
    with pytest.raises(KeyRingError):
        prepend_new_key(path)
    assert path.read_text() == "k:broken"
    with pytest.raises(KeyRingError):
        prepend_new_key(tmp_path / "none")


def test_a_file_is_put_in_place_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "ring"
    create_key_ring_file(path)
    text = path.read_text()

    def full(_):
        raise OSError("No space left on device")

    monkeypatch.setattr(key_ring.os, "fsync", full)
    with pytest.raises(OSError, match="space"):
        prepend_new_key(path)
    assert path.read_text() == text


def test_the_environment_is_read_before_the_file(tmp_path):
    settings = build_store_settings(tmp_path, key_ring=FIRST)
    assert open_key_ring(settings).current_key_id == name(FIRST)
    assert not settings.key_ring_file.exists()


def test_an_embedded_store_creates_a_missing_key_ring_and_says_so(tmp_path):
    notes = []
    settings = build_store_settings(tmp_path)
    open_key_ring(settings, notes.append)
    assert str(settings.key_ring_file.resolve()) in notes[0]
    assert settings.key_ring_file.stat().st_mode & 0o777 == 0o600
    open_key_ring(settings, notes.append)
    assert len(notes) == 1


def test_a_key_ring_missing_beside_its_database_is_not_created_again(tmp_path):
    settings = build_store_settings(tmp_path)
    open_store(settings).close()
    settings.key_ring_file.unlink()
    with pytest.raises(KeyRingError, match="missing"):
        open_key_ring(settings)


def test_a_database_at_an_address_needs_a_ring(tmp_path):
    settings = Settings(database_url="postgresql://x@127.0.0.1/x", key_ring_file=tmp_path / "none")
    with pytest.raises(KeyRingError, match="NOCISCREEN_KEY_RING"):
        open_key_ring(settings)


def test_a_file_that_is_no_text_is_refused_as_a_ring(tmp_path):
    settings = build_store_settings(tmp_path)
    settings.key_ring_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KeyRingError):
        open_key_ring(settings)


def test_a_database_file_has_one_key_however_many_ask_at_once(tmp_path):
    ring = KeyRing(lambda: FIRST)
    for number in range(20):
        path = tmp_path / f"{number}.db"
        keys = run_concurrently(8, lambda _, path=path: file_key.load_file_key(path, ring))
        assert set(keys) == {file_key.load_file_key(path, ring)}
        assert file_key.locate_key_file(path).stat().st_mode & 0o777 == 0o600


def test_a_database_file_without_its_key_is_not_given_another(tmp_path):
    path = tmp_path / "x.db"
    path.touch()
    with pytest.raises(KeyRingError, match="missing"):
        file_key.load_file_key(path, KeyRing(lambda: FIRST))


@pytest.mark.parametrize("text", ["", "k:zz", "\u00fc", "k", "k:00"])
def test_a_broken_file_key_is_reported(tmp_path, text):
    path = tmp_path / "x.db"
    file_key.locate_key_file(path).write_text(text)
    with pytest.raises(KeyRingError):
        file_key.load_file_key(path, KeyRing(lambda: FIRST))


def test_a_file_key_wrapped_again_is_the_same_key(tmp_path):
    path = tmp_path / "x.db"
    key = file_key.load_file_key(path, KeyRing(lambda: FIRST))
    file_key.write_file_key(path, KeyRing(lambda: f"{SECOND},{FIRST}"), key)
    assert file_key.load_file_key(path, KeyRing(lambda: SECOND)) == key
    with pytest.raises(KeyRingError):
        file_key.load_file_key(path, KeyRing(lambda: FIRST))
