"""A store that the commands of one database share."""

import pytest
from support.builders import kept_in


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def settings(request, tmp_path_factory):
    """Settings of a store that the commands of one database share."""
    folder = tmp_path_factory.mktemp("commands")
    if request.param == "sqlite":
        return kept_in(folder)
    cluster = request.getfixturevalue("postgres")
    return kept_in(folder, cluster.url(cluster.database()))
