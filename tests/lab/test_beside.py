"""Orders and power cuts as parts of a comparison: found through it, in numbers that add up."""

from collections import Counter
from typing import Any

import attrs
import cattrs
import pytest

import blockops.commands.images as images_module
import blockops.lab.compare as compare_module
import blockops.lab.settings as settings_module
from blockops.graph.formats import NewImage, create_image
from blockops.host.api import HostFolder
from blockops.lab.compare import Progress, Settings, compare
from blockops.lab.crossing import crossed_faults
from blockops.lab.exploring import record_once
from blockops.lab.interleaving.judged import orders_of
from blockops.lab.parts import Depth
from blockops.lab.plan import parts_of
from blockops.lab.policy import DEFAULT, Policy
from blockops.lab.power.cuts import power_cases
from blockops.lab.results import Coverage, Orders, Results, ToolSample
from blockops.lab.store import RunKey, open_store
from blockops.report.extents import extents
from proposals.catalogue import contestants
from tests.lab.cases import case
from tests.quality.bugs_commands import freeze_without_a_gate

CAREFUL = "group-snapshot.hardened.careful"
SMALL = Settings(devices=2, use_cases=("group-snapshot",), contestants=(CAREFUL,), examples=0, jobs=1)
LITTLE = Policy(
    odd=1,
    others=1,
    worlds=1,
    variants=1,
    pairs=1,
    power=30,
    orders=("group-snapshot",),
    deeper=(),
    crossing=("group-snapshot",),
    crossed=11,
    inner=False,
)


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample little, and leave the second opinion out."""
    monkeypatch.setattr(settings_module, "DEFAULT", LITTLE)
    monkeypatch.setattr(compare_module, "sample_images", lambda settings, parts: ToolSample())


def ignored(progress: Progress) -> None:
    pass


def compared(settings: Settings) -> Results:
    return compare(settings, contestants, ignored)


def only(results: Results, sort: str) -> Coverage:
    (entry,) = (entry for entry in results.coverage if entry.use_case == f"group-snapshot-2 {sort}")
    return entry


def violated(results: Results, sort: str) -> dict[str, str]:
    """Return the laws that broke in the cases of one sort, each with its smallest case."""
    return {
        cell.law: cell.smallest or ""
        for cell in results.cells
        if cell.use_case == f"group-snapshot-2 {sort}" and cell.violated
    }


def depths(settings: Settings, *wanted: Depth) -> set[tuple[str, str]]:
    parts = parts_of(settings, contestants())
    return {(part.contestant.id, part.place) for part in parts if part.depth in wanted}


# ------------------------------------------------------------------------------------------ the selection


def test_by_default_orders_of_one_use_case_and_power_cuts_of_the_best_and_the_plainest_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings_module, "DEFAULT", DEFAULT)
    orders = depths(Settings(), Depth.ORDERS)
    assert orders == {(one.id, "group-snapshot-2 orders") for one in contestants()}
    cut = depths(Settings(), Depth.POWER, Depth.LYING)
    assert cut == {
        (one.id, "group-snapshot-2 power")
        for one in contestants()
        if one.id.endswith((".hardened.careful", ".as-posted.naive"))
    }


def test_in_full_orders_are_crossed_with_faults_where_no_disk_is_copied() -> None:
    parts = parts_of(Settings(complete=True), contestants())
    orders = {str(part.setting): part.scope for part in parts if part.depth is Depth.ORDERS}
    crossed = {str(part.setting): part.scope for part in parts if part.depth is Depth.CROSSED}
    assert all(scope.whole and scope.sample is None for scope in (*orders.values(), *crossed.values()))
    assert {name for name in orders if "/migrate-many" not in name} == set(crossed)
    assert all((scope.departures == 2) is (name in crossed) for name, scope in orders.items())
    assert all(scope.hosts is ("/group-snapshot" in name) for name, scope in crossed.items())
    assert {name.partition("/")[2] for name in crossed} == {f"{one}-2" for one in Policy().crossing}


def test_everything_with_two_devices_is_tried_in_full() -> None:
    parts = parts_of(Settings(complete=True), contestants())
    own = {str(part) for part in parts if part.depth is Depth.OWN and part.inexpressible is None}
    for depth in (Depth.ORDERS, Depth.POWER):
        there = {str(part) for part in parts if part.depth is depth}
        assert there == {f"{name} {depth.name.lower()}" for name in own}
    assert all(part.scope.sample is None for part in parts if part.depth is Depth.POWER)


def test_where_faults_are_named_only_those_are_tried() -> None:
    assert depths(attrs.evolve(SMALL, faults=("eio",)), Depth.ORDERS, Depth.POWER, Depth.LYING) == set()
    cut = depths(attrs.evolve(SMALL, faults=("power", "lying")), *Depth)
    assert cut == {(CAREFUL, "group-snapshot-2 power"), (CAREFUL, "group-snapshot-2 lying")}


# -------------------------------------------------------------------------------------------- the numbers


@pytest.fixture(scope="module")
def usual() -> Results:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings_module, "DEFAULT", LITTLE)
        patch.setattr(compare_module, "sample_images", lambda settings, parts: ToolSample())
        return compared(SMALL)


def test_orders_are_counted_as_the_search_counts_them(usual: Results) -> None:
    entry = only(usual, "orders")
    search = orders_of(case(f"{CAREFUL}/group-snapshot-2/no-fault"), 1)
    explored = sum(1 for _ in search.orders())
    assert entry.orders == Orders(1, explored, search.counts.pruned)
    assert entry.cases == entry.space == explored == sum(portion.of for portion in entry.portions)
    assert (entry.sampled, entry.truncated, entry.left) == (False, False, 0)
    assert search.counts.pruned > 0


def test_orders_crossed_with_faults_add_up(usual: Results) -> None:
    entry, orders = only(usual, "crossed"), only(usual, "orders").orders
    assert entry.crossed is not None
    assert orders is not None
    assert entry.crossed.of == orders.explored - 1  # the scheduler's own is crossed elsewhere
    assert entry.cases == entry.crossed.orders == sum(portion.judged for portion in entry.portions) == 12
    assert entry.space == sum(portion.of for portion in entry.portions)
    start = case(f"{CAREFUL}/group-snapshot-2/no-fault")
    runs = [ran.order for ran in orders_of(start, 1).orders() if ran.order.departures]
    by_hand = Counter(
        fault.group
        for order in runs
        for fault in crossed_faults(start, record_once(attrs.evolve(start, order=order)))
    )
    assert {portion.group: portion.of for portion in entry.portions} == by_hand
    assert (entry.sampled, entry.truncated, entry.left) == (True, False, 0)
    assert entry.fault_points <= entry.all_fault_points


def test_the_report_says_how_many_orders_met_faults(usual: Results) -> None:
    said = list(extents(usual.coverage))[1]
    entry = only(usual, "crossed")
    assert "of 168 orders" in said
    assert f"12 met a fault; 12 of {entry.space:,} cases judged" in said
    parts = [one.split(" of ", 1) for one in said.partition("of them ")[2].split("; ")]
    assert sum(int(judged) for judged, _ in parts) == 12
    assert sum(int(of.split()[0].replace(",", "")) for _, of in parts) == entry.space


def test_states_after_power_cuts_add_up(usual: Results) -> None:
    entry = only(usual, "power")
    assert entry.power is not None
    assert (entry.cases, entry.sampled) == (30, True)
    assert entry.space == entry.power.distinct == sum(portion.of for portion in entry.portions)
    assert entry.power.instants == entry.all_fault_points
    same = entry.power.raw - entry.power.distinct - entry.power.remembered - entry.power.left_out
    orders, _, cuts = extents(usual.coverage)
    assert same >= 0
    assert f"{same:,} equal another at the same instant" in cuts
    assert f"{entry.power.distinct:,} are distinct" in cuts
    assert "P7, lying storage, is apart" in cuts
    assert f"{only(usual, 'orders').cases:,} explored" in orders


def test_designs_at_their_best_survive_orders_and_power_cuts(usual: Results) -> None:
    assert violated(usual, "orders") == violated(usual, "power") == {}
    assert usual.broken_invariants == ()


def test_all_power_cuts_that_are_asked_for_are_judged_beside_one_run() -> None:
    results = compared(attrs.evolve(SMALL, faults=("power",)))
    tally, found = power_cases(case(f"{CAREFUL}/group-snapshot-2/no-fault"))
    (entry,) = results.coverage
    assert entry.cases == entry.space == len(found) == tally.distinct
    assert (entry.sampled, entry.fault_points) == (False, len({one.case.split("@")[1] for one in found}))
    for cell in results.cells:
        assert cell.held + cell.violated + cell.unknown + cell.not_exercised == len(found)


def test_states_that_were_left_out_make_a_row_grey() -> None:
    careless = attrs.evolve(SMALL, contestants=("group-snapshot.as-posted.naive",), faults=("power",))
    results = compared(careless)
    (entry,) = results.coverage
    assert entry.power is not None
    assert entry.power.truncated > 0
    assert entry.sampled
    assert all(cell.sampled for cell in results.cells)
    assert "truncated" in entry.note
    assert "truncated at" in next(extents(results.coverage))
    assert "truthful" in violated(results, "power")


def test_storage_that_lies_is_told_apart() -> None:
    results = compared(attrs.evolve(SMALL, faults=("lying",)))
    (said,) = extents(results.coverage)
    assert "P7, storage that had lied" in said
    assert "nothing-lost" in violated(results, "lying")


# --------------------------------------------------------------------------------------- whoever does it


def plain(results: Results) -> Any:
    return {**cattrs.unstructure(results), "settings": None}


def test_the_results_do_not_depend_on_the_number_of_workers(usual: Results) -> None:
    assert plain(compared(attrs.evolve(SMALL, jobs=3))) == plain(usual)


def test_what_is_stored_is_not_judged_again_and_the_totals_hold(usual: Results, tmp_path: Any) -> None:
    last: list[Progress] = []
    for _ in range(2):
        with open_store(tmp_path / "store", RunKey("settings", "code")) as store:
            results = compare(SMALL, contestants, last.append, store=store)
        assert plain(results) == plain(usual)
        assert last[-1].done_cases == last[-1].expected_cases == sum(one.cases for one in usual.coverage)
    assert last[-1].stored_cases == last[-1].done_cases


def test_a_run_that_is_stopped_before_its_orders_says_how_many_there_are_at_most() -> None:
    def impatient(progress: Progress) -> None:
        if all(part.surveyed is not None for part in progress.parts):
            raise KeyboardInterrupt

    results = compare(SMALL, contestants, impatient)
    entry = only(results, "orders")
    assert (entry.cases, entry.truncated, entry.left) == (0, True, entry.space)
    assert f"at most {entry.left:,} not come to" in next(extents(results.coverage))
    assert only(results, "power").left == 30
    assert only(results, "crossed").left == 12


# ------------------------------------------------------------------------------------------ planted defects


def test_an_order_that_tears_a_freeze_without_a_gate_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze_without_a_gate(monkeypatch)
    results = compared(attrs.evolve(SMALL, contestants=("freeze.hardened.careful",)))
    found = violated(results, "orders")
    assert found["one-instant"].startswith("freeze.hardened.careful/group-snapshot-2/no-fault/g-")
    (skewed,) = (one for one in results.cells if one.law == "one-instant" and one.smallest == found[one.law])
    assert 0 < skewed.violated < skewed.violated + skewed.held == only(results, "orders").cases


def test_an_overlay_that_is_never_flushed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(host: HostFolder, new: NewImage, *, durable: bool) -> Any:
        return create_image(host, new, durable=False)

    monkeypatch.setattr(images_module, "create_image", hasty)
    found = violated(compared(attrs.evolve(SMALL, faults=("power",))), "power")
    assert found
