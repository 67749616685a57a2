"""Our own contestants conform, and each check sees what it is for."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from blockops.conformance import CHECKS, check_contestant
from blockops.errors import BlockError
from blockops.management.contestant import Entry, Inexpressible, Manager
from blockops.management.desk import Desk, NoAnswer
from blockops.management.use_cases import USE_CASES
from blockops.management.wish import Wish
from blockops.qmp.command import Client, Command
from blockops.steps import Phase, Step, Steps
from proposals.baselines.naive_loop import NaiveLoopCommands
from proposals.catalogue import ENTRIES

QUICK = [name for name in CHECKS if name != "dies with its process only"]
NAIVE_LOOP = next(entry for entry in ENTRIES if entry.id == "naive-loop")
RECORDED = next(entry for entry in ENTRIES if entry.id == "recorded-transaction")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)
def test_everybody_here_conforms(entry: Entry) -> None:
    check_contestant(entry, QUICK)


@pytest.mark.parametrize("entry", [NAIVE_LOOP, RECORDED], ids=lambda entry: entry.id)
def test_they_die_with_their_process_only(entry: Entry) -> None:
    check_contestant(entry, ["dies with its process only"])


def only(program: Any) -> Entry:
    """naive-loop with another program for the group snapshot, and no other use case."""
    no = Inexpressible("not asked")
    programs = dict.fromkeys(USE_CASES, no) | {"group-snapshot": program}
    return attrs.evolve(NAIVE_LOOP, programs=dict.fromkeys(Manager, programs))


def does_nothing(desk: Desk, wish: Wish) -> Steps[None]:
    yield Step(Phase.CHECK, "nothing")


def gives_up(desk: Desk, wish: Wish) -> Steps[None]:
    yield Step(Phase.CHECK, "nothing")
    raise BlockError


COUNT = iter(range(1000))


def changes_its_mind(desk: Desk, wish: Wish) -> Steps[None]:
    for _ in range(next(COUNT)):
        yield Step(Phase.CHECK, "mood")
    for disk in wish.disks:
        yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)


def blows_up(desk: Desk, wish: Wish) -> Steps[None]:
    try:
        for disk in wish.disks:
            yield from desk.must("blockdev-snapshot-sync", device=disk.device, snapshot_file=disk.overlay)
    except NoAnswer:
        raise RuntimeError("boom") from None


def blows_up_at_once(desk: Desk, wish: Wish) -> Steps[None]:
    yield Step(Phase.CHECK, "bomb")
    raise RuntimeError("boom")


class Mumbling(NaiveLoopCommands):
    """Answers with what is not JSON."""

    @property
    def commands(self) -> Mapping[str, Command]:
        found = dict(super().commands)
        found["query-block"] = attrs.evolve(found["query-block"], handler=self.mumble)
        return found

    def mumble(self, client: Client, arguments: object) -> Steps[object]:
        yield Step(Phase.CHECK, "mumble")
        return {"at": {1, 2}}


class Leaving(NaiveLoopCommands):
    """Stops the guest when anybody leaves."""

    def disconnected(self, client: Client) -> Steps[None]:
        self.machine.stop()
        yield Step(Phase.GATE, "all")


class Mute(NaiveLoopCommands):
    """Has lost its commands."""

    @property
    def commands(self) -> Mapping[str, Command]:
        return {}


WRONG = [
    ("fits into case ids", attrs.evolve(NAIVE_LOOP, id="Naive.Loop"), "lower-case words"),
    ("answers for every use case", only(Inexpressible(" ")), "no reason"),
    ("answers for every use case", attrs.evolve(NAIVE_LOOP, recover={}), "no recovery program"),
    ("has the commands of all", attrs.evolve(NAIVE_LOOP, make=Mute), "no command 'query-block'"),
    ("answers in QMP", attrs.evolve(NAIVE_LOOP, make=Mumbling), "is answered by"),
    ("stays when a stranger leaves", attrs.evolve(NAIVE_LOOP, make=Leaving), "something changed"),
    ("reaches what it expresses", only(does_nothing), "the devices are old, old"),
    ("reaches what it expresses", only(gives_up), "with nothing broken management ended with an error"),
    ("is deterministic", only(changes_its_mind), "differ"),
    ("is deterministic", only(blows_up_at_once), "RuntimeError: boom"),
    ("dies with its process only", only(blows_up), "RuntimeError: boom"),
]


@pytest.mark.parametrize(("check", "entry", "sentence"), WRONG, ids=[f"{one[0]}-{one[2]}" for one in WRONG])
def test_each_check_sees_what_it_is_for(check: str, entry: Entry, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_contestant(entry, [check])
