"""The space of faults is complete, settings select from it, and tallies add up in any order."""

import re
from collections import Counter
from collections.abc import Iterable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.host.memory import MemoryFolder
from blockops.lab.execution import Execution
from blockops.lab.exploring import record, space
from blockops.lab.faults import GROUPS, parse_fault
from blockops.lab.faults.fault import HostOperation
from blockops.lab.faults.host import PAIR, HostFault, Span
from blockops.lab.faults.kinds import APPLIED_TO, KINDS_OF, MUTATING, ONE_FILE, Kind, scope_of
from blockops.lab.faults.process import KilledAtOperation
from blockops.lab.judging import Judged
from blockops.lab.laws.judgement import HELD, NOT_EXERCISED, Judgement, violated
from blockops.lab.naming import fault_point, owner_and_role, structure_at
from blockops.lab.parts import Depth, Part, Scope, Setting
from blockops.lab.plan import parts_of
from blockops.lab.replay import abridged, replay
from blockops.lab.results import Event, Verdict
from blockops.lab.settings import Settings
from blockops.lab.tally import Tally
from blockops.lab.world import World, initial_disk
from blockops.management.use_cases import USE_CASES
from blockops.qcow2.header import read_header
from blockops.units import SECTOR
from proposals.catalogue import contestants
from tests.lab.cases import case

# ------------------------------------------------------------------------------------------- the space

START = case("transaction.hardened.naive/group-snapshot-3/no-fault")
WITH_JOBS = case("merged-transaction.hardened.naive/migrate-one-1/no-fault")


def cannot_tear(operation: HostOperation) -> bool:
    """A sector is written whole or not at all."""
    return operation.operation == "write" and operation.length < 2 * SECTOR


def test_every_operation_is_broken_in_every_way_that_applies_in_every_span_before_and_after() -> None:
    recording = record(START)
    found = space(START, recording, None, complete=True)
    counted = Counter(fault.number for fault in found.faults if isinstance(fault, HostFault))
    assert counted == {
        operation.number: len(Span) * (len(KINDS_OF[operation.operation]) - cannot_tear(operation))
        + len(Span) * (operation.operation in APPLIED_TO)
        for operation in recording.operations
    }
    assert len(set(found.faults)) == len(found.faults)
    assert not found.truncated


def test_kills_and_deaths_come_at_every_step_and_the_guest_s_pace_changes_at_every_step() -> None:
    recording = record(START)
    names = [str(fault) for fault in space(START, recording, None, complete=True).faults]
    for name, steps in (
        ("kill@step-", recording.steps),
        ("manager-dies@", recording.manager_steps),
        ("guest-runs@", recording.operation_steps),
        ("guest-lags@", recording.operation_steps),
    ):
        assert [f"{name}{step}" in names for step in range(steps + 2)] == [False, *[True] * steps, False]
    struck = {fault for fault in recording.operations if f"kill@{fault.number}" in names}
    assert struck == {
        one for one in recording.operations if one.operation in MUTATING and one.actor != "management"
    }


def test_with_three_devices_only_the_first_and_the_last_are_broken_unless_all_are_asked_for() -> None:
    recording = record(START)
    edge = space(START, recording, None, complete=False)
    assert edge.truncated
    middle = {one.number for one in recording.operations if one.path in ("/vm/d1.qcow2", "/vm/s1.qcow2")}
    broken = {fault.number for fault in edge.faults if isinstance(fault, HostFault | KilledAtOperation)}
    assert middle
    assert not middle & broken
    assert broken == {one.number for one in recording.operations} - middle


@pytest.mark.parametrize("group", [group for group in GROUPS if group != PAIR])
def test_each_group_of_faults_can_be_asked_for_alone(group: str) -> None:
    start = WITH_JOBS if group == "cancelled" else START
    found = space(start, record(start), frozenset({group}), complete=True).faults
    assert found
    assert {fault.group for fault in found} == {group}


# -------------------------------------------------------------------------------------- the selection


def names(parts: list[Part]) -> set[str]:
    return {str(part) for part in parts}


def test_everything_is_selected_by_default_and_nothing_twice() -> None:
    parts = parts_of(Settings(), contestants())
    singles = [part for part in parts if not part.depth.besides]
    counts = sum(len(use_case.device_counts) for use_case in USE_CASES.values())
    assert len(names(parts)) == len(parts)
    standard = [part for part in singles if part.setting.world.standard]
    assert len(standard) == counts * len(contestants())
    own = [part for part in singles if part.depth is Depth.OWN and part.inexpressible is None]
    for depth, word in ((Depth.PAIRS, "pairs"), (Depth.VARIANTS, "variants")):
        there = {part.place for part in parts if part.depth is depth}
        assert there == {f"{part.place} {word}" for part in own}


