"""What is measured on runs and on the code: small samples with known numbers, and the real ones' sense."""

import ast

import pytest

from blockops.management.contestant import Inexpressible
from blockops.management.use_cases import USE_CASES
from proposals.catalogue import ENTRIES, contestants
from proposals.claims import code, cost

CONTESTANTS = {contestant.id: contestant for contestant in contestants()}
PAGE = [entry for entry in ENTRIES if entry.page]


@pytest.mark.parametrize(
    ("source", "number"),
    [
        ("a = 1", 0),
        ("if a: pass", 1),
        ("if a: pass\nelif b: pass\nelse: pass", 2),
        ("a if b else c", 1),
        ("for a in b: pass", 1),
        ("while a: pass", 1),
        ("try: a\nexcept B: pass\nexcept C: pass", 2),
        ("a and b and c", 2),
        ("[a for a in b]", 1),
        ("[a for a in b if a if c]", 3),
        ("match a:\n case 1: pass\n case 2: pass\n case _: pass", 2),
    ],
)
def test_decisions_are_counted(source: str, number: int) -> None:
    assert code.decisions(ast.parse(source)) == number


def test_a_program_that_wraps_another_has_the_branches_of_both() -> None:
    for name in ("naive", "careful"):
        one = CONTESTANTS[f"freeze.hardened.{name}"]
        wrapped, plain = code.branches(one, "retry"), code.branches(one, "group-snapshot")
        assert wrapped is not None
        assert plain is not None
        assert wrapped > plain > 0


def test_a_use_case_that_cannot_be_expressed_has_neither_branches_nor_cost() -> None:
    one = CONTESTANTS["group-snapshot.hardened.careful"]
    assert isinstance(one.program("migrate-many"), Inexpressible)
    assert code.branches(one, "migrate-many") is None
    assert cost.cost(one, USE_CASES["migrate-many"]) is None


@pytest.mark.parametrize("entry", PAGE, ids=lambda entry: entry.id)
def test_the_places_of_an_operation_are_where_its_words_are(entry: object) -> None:
    places = code.places(entry, "resize")  # type: ignore[arg-type]
    assert any(place.endswith(".resize") and ".api." in place for place in places)
    assert any(place.endswith("Commands.commands") for place in places)
    assert not any("management" in place for place in places)


def test_an_operation_that_nobody_has_has_no_places() -> None:
    assert [code.places(entry, "defragment") for entry in PAGE] == [()] * len(PAGE)


def test_round_trips_are_what_the_designs_say() -> None:
    def trips(contestant: str, devices: int) -> int:
        return cost.measured(CONTESTANTS[contestant], "group-snapshot", devices).round_trips

    for devices in (1, 2, 8):
        assert trips("group-snapshot.hardened.naive", devices) == 1
        assert trips("drive-migrate.hardened.naive", devices) == devices
        assert trips("transaction.hardened.naive", devices) == devices + 2
        assert trips("freeze.hardened.naive", devices) == 3 * devices


def test_a_frozen_guest_stands_still_and_one_that_nobody_holds_does_not() -> None:
    frozen = cost.measured(CONTESTANTS["freeze.hardened.naive"], "group-snapshot", 4)
    loop = cost.measured(CONTESTANTS["drive-migrate.hardened.naive"], "group-snapshot", 4)
    assert frozen.stall_steps > 10 * loop.stall_steps
    assert frozen.stall_operations > loop.stall_operations
    assert frozen.bytes_written > 0


def test_every_use_case_is_measured_at_sensible_numbers_of_devices() -> None:
    for use_case in USE_CASES.values():
        counts = cost.counts_of(use_case)
        assert counts
        assert counts == (1,) or 8 in counts
