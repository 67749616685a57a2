"""Which disks may survive a power cut: against a little oracle over the plain list of operations."""

import itertools
from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockops.errors import HostError
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.faults.fault import Fault
from blockops.lab.hosts import Clock, FaultyFile, FaultyFolder
from blockops.lab.power.journal import Journal
from blockops.lab.power.models import LEGAL, MANY, Model, NoSuchState
from blockops.lab.power.surviving import State, state_called, survivors
from tests.lab.power.power_oracle import FOLDERS, NAMES, Op, Oracle, legal


@attrs.frozen
class Journaled(Fault):
    """Nothing breaks, but a journal is kept."""

    lying: bool = False
    group = "none"

    def journal(self) -> Journal:
        return Journal(self.lying)


def _ops(*names: str) -> st.SearchStrategy[Op]:
    name = st.sampled_from(names)
    writes = st.builds(
        Op, st.just("write"), name, st.sampled_from([0, 300, 4000]), st.sampled_from([8, 700, 2000])
    )
    return st.one_of(
        writes,
        writes,
        st.builds(Op, st.sampled_from(["create", "flush", "flush", "unlink", "close"]), name),
        st.builds(Op, st.just("truncate"), name, st.sampled_from([0, 100, 5000])),
        st.builds(Op, st.just("rename"), name, to=name),
        st.builds(Op, st.just("sync"), st.sampled_from(FOLDERS)),
    )


HISTORIES = st.one_of(
    st.lists(_ops("/vm/a"), max_size=10),
    st.lists(_ops("/vm/a", "/vm/dst/c"), max_size=10),
    st.lists(_ops(*NAMES), max_size=10),
)


@attrs.define(eq=False)
class World:
    """The operations carried out through the lab's host, and the list of those that succeeded."""

    disk: MemoryDisk
    journal: Journal
    folder: FaultyFolder
    done: list[Op] = attrs.field(factory=list)
    files: dict[str, FaultyFile] = attrs.field(factory=dict)

    def carry_out(self, op: Op) -> None:
        try:
            self._try(op)
        except HostError:
            return
        self.done.append(op)

    def _try(self, op: Op) -> None:
        match op.kind:
            case "create":
                self._at(op.name, self.folder.create(op.name, replace=True))
            case "write":
                fill = bytes([len(self.done) + 1]) * op.length
                self._file(op.name).write(op.offset, fill)
            case "truncate":
                self._file(op.name).truncate(op.offset)
            case "flush":
                self._file(op.name).flush()
            case "unlink":
                self.folder.unlink(op.name)
                self.files.pop(op.name, None)
            case "rename":
                self.folder.rename(op.name, op.to)
                if op.name != op.to:
                    self.files.pop(op.to, None)
                    self.files.pop(op.name, None)
            case "sync":
                self.folder.sync(op.name)
            case "close":
                self.files.pop(op.name).close() if op.name in self.files else None
            case _:
                raise AssertionError(op.kind)

    def _at(self, name: str, file: FaultyFile) -> None:
        self.files[name] = file

    def _file(self, name: str) -> FaultyFile:
        if name not in self.files:
            self.files[name] = self.folder.open(name, writable=True)
        return self.files[name]

    def states(self, *models: Model) -> list[State]:
        return list(survivors(self.disk, self.journal, models).states.values())

    @property
    def live(self) -> dict[str, bytes]:
        return _bytes(self.disk.files)


def _world(ops: Sequence[Op], lying: bool = False) -> World:
    disk = MemoryDisk()
    disk.make_folder("/vm/dst")
    file = MemoryFolder(disk).create("/vm/a", replace=False)
    file.write(0, b"\xff" * 1000)
    file.close()
    clock = Clock(Journaled(lying))
    assert clock.journal is not None
    world = World(disk, clock.journal, FaultyFolder(MemoryFolder(disk), clock))
    for op in ops:
        world.carry_out(op)
    return world


def _bytes(files: object) -> dict[str, bytes]:
    assert isinstance(files, dict)
    return {path: content.read(0, content.size) for path, content in files.items()}


# ------------------------------------------------------------------------------------------ the claims


@settings(max_examples=300, deadline=None)
@given(HISTORIES)
def test_every_surviving_state_islegal(ops: list[Op]) -> None:
    world = _world(ops)
    oracle = Oracle.of(world.done)
    for model in LEGAL[1:]:
        for state in world.states(model):
            assert legal(oracle, _bytes(state.files), model), (state.name, world.done)


@settings(max_examples=300, deadline=None)
@given(HISTORIES)
def test_what_was_flushed_and_synced_survives(ops: list[Op]) -> None:
    world = _world(ops)
    oracle, live = Oracle.of(world.done), world.live
    promised = [path for path in NAMES if _is_promised(oracle, path)]
    for state in world.states(*LEGAL):
        found = _bytes(state.files)
        assert {path: found.get(path) for path in promised} == {path: live.get(path) for path in promised}