def test_what_is_judged_with_two_devices_and_its_variants_are_together_all_that_there_is() -> None:
    setting = Setting("freeze.hardened.naive", "group-snapshot", World(devices=2))
    faults = {}
    for variants in (None, False, True):
        scope = Scope(None, inner=True, seed=7, variants=variants)
        found = space(start := case(f"{setting}/no-fault"), record(start), None, complete=True)
        faults[variants] = {str(fault) for fault in found.faults if scope.asks_for(fault)}
    assert faults[False] | faults[True] == faults[None]
    assert not faults[False] & faults[True]
    # "manager-restarts@4+2" is another sort than "manager-restarts@4".
    names = {side: {re.sub(r"@[\w-]+", "", name) for name in faults[side]} for side in (False, True)}
    assert {"no-fault", "eio", "eio+", "eio!", "short", "kill", "manager-restarts"} <= names[False]
    assert {"eio~", "eio!+", "eio!~", "short+", "torn+", "dropped+"} <= names[True]
    assert {"manager-restarts+2", "guest-runs", "guest-lags"} <= names[True]
    assert not names[False] & names[True]


@pytest.mark.parametrize(
    "settings", [Settings(complete=True), Settings(faults=("eio", "guest-runs")), Settings(devices=9)]
)
def test_variants_are_apart_only_where_they_are_sampled(settings: Settings) -> None:
    assert all(part.depth is not Depth.VARIANTS for part in parts_of(settings, contestants()))
    assert all(part.scope.variants is None for part in parts_of(settings, contestants()))


def test_settings_select_by_design_profile_manager_use_case_and_devices() -> None:
    settings = Settings(
        devices=4,
        use_cases=("retry",),
        contestants=("freeze", "stop-cont"),
        profiles=("as-posted",),
        managers=("careful",),
        faults=("eio",),
    )
    assert names(parts_of(settings, contestants())) == {
        "freeze.as-posted.careful/retry-4",
        "stop-cont.as-posted.careful/retry-4",
    }


def test_given_images_say_how_many_devices_there_are() -> None:
    images = (("/a", "raw"), ("/b", "qcow2"), ("/c", "raw"))
    parts = parts_of(Settings(images=images, use_cases=("give-up",), contestants=("freeze",)), contestants())
    assert {part.setting.world for part in parts} == {World(devices=3, given=images)}


def test_what_a_design_cannot_do_is_selected_with_its_reason() -> None:
    parts = parts_of(Settings(use_cases=("migrate-one",)), contestants())
    reasons = {part.contestant.entry.id: part.inexpressible for part in parts}
    assert reasons["freeze"] is None
    assert "no mirror" in str(reasons["group-snapshot"])


# ------------------------------------------------------------------------------------------ the tallies

JUDGEMENTS: st.SearchStrategy[Judgement] = st.one_of(
    st.just(HELD), st.just(NOT_EXERCISED), st.builds(violated, st.text("xyz"), st.sampled_from("abc"))
)
JUDGED = st.builds(
    Judged,
    case=st.uuids().map(str),
    judgements=st.dictionaries(st.sampled_from(["tidy", "sound"]), JUDGEMENTS),
    broken=st.lists(st.sampled_from(["p", "q", "r"]), max_size=2).map(tuple),
    struck=st.booleans(),
    masked=st.booleans(),
    equal=st.booleans(),
)


FAULTS = tuple(map(parse_fault, ("no-fault", "eio@4", "enospc+@4")))


def summed(tallies: list[Tally]) -> Tally:
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole


@given(st.lists(JUDGED, max_size=12), st.data())
def test_tallies_add_up_to_the_same_whole_in_any_order(cases: list[Judged], data: st.DataObject) -> None:
    slices: dict[int, Tally] = {}
    alone = Tally()
    for rank, judged in enumerate(cases):
        alone.count(judged, FAULTS[rank % 3], rank)
        slices.setdefault(data.draw(st.integers(0, 3)), Tally()).count(judged, FAULTS[rank % 3], rank)
    order = data.draw(st.permutations(list(slices.values())))
    assert summed(order) == summed(list(slices.values())) == summed([alone])


def counted(names: Iterable[str], again: frozenset[str], within: frozenset[str]) -> Tally:
    tally = Tally()
    for rank, name in enumerate(names):
        judged = Judged(name, {"tidy": violated("a"), "sound": HELD}, again=again, within=within)
        tally.count(judged, parse_fault(name), rank)
    return tally


