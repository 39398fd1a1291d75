"""A store that the commands of one database share."""

import pytest
from support.builders import build_store_settings


def build_settings(request, folder):
    """Return the settings of a store that is not there yet, on the fixture's database."""
    if request.param == "sqlite":
        return build_store_settings(folder)
    cluster = request.getfixturevalue("postgres")
    return build_store_settings(folder, cluster.url(cluster.database()))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def settings(request, tmp_path_factory):
    """Settings of a store that the commands of one database share."""
    return build_settings(request, tmp_path_factory.mktemp("commands"))


@pytest.fixture(params=["sqlite", "postgres"])
def own_settings(request, tmp_path):
    """Settings of a store for the commands of one test."""
    return build_settings(request, tmp_path)
