"""A store of its own for each test: operations act on the rows of all organisations."""

import pytest


@pytest.fixture
def store(own_store):
    return own_store