STRIKES = ("eio@4", "eio+@4", "eio~@4", "enospc+@4", "no-fault", "kill@step-3")
NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("again", "within", "lasting"),
    [
        (NOTHING, NOTHING, 0),
        ({ONE_FILE}, NOTHING, 1),
        ({ONE_FILE}, {ONE_FILE}, 2),
        ({ONE_FILE, scope_of(Kind.ENOSPC)}, NOTHING, 2),
    ],
)
def test_only_violations_under_faults_that_struck_again_are_counted_apart(
    again: set[str], within: set[str], lasting: int
) -> None:
    tally = counted(STRIKES, frozenset(again), frozenset(within))
    assert tally.lasting == {"tidy": lasting}
    assert tally.verdicts["tidy", Verdict.VIOLATED] == len(STRIKES)


def test_the_smallest_case_of_a_sort_is_the_first_of_the_list() -> None:
    late, early = Tally(), Tally()
    late.count(Judged("late", {"tidy": violated("b", "sort")}, (), True), FAULTS[0], 9)
    early.count(Judged("early", {"tidy": violated("a", "sort")}, (), True), FAULTS[0], 2)
    whole = summed([late, early])
    broken = whole.violations["tidy", "sort"]
    assert (broken.case, broken.sentence, broken.count) == ("early", "a", 2)
    assert whole.verdicts == {("tidy", Verdict.VIOLATED): 2}
    assert late.violations["tidy", "sort"].case == "late"


# --------------------------------------------------------------------------------------- names for people


def test_the_structure_that_an_operation_hit_is_named() -> None:
    world = World(devices=2)
    disk = initial_disk(world)
    path = world.disks()[1].old.path
    header = read_header(MemoryFolder(disk).open(path, writable=False))
    table = MemoryFolder(disk).open(path, writable=False)
    block = int.from_bytes(table.read(header.refcount_table_offset, 8), "big")
    l2_table = int.from_bytes(table.read(header.l1_offset, 8), "big") & ~(3 << 62)
    assert [
        structure_at(disk, path, offset)
        for offset in (0, header.refcount_table_offset, block + 2, header.l1_offset, l2_table + 8)
    ] == ["the header", "the refcount table", "a refcount block", "the L1 table", "an L2 table"]
    assert structure_at(disk, path, table.size() - 1) == "data"
    assert structure_at(disk, "/vm/none", 7) == "bytes at 7"


def test_a_fault_point_says_whose_file_which_part_and_who() -> None:
    world = World(devices=2)
    operation = HostOperation(3, "hypervisor", "write", "/vm/d1.qcow2", 0, 8)
    assert fault_point(operation, initial_disk(world), world) == (
        "d1: old image d1.qcow2: write of the header (by the hypervisor)"
    )
    flush = attrs.evolve(operation, operation="flush", path="/vm/dst/s0.qcow2", actor="guest")
    assert fault_point(flush, initial_disk(world), world) == "d0: target s0.qcow2: flush (by the guest)"
    assert owner_and_role("/vm/management/notes.json", world) == "/vm/management/notes.json"


def test_every_operation_of_a_case_has_a_name() -> None:
    execution = Execution(case("freeze.hardened.naive/migrate-many-2/no-fault"), recording=True)
    execution.go()
    world = execution.case.world
    points = {fault_point(operation, execution.disk, world) for operation in execution.clock.operations}
    for part in ("header", "refcount table", "L1 table"):
        assert any(f" of the {part} " in point for point in points), part
    for part in ("a refcount block", "an L2 table", "data"):
        assert any(f" of {part} " in point for point in points), part


def test_an_abridged_timeline_leaves_out_what_the_guest_does_as_usual() -> None:
    told = [
        Event(1, "management", "send x"),
        Event(2, "guest", "d0: write 1 to sectors 0+1"),
        Event(3, "guest", "d0: write 2 to sectors 0+1 (queued)"),
        Event(4, "guest", "d0: write 2 to sectors 0+1: failed: no"),
    ]
    assert abridged(tuple(told)) == (told[0], told[2], told[3])
    many = tuple(Event(step, "hypervisor", "open") for step in range(100))
    gap = Event(2, "management", "… 96 events left out: see the replay")
    assert abridged(many, limit=4) == (many[0], many[1], gap, many[98], many[99])


def test_an_abridged_timeline_keeps_what_the_fault_did() -> None:
    struck = Event(50, "fault", "eio@9 strikes")
    many = tuple(struck if step == 50 else Event(step, "hypervisor", "open") for step in range(100))
    assert struck in abridged(many, limit=4)


def test_a_watched_case_marks_where_the_host_failed() -> None:
    name = "freeze.as-posted.careful/group-snapshot-2"
    hit = record(case(f"{name}/no-fault")).operations[16]
    timeline = replay(f"{name}/eio@17", contestants(), {}).timeline
    (struck,) = [event.text for event in timeline if event.actor == "fault"]
    assert struck == f"eio@17 strikes: {hit.operation} of {hit.path} by the {hit.actor}"
