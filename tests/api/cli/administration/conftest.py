"""A store that the commands of one database share."""

import pytest
from support.builders import build_store_settings, copy_empty_store

from api.store.operations.startup import open_store


def build_settings(request, folder):
    """Return the settings of an empty store on the fixture's database."""
    if request.param == "sqlite":
        return copy_empty_store(folder)
    cluster = request.getfixturevalue("postgres")
    template = request.getfixturevalue("migrated")
    settings = build_store_settings(folder, cluster.url(cluster.database(template=template)))
    open_store(settings).close()
    return settings


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def settings(request, tmp_path_factory):
    """Settings of a store that the commands of one database share."""
    return build_settings(request, tmp_path_factory.mktemp("commands"))


@pytest.fixture(params=["sqlite", "postgres"])
def own_settings(request, tmp_path):
    """Settings of a store for the commands of one test."""
    return build_settings(request, tmp_path)
