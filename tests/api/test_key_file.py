"""The key file: made once, for its owner only."""

from api.key_file import read_keys


def test_a_key_is_made_once_and_readable_by_its_owner_only(tmp_path):
    file = tmp_path / "made" / "key.pem"
    first = read_keys(file, "a", "b")
    assert file.stat().st_mode & 0o777 == 0o600
    token = first.sign("hospital", ["score"])
    assert read_keys(file, "a", "b").verify(token).client == "hospital"
