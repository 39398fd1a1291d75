"""A store and a clinic in it, for the messages that the clinic receives."""

import pytest
from support import builders


@pytest.fixture
def store(own_store):
    """A store of its own for each test."""
    return own_store


@pytest.fixture
def clinic(store):
    return builders.clinic(store)