def _is_promised(oracle: Oracle, path: str) -> bool:
    ways = oracle.of_name(path)
    now = ways[-1]
    return all(way is now for way in ways) and (now is None or not now.since)


@settings(max_examples=50, deadline=None)
@given(HISTORIES)
def test_a_stronger_model_keeps_the_states_of_a_weaker_one(ops: list[Op]) -> None:
    world = _world(ops)
    keys: dict[Model, set[tuple[object, ...]]] = {
        model: {state.key for state in world.states(model)} for model in LEGAL
    }
    assert keys[Model.ISSUED] <= keys[Model.SUBSET]
    assert keys[Model.SYNCED] <= keys[Model.SUBSET] <= keys[Model.TORN]
    for one, two in itertools.pairwise((Model.SUBSET, Model.ENTRIES, Model.RENAMES)):
        assert keys[one] <= keys[two]
    assert keys[Model.SUBSET] <= keys[Model.SIZE]


@settings(max_examples=50, deadline=None)
@given(HISTORIES)
def test_what_was_issued_is_the_disk(ops: list[Op]) -> None:
    world = _world(ops)
    (state,) = world.states(Model.ISSUED)
    assert _bytes(state.files) == world.live


@settings(max_examples=50, deadline=None)
@given(HISTORIES)
def test_a_state_is_made_again_by_its_name(ops: list[Op]) -> None:
    world = _world(ops)
    for state in world.states(*LEGAL):
        assert _bytes(state_called(state.name, world.disk, world.journal)) == _bytes(state.files)


@settings(max_examples=50, deadline=None)
@given(HISTORIES)
def test_storage_that_lies_keeps_nothing(ops: list[Op]) -> None:
    world = _world(ops, lying=True)
    (state,) = world.states(Model.LYING)
    assert _bytes(state.files) == {"/vm/a": b"\xff" * 1000}


@settings(max_examples=50, deadline=None)
@given(HISTORIES)
def test_raw_states_are_at_least_the_distinct_ones(ops: list[Op]) -> None:
    world = _world(ops)
    found = survivors(world.disk, world.journal, LEGAL)
    assert found.raw >= len(found.states)


def _names_of(ops: Sequence[Op], model: Model) -> list[str]:
    return [state.name for state in _world(ops).states(model)]


def test_of_one_write_two_states_are_named() -> None:
    assert _names_of([Op("write", "/vm/a", 0, 8)], Model.SUBSET) == ["P2", "P2+a=none"]


def test_a_write_is_torn_at_the_bounds_of_sectors() -> None:
    names = _names_of([Op("write", "/vm/a", 300, 2000)], Model.TORN)
    assert names == ["P3", "P3+a=none", "P3+a=1c212", "P3+a=1c724", "P3+a=1c1748"]


def test_a_file_may_have_its_size_before_its_data() -> None:
    names = _names_of([Op("write", "/vm/a", 900, 700)], Model.SIZE)
    assert names == ["P4", "P4+a=none", "P4+a=nonez", "P4+a=noneg"]


def test_a_flushed_file_without_a_synced_name_may_be_gone() -> None:
    ops = [Op("create", "/vm/b"), Op("write", "/vm/b", 0, 8), Op("flush", "/vm/b")]
    assert {frozenset(_bytes(state.files)) for state in _world(ops).states(Model.ENTRIES)} == {
        frozenset({"/vm/a"}),
        frozenset({"/vm/a", "/vm/b"}),
    }


def test_only_an_unordered_rename_overtakes_another_change_of_names() -> None:
    ops = [Op("create", "/vm/b"), Op("rename", "/vm/a", to="/vm/dst/c")]
    lonely = {"/vm/dst/c"}
    assert lonely not in [set(_bytes(state.files)) for state in _world(ops).states(Model.ENTRIES)]
    assert lonely in [set(_bytes(state.files)) for state in _world(ops).states(Model.RENAMES)]


def test_a_rename_that_is_half_done_leaves_both_names() -> None:
    states = _world([Op("rename", "/vm/a", to="/vm/b")]).states(Model.RENAMES)
    assert {state.name: set(state.files) for state in states} == {
        "P6": {"/vm/b"},
        "P6+names=none": {"/vm/a"},
        "P6+names=1h": {"/vm/a", "/vm/b"},
    }


def test_too_many_changes_are_said_to_be_truncated() -> None:
    few = [Op("write", "/vm/a", 0, 8)] * MANY
    many = [*few, Op("write", "/vm/a", 512, 8)]
    for ops, truncated in ((few, False), (many, True)):
        world = _world(ops)
        assert survivors(world.disk, world.journal, [Model.SUBSET]).truncated is truncated


@pytest.mark.parametrize("name", ["P2+b=none", "P2+a=2", "P2+a=1.1", "P2+a=x", "P9", "P2+names=1"])
def test_a_name_of_no_state_is_refused(name: str) -> None:
    world = _world([Op("write", "/vm/a", 0, 8)])
    with pytest.raises(NoSuchState):
        state_called(name, world.disk, world.journal)
