"""One case, one course of events: on any machine, in any process, with any number of workers."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import cattrs
import pytest

import blockops.lab.compare as compare_module
from blockops.device import Device, Request
from blockops.lab.compare import Progress, Settings, compare
from blockops.lab.evidence import Ending
from blockops.lab.execution import Execution
from blockops.lab.exploring import record
from blockops.lab.faults import parse_fault
from blockops.lab.faults.pace import LAG, NoFault
from blockops.lab.judging import judged
from blockops.lab.replay import replay, watch
from blockops.lab.results import Results, ToolSample, Verdict
from blockops.lab.tally import Tally
from blockops.management.desk import Replied
from blockops.qmp.command import Client
from blockops.steps import Steps
from proposals.catalogue import contestants
from proposals.group_snapshot.arguments import GroupSnapshotSync
from proposals.group_snapshot.commands import GroupSnapshotCommands
from tests.lab.cases import CONTESTANTS, case, explore, seen

IDS = (
    "group-snapshot.as-posted.naive/group-snapshot-2/enospc+@7",
    "drive-migrate.hardened.careful/migrate-many-2/no-fault",
    "transaction.hardened.naive/switch-many-2/kill@step-40",
    "transaction.as-posted.careful/migrate-one-1/torn@46",
    "freeze.as-posted.careful/give-up-2/manager-dies@9",
    "freeze.hardened.naive/retry-2/guest-lags@6",
    "stop-cont.as-posted.careful/group-snapshot-3/occupied@d1",
    "group-snapshot-v1.as-posted.naive/retry-2/guest-runs@12",
)


def story(text: str) -> str:
    """Return all that a replay shows, as one string."""
    shown = replay(text, contestants(), {})
    return repr((shown.timeline, shown.judgements, shown.fault_point, shown.broken))


@pytest.mark.parametrize("text", IDS)
def test_the_same_id_gives_the_same_story_twice(text: str) -> None:
    assert story(text) == story(text)


TOLD = """
import hashlib
from tests.lab.test_scheduler import IDS, story
from tests.lab.cases import case
from blockops.lab.world import World
digests = [World(devices=n, given=(("/x", "raw"),)).digest() for n in (1, 2)]
print(hashlib.sha256("".join([*map(story, IDS), *digests]).encode()).hexdigest())
"""


def test_the_same_id_gives_the_same_story_in_every_process() -> None:
    told = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()}
        told.add(
            subprocess.run(
                [sys.executable, "-c", TOLD], env=environment, capture_output=True, check=True, text=True
            ).stdout
        )
    assert len(told) == 1
    assert len(told.pop().strip()) == len(hashlib.sha256().hexdigest())


def compared(jobs: int) -> dict[str, Any]:
    settings = Settings(
        devices=2,
        use_cases=("group-snapshot", "give-up"),
        contestants=("group-snapshot", "naive-loop"),
        profiles=("as-posted",),
        managers=("naive",),
        faults=("eio", "kill"),
        jobs=jobs,
        examples=0,
    )
    results: Results = compare(settings, contestants, ignored)
    plain: dict[str, Any] = cattrs.unstructure(results)
    plain["settings"].pop("jobs")
    plain.pop("timing")
    return plain


def ignored(progress: Progress) -> None:
    assert progress.done_cases <= progress.expected_cases


def test_the_result_does_not_depend_on_the_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_module, "sample_images", lambda settings, parts: ToolSample())
    one, two = compared(1), compared(2)
    assert max(part["cases"] for part in one["coverage"]) > 200  # more than one slice: errands.judging
    assert one["violations"]
    assert not one["broken_invariants"]
    assert one == two


# --------------------------------------------------------------------------------- kills and deaths


@pytest.mark.parametrize("contestant", ["transaction.hardened.careful", "freeze.as-posted.naive"])
def test_a_kill_is_abrupt(contestant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    last: list[int] = []
    honest = Execution.kill

    def noted(execution: Execution) -> None:
        last.append(len(execution.clock.operations))
        honest(execution)
        assert len(execution.clock.operations) == last[-1]

    monkeypatch.setattr(Execution, "kill", noted)
    for fault in [*(f"kill@step-{step}" for step in range(1, 70, 11)), "kill@12", "kill@23"]:
        execution = Execution(case(f"{contestant}/group-snapshot-2/{fault}"), recording=True)
        execution.go()
        later = execution.clock.operations[last.pop() :]
        assert {operation.actor for operation in later} <= {"management"}
        assert execution.hypervisor is None
        assert execution.evidence.ending in (Ending.CUT_OFF, Ending.SUCCEEDED, Ending.FAILED)


def test_what_a_killed_command_would_clean_up_stays_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = GroupSnapshotCommands.group_snapshot

    def tidy(commands: GroupSnapshotCommands, client: Client, wanted: GroupSnapshotSync) -> Steps[None]:
        try:
            yield from honest(commands, client, wanted)
        finally:
            commands.machine.host.create("/vm/ghost", replace=True).close()

    monkeypatch.setattr(GroupSnapshotCommands, "group_snapshot", tidy)
    name = "group-snapshot.hardened.naive/group-snapshot-2"
    assert "/vm/ghost" in seen(f"{name}/no-fault").digests_after
    assert "/vm/ghost" not in seen(f"{name}/kill@step-12").digests_after


def test_management_s_death_never_stops_a_command_that_it_has_sent() -> None:
    for name in ("transaction.as-posted.careful", "freeze.hardened.naive", "group-snapshot.hardened.naive"):
        start = case(f"{name}/group-snapshot-2/no-fault")
        for step in range(1, record(start).manager_steps + 1):
            evidence = seen(f"{name}/group-snapshot-2/manager-dies@{step}")
            assert evidence.ending is Ending.DIED
            assert all(isinstance(exchange.answer, Replied) for exchange in evidence.exchanges)


def test_who_dies_before_the_first_step_has_sent_nothing() -> None:
    assert not seen("freeze.hardened.naive/group-snapshot-2/manager-dies@1").began


# ----------------------------------------------------------------------------------------- the guest


def test_what_queues_at_a_gate_starts_in_the_order_in_which_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    came: dict[Device, list[Request]] = {}
    started: dict[Device, list[Request]] = {}
    submit, start = Device.submit, Device._start
    waited = 0

    def submitted(device: Device, request: Request) -> None:
        nonlocal waited
        came.setdefault(device, []).append(request)
        submit(device, request)
        waited += len(device.queue) > 1

    def begun(device: Device, request: Request) -> None:
        started.setdefault(device, []).append(request)
        start(device, request)

    monkeypatch.setattr(Device, "submit", submitted)
    monkeypatch.setattr(Device, "_start", begun)
    for step in range(1, 30, 2):
        seen(f"freeze.hardened.careful/group-snapshot-2/guest-runs@{step}")
    assert waited > 0
    assert came == started


@pytest.mark.parametrize("contestant", CONTESTANTS)
def test_the_guest_s_pace_breaks_nothing(contestant: str) -> None:
    """And the pace is not vacuous: the story is another one."""
    usual = watch(case(f"{contestant}/group-snapshot-2/no-fault")).timeline
    for pace in ("guest-runs@2", "guest-lags@2"):
        one = watch(case(f"{contestant}/group-snapshot-2/{pace}"))
        assert one.broken == ()
        assert one.timeline != usual


def test_a_guest_that_lags_goes_on_where_the_operation_waits_for_it() -> None:
    start = case("freeze.hardened.naive/group-snapshot-2/no-fault")
    usual = sum(event.text.startswith("waits:") for event in watch(start).timeline)
    waits = []
    for step in range(1, record(start).operation_steps + 1):
        shown = watch(case(f"freeze.hardened.naive/group-snapshot-2/guest-lags@{step}"))
        assert shown.judgements["released"].verdict is Verdict.HELD
        waits.append(sum(event.text.startswith("waits:") for event in shown.timeline))
    assert 0 < max(waits) < usual + LAG // 2


def test_the_tally_of_a_setting_is_the_sum_of_its_cases() -> None:
    tally = Tally()
    found = list(explore(case("naive-loop.as-posted.naive/group-snapshot-2/no-fault"), None, 20))
    for rank, one in enumerate(found):
        tally.count(one, parse_fault(one.case.rpartition("/")[2]), rank)
    assert tally.cases == len(found)
    assert sum(count for (law, _), count in tally.verdicts.items() if law == "tidy") == len(found)


def test_a_fault_that_is_never_met_changes_nothing() -> None:
    missed = judged(case("group-snapshot.hardened.naive/group-snapshot-2/eio@99999"))
    assert not missed.struck
    none = judged(case("group-snapshot.hardened.naive/group-snapshot-2/no-fault"))
    assert none.struck
    changed = {law for law in none.judgements if none.judgements[law] != missed.judgements[law]}
    assert changed <= {"guest-undisturbed"}
    assert str(NoFault()) in none.case
