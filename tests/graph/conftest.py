"""A graph for each test."""

import pytest

from tests.graph.bench import Bench, make_bench


@pytest.fixture
def bench() -> Bench:
    return make_bench()
