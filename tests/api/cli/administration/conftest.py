"""A store that the commands of one database share."""

import pytest
from support.builders import build_store_settings


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def settings(request, tmp_path_factory):
    """Settings of a store that the commands of one database share."""
    folder = tmp_path_factory.mktemp("commands")
    if request.param == "sqlite":
        return build_store_settings(folder)
    cluster = request.getfixturevalue("postgres")
    return build_store_settings(folder, cluster.url(cluster.database()))
