"""What befalls commands and managers: each fault's meaning, on small scripted programs."""

from collections.abc import Callable

import attrs
import pytest

from blockops.errors import BlockError
from blockops.lab.case import Case
from blockops.lab.evidence import Ending, Evidence
from blockops.lab.execution import Execution
from blockops.lab.faults import FAMILIES, parse_fault
from blockops.lab.gathering import gather
from blockops.management.contestant import Manager, Program
from blockops.management.desk import Desk, Lost, Replied
from blockops.management.wish import Wish
from blockops.steps import Steps
from tests.lab.cases import case

Script = Callable[[Desk, list[object]], Steps[None]]


def scripted(
    name: str, script: Script, fault: str, recover: Script | None = None
) -> tuple[Evidence, list[object]]:
    """Let *script* be the management program of a contestant; return the evidence, and what it was told."""
    told: list[object] = []

    def program(desk: Desk, wish: Wish) -> Steps[None]:
        yield from script(desk, told)

    def recovery(desk: Desk, wish: Wish) -> Steps[None]:
        if recover is not None:
            yield from recover(desk, told)

    start = case(f"{name}/group-snapshot-2/no-fault")
    entry = start.contestant.entry
    programs = {manager: {**entry.programs[manager], "group-snapshot": program} for manager in Manager}
    recoveries: dict[Manager, Program] = dict.fromkeys(Manager, recovery)
    entry = attrs.evolve(entry, programs=programs, recover=recoveries)
    contestant = attrs.evolve(start.contestant, entry=entry)
    execution = Execution(Case(contestant, start.use_case, start.world, parse_fault(fault)))
    execution.go()
    return gather(execution), told


def snapshots(desk: Desk, told: list[object]) -> Steps[None]:
    """Snapshot d0, look, snapshot d1."""
    for command, arguments in (
        ("blockdev-snapshot-sync", {"device": "d0", "snapshot_file": "/vm/s0.qcow2"}),
        ("query-block", {}),
        ("blockdev-snapshot-sync", {"device": "d1", "snapshot_file": "/vm/s1.qcow2"}),
    ):
        told.append((yield from desk.execute(command, **arguments)))


def shown(answer: object) -> str:
    """What `query-block` said of d0."""
    assert isinstance(answer, Replied)
    assert isinstance(answer.value, list)
    return str(answer.value[0]["inserted"]["file"])


PLAIN = "group-snapshot.hardened.naive"
OLD, NEW = "/vm/d0.qcow2", "/vm/s0.qcow2"


@pytest.mark.parametrize(
    ("fault", "seen"),
    [("command-lost@1", OLD), ("reply-lost@1", NEW), ("disconnect@1", NEW), ("late@1", NEW)],
)
def test_without_an_answer_only_a_look_tells_what_happened(fault: str, seen: str) -> None:
    evidence, told = scripted(PLAIN, snapshots, fault)
    assert isinstance(told[0], Lost)
    assert shown(told[1]) == seen
    assert evidence.live[0].top == seen
    assert evidence.live[1].top == "/vm/s1.qcow2"
    assert not evidence.replied
    assert evidence.crossroads is not None


def test_a_command_that_is_delivered_twice_is_carried_out_twice_and_answered_once() -> None:
    evidence, told = scripted(PLAIN, snapshots, "twice@1")
    assert all(isinstance(answer, Replied) and answer.ok for answer in told)
    assert [one.command for one in evidence.exchanges].count("blockdev-snapshot-sync") == 2
    assert evidence.live[0].top == NEW
    assert evidence.crossroads is None


def transaction(desk: Desk, told: list[object]) -> Steps[None]:
    """Open a transaction, queue a snapshot of d0, commit."""
    told.append((yield from desk.execute("blockdev-start-transaction")))
    told.append((yield from desk.execute("blockdev-snapshot-sync", device="d0", snapshot_file=NEW)))
    told.append((yield from desk.execute("blockdev-commit-transaction")))


def test_a_transaction_ends_with_its_connection() -> None:
    evidence, told = scripted("transaction.hardened.naive", transaction, "disconnect@2")
    assert isinstance(told[2], Replied)
    assert not told[2].ok
    assert evidence.live[0].top == OLD
    assert NEW not in evidence.digests_after


