"""Jobs in a case: who steps them, what breaks them, and what the laws make of one that is gone or stays."""

from blockops.lab.execution import Execution
from blockops.lab.exploring import record, space
from blockops.lab.faults import parse_fault
from blockops.lab.faults.jobs import Cancelled
from blockops.lab.results import Verdict
from tests.lab.cases import case, seen, verdicts

MIGRATION = "merged-transaction.hardened.careful/migrate-one-1"
MIRRORS = "merged-transaction.hardened.careful/mirror-many-2"


def watched(name: str) -> Execution:
    execution = Execution(case(name), watched=True)
    execution.go()
    return execution


def test_jobs_take_their_steps_between_those_of_the_operation_and_to_the_end() -> None:
    execution = watched(f"{MIGRATION}/no-fault")
    told = [event.text for event in execution.timeline if event.actor == "job"]
    assert "pivot d0" in told
    assert execution.hypervisor is not None
    assert execution.hypervisor.machine.background == []


def test_the_job_is_who_works_on_the_hosts_files_for_a_mirror() -> None:
    operations = record(case(f"{MIGRATION}/no-fault")).operations
    paths = {one.path for one in operations if one.actor == "job" and one.operation == "write"}
    assert paths == {"/vm/dst/s0.qcow2"}


def test_a_job_is_cancelled_at_every_step_at_which_there_is_one() -> None:
    start = case(f"{MIGRATION}/no-fault")
    recording = record(start)
    faults = space(start, recording, frozenset({"cancelled"}), complete=True).faults
    assert faults == tuple(Cancelled(device, step) for step, device in recording.jobs)
    assert len(faults) > 20
    assert all(parse_fault(str(fault)) == fault for fault in faults)


def test_a_design_without_jobs_has_none_to_be_cancelled() -> None:
    start = case("transaction.hardened.careful/migrate-one-1/no-fault")
    assert space(start, record(start), frozenset({"cancelled"}), complete=True).faults == ()


def test_a_cancelled_job_is_in_the_timeline_and_management_ends_on_the_source() -> None:
    fault = record(case(f"{MIGRATION}/no-fault")).jobs[0]
    name = f"{MIGRATION}/{Cancelled(fault[1], fault[0])}"
    assert "the job of d0 is cancelled" in [event.text for event in watched(name).timeline]
    found = verdicts(name)
    assert not [law for law, judgement in found.items() if judgement.verdict is Verdict.VIOLATED]
    assert seen(name).tops == ("/vm/s0.qcow2",)


def test_a_job_that_nobody_ends_is_still_a_mirror() -> None:
    recording = record(case(f"{MIGRATION}/no-fault"))
    dead = next(
        found
        for step in range(1, recording.manager_steps)
        if (found := verdicts(f"{MIGRATION}/manager-dies@{step}"))["released"].verdict is Verdict.VIOLATED
    )
    assert dead["released"].sentence == "d0 is still mirrored onto /vm/dst/s0.qcow2"


def test_a_mirror_that_is_wanted_is_released_and_reads_as_the_device() -> None:
    found = verdicts(f"{MIRRORS}/no-fault")
    laws = ("all-or-nothing", "released", "content", "truthful")
    assert {found[law].verdict for law in laws} == {Verdict.HELD}


def test_success_is_no_untruth_where_an_event_tells_that_a_mirror_ended_later() -> None:
    last = max(step for step, device in record(case(f"{MIRRORS}/no-fault")).jobs if device == "d0")
    evidence = seen(f"{MIRRORS}/{Cancelled('d0', last)}")
    assert evidence.told == {"d0"}
    found = verdicts(f"{MIRRORS}/{Cancelled('d0', last)}")
    assert found["truthful"].verdict is Verdict.HELD
    assert found["all-or-nothing"].verdict is Verdict.VIOLATED
    assert evidence.live[1].mirrors == ("/vm/dst/s1.qcow2",)
    assert found["released"].verdict is Verdict.HELD, "d1 goes on as was wanted, and management knows it"


def test_what_a_job_does_to_a_device_while_a_command_runs_is_not_the_commands_doing() -> None:
    execution = watched("merged-transaction.hardened.naive/migrate-many-2/no-fault")
    switched = [
        exchange.command
        for exchange in execution.evidence.exchanges
        if exchange.before != exchange.after and exchange.command != "transaction"
    ]
    assert set(switched) <= {"drive-mirror"}


def test_an_error_that_comes_without_a_fault_as_well_is_not_the_fault_s() -> None:
    """Giving up is a list that ends with the action "abort"; a short write on the way is no failure."""
    start = "merged-transaction.hardened.careful/give-up-2"
    operations = record(case(f"{start}/no-fault")).operations
    writes = [one for one in operations if one.operation == "write" and one.path == "/vm/s0.qcow2"]
    short = f"{start}/short@{writes[0].number}"
    assert seen(short).errors_anyway
    assert verdicts(short)["names-the-culprit"].verdict is Verdict.NOT_EXERCISED
    broken = f"{start}/eio@{writes[0].number}"
    assert verdicts(broken)["names-the-culprit"].verdict is Verdict.HELD
