"""Rounding to a unit: the nearest multiple that is not on the wrong side."""

from hypothesis import given
from hypothesis import strategies as st

from blockops.units import GIB, KIB, MIB, SECTOR, round_down, round_up


@given(number=st.integers(0, 2**70), unit=st.integers(1, 2**40))
def test_a_number_lies_between_its_roundings(number: int, unit: int) -> None:
    low, high = round_down(number, unit), round_up(number, unit)
    assert low <= number <= high
    assert (low % unit, high % unit) == (0, 0)
    assert high - low == (0 if number % unit == 0 else unit)


def test_the_units_are_bytes() -> None:
    assert (SECTOR, KIB, MIB, GIB) == (512, 2**10, 2**20, 2**30)
