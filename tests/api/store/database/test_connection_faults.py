"""A PostgreSQL that cannot be opened: a sentence of its own for each reason, without secrets."""

import pytest
from support.builders import build_store_settings

from api.store.database.engine import DatabaseError, UnreachableError
from api.store.operations.startup import open_store


@pytest.fixture(scope="module")
def cluster(postgres):
    postgres.require_password("guarded", "right-password")
    return postgres


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("service@", "guarded:wrong-password@", "the password of the role guarded is wrong or"),
        ("service@", "guarded@", "the password of the role guarded is wrong or missing"),
        ("service@", "nobody@", "there is no role nobody at 127.0.0.1, port {port}"),
        ("/postgres", "/elsewhere", "there is no database elsewhere at 127.0.0.1, port {port}"),
        ("/postgres", "/postgres?sslmode=require", "the TLS connection to 127.0.0.1, port {port}"),
        ("127.0.0.1:{port}", "127.0.0.1:9", "no PostgreSQL server answers at 127.0.0.1, port 9"),
        ("127.0.0.1", "db.invalid", "no PostgreSQL server answers at db.invalid, port {port}"),
    ],
)
def test_each_reason_has_its_own_sentence(cluster, tmp_path, old, new, sentence):
    port = cluster.port
    url = cluster.url("postgres").replace(old.format(port=port), new)
    with pytest.raises(DatabaseError, match=r"^DATABASE_URL: ") as refusal:
        open_store(build_store_settings(tmp_path, url))
    assert sentence.format(port=port) in str(refusal.value)
    assert "wrong-password" not in str(refusal.value)
    assert isinstance(refusal.value, UnreachableError) == sentence.startswith("no PostgreSQL")
