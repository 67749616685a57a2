"""Machines for tests of commands."""

import pytest

from blockops.commands.profile import Profile
from tests.commands.worlds import World, make_world


@pytest.fixture
def posted() -> World:
    """A machine as one of 2012 would have opened its images."""
    return make_world(Profile.AS_POSTED)


@pytest.fixture
def hardened() -> World:
    return make_world(Profile.HARDENED)


@pytest.fixture(params=list(Profile), ids=lambda profile: profile.value)
def world(request: pytest.FixtureRequest) -> World:
    """A machine of either profile, one after the other."""
    return make_world(request.param)