def test_a_commit_goes_on_when_its_connection_ends() -> None:
    evidence, _ = scripted("transaction.hardened.naive", transaction, "disconnect@3")
    assert evidence.live[0].top == NEW


def freezing(desk: Desk, told: list[object]) -> Steps[None]:
    """Freeze d0, and look at it for long."""
    for command in ("blockdev-freeze", *["query-block"] * 40):
        arguments = {"device": "d0"} if command == "blockdev-freeze" else {}
        told.append((yield from desk.execute(command, **arguments)))


def frozen(answer: object) -> bool:
    assert isinstance(answer, Replied)
    assert isinstance(answer.value, list)
    return bool(answer.value[0]["frozen"])


def test_as_posted_a_freeze_outlives_its_connection() -> None:
    evidence, told = scripted("freeze.as-posted.naive", freezing, "disconnect@1")
    assert all(frozen(answer) for answer in told[1:])
    assert evidence.rest.held_back


def test_hardened_a_freeze_is_thawed_a_while_after_its_connection_has_ended() -> None:
    evidence, told = scripted("freeze.hardened.naive", freezing, "disconnect@1")
    assert frozen(told[1])
    assert not frozen(told[-1])
    assert not evidence.rest.held_back


def test_what_a_late_command_is_followed_by_waits_for_it_on_the_same_connection() -> None:
    evidence, told = scripted("transaction.hardened.naive", transaction, "late@2")
    assert isinstance(told[1], Lost)
    assert isinstance(told[2], Replied)
    assert told[2].ok
    assert evidence.live[0].top == NEW


# ------------------------------------------------------------------------------------- management


def noted(desk: Desk, told: list[object]) -> Steps[None]:
    """Take a note, snapshot d0, take another note."""
    yield from desk.note("before")
    yield from desk.must("blockdev-snapshot-sync", device="d0", snapshot_file=NEW)
    yield from desk.note("after")


def remember(desk: Desk, told: list[object]) -> Steps[None]:
    """Tell which notes there are, and what is shown."""
    told.append([note["kind"] for note in (yield from desk.notes())])
    told.append(shown((yield from desk.execute("query-block"))))


def test_a_new_process_has_the_notes_and_waits_for_what_the_dead_one_had_sent() -> None:
    # Steps: the note (two), the command sent; the death comes while it is carried out.
    evidence, told = scripted(PLAIN, noted, "manager-restarts@4", remember)
    assert told[:2] == [["before"], NEW]
    assert evidence.ending is Ending.RECOVERED


def test_a_process_that_forgets_has_no_notes() -> None:
    _, told = scripted(PLAIN, noted, "manager-forgets@4", remember)
    assert told[:2] == [[], NEW]


def test_a_recovery_that_dies_is_followed_by_another() -> None:
    evidence, told = scripted(PLAIN, noted, "manager-restarts@4+1", remember)
    assert told[:1] == [["before"]]
    assert evidence.ending is Ending.RECOVERED


def test_a_recovery_that_raises_has_not_recovered() -> None:
    def fail(desk: Desk, told: list[object]) -> Steps[None]:
        yield from desk.must("no-such-command")

    evidence, _ = scripted(PLAIN, noted, "manager-restarts@4", fail)
    assert evidence.ending is Ending.NOT_RECOVERED


def test_every_group_of_faults_has_a_name_of_its_own_and_reads_back() -> None:
    names = [group for family in FAMILIES for group in family.groups]
    assert len(set(names)) == len(names)
    for text in ("command-lost@1", "reply-lost@2", "disconnect@3", "late@4", "twice@5"):
        assert str(parse_fault(text)) == text
        assert parse_fault(text).group == text.partition("@")[0]
    for text in ("manager-restarts@4", "manager-restarts@4+2", "manager-forgets@4"):
        assert str(parse_fault(text)) == text
    for text in ("manager-restarts@4+", "manager-forgets@4+1", "late@", "twice@x"):
        with pytest.raises((ValueError, BlockError)):
            parse_fault(text)
