"""All claims, answered once for every test that only reads the answers."""

import pytest

from blockops.lab.results import Claim
from proposals.claims.page import CLAIMS, answer


@pytest.fixture(scope="session")
def claims() -> tuple[Claim, ...]:
    return tuple(map(answer, CLAIMS))
