"""What canonical URLs begin with is fixed at the first use of a database."""

import pytest
from pydantic import ValidationError
from support.builders import build_store_settings

from api.settings import Settings
from api.store.database.engine import DatabaseError
from api.store.operations.startup import open_store
from schemas.canonical import CANONICAL_BASE

OWN_BASE = "https://pain.example/definitions"
ADDRESSES = ["https://one.example", "https://two.example"]


@pytest.fixture(params=["sqlite", "postgres"])
def new_settings(request, tmp_path):
    """Settings of a database that was never used."""
    if request.param == "sqlite":
        return build_store_settings(tmp_path)
    cluster = request.getfixturevalue("postgres")
    return build_store_settings(tmp_path, cluster.url(cluster.database()))


def open_and_close(settings, *, may_create=True, **more):
    store = open_store(settings.model_copy(update=more), may_create=may_create)
    store.close()
    return store.canonical_bases


def test_without_a_setting_it_is_the_base_of_the_project(new_settings):
    assert open_and_close(new_settings) == (CANONICAL_BASE, new_settings.public_url)


def test_a_setting_names_another_at_the_first_use_and_is_not_needed_again(new_settings):
    bases = (OWN_BASE, new_settings.public_url)
    assert open_and_close(new_settings, canonical_base=OWN_BASE) == bases
    assert open_and_close(new_settings) == bases
    assert open_and_close(new_settings, canonical_base=OWN_BASE) == bases


def test_the_address_may_itself_be_the_base(new_settings):
    own = {"canonical_base": OWN_BASE, "public_url": OWN_BASE}
    assert open_and_close(new_settings, **own) == (OWN_BASE,)
    assert open_and_close(new_settings, **own) == (OWN_BASE,)


def test_another_one_later_is_refused_with_the_remedy(new_settings):
    open_and_close(new_settings)
    with pytest.raises(DatabaseError) as refusal:
        open_and_close(new_settings, canonical_base=OWN_BASE)
    assert str(refusal.value) == (
        f"NOCISCREEN_CANONICAL_BASE is {OWN_BASE}, but the canonical URLs of this database begin "
        f"with {CANONICAL_BASE} since its first use: remove the setting"
    )
    assert open_and_close(new_settings)[0] == CANONICAL_BASE


def test_each_address_is_remembered_once(new_settings):
    for address in (*ADDRESSES, *ADDRESSES):
        bases = open_and_close(new_settings, public_url=address)
    assert bases == (CANONICAL_BASE, *ADDRESSES)


def test_a_command_that_may_not_create_remembers_no_address(new_settings):
    bases = open_and_close(new_settings)
    other = {"public_url": ADDRESSES[0], "may_create": False}
    assert open_and_close(new_settings, **other) == bases
    assert open_and_close(new_settings) == bases


@pytest.mark.parametrize("base", ["https://h/", "https://h/a/"])
def test_a_slash_at_the_end_is_dropped(base):
    assert Settings(canonical_base=base).canonical_base == base.rstrip("/")


@pytest.mark.parametrize("base", ["pain.example", "urn:oid:1.2", "https://h?a", "https://h#a"])
def test_what_no_url_can_begin_with_is_refused(base):
    with pytest.raises(ValidationError, match="canonical_base"):
        Settings(canonical_base=base)
