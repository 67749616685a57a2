"""A real QEMU under the lab's faults: what breaks in it, and that the lab and QEMU agree on what has."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from blockops.host.posix import PosixFolder
from blockops.lab.case import Case, parse_case
from blockops.lab.evidence import Ending, Evidence
from blockops.lab.exploring import record, space
from blockops.lab.faults.process import KilledAtOperation
from blockops.lab.images import image_facts
from blockops.lab.judging import Judged, evidence_of, judged
from blockops.lab.results import Verdict
from proposals.catalogue import everybody

pytestmark = pytest.mark.real_tool("qemu-system-x86_64", "cc", "qemu-img")

CONTESTANTS = {contestant.id: contestant for contestant in everybody()}
TRANSACTION = "real-qemu-transaction.hardened.{}/{}-2"
LOOP = "real-qemu-loop.hardened.{}/{}-2"


def case(text: str) -> Case:
    return parse_case(text, CONTESTANTS, {})


def some_of(setting: Case, stride: int) -> list[Case]:
    """Every *stride*-th case of a setting."""
    faults = space(setting, record(setting), None, complete=True).faults
    return [attrs.evolve(setting, fault=fault) for fault in faults[::stride]]


def broken_laws(found: Judged) -> set[str]:
    assert found.broken == ()
    return {law for law, one in found.judgements.items() if one.verdict is Verdict.VIOLATED}


def first(setting: str, actor: str, operation: str, name: str) -> int:
    """The number of the first such operation of a setting on the file of that name."""
    recording = record(case(f"{setting}/no-fault"))
    return next(
        one.number
        for one in recording.operations
        if (one.actor, one.operation, one.path) == (actor, operation, f"/vm/{name}.qcow2")
    )


@pytest.mark.parametrize("use_case", ["group-snapshot", "switch-many", "give-up", "retry"])
@pytest.mark.parametrize("manager", ["naive", "careful"])
def test_where_nothing_breaks_qemu_ends_as_our_model_of_it_does(use_case: str, manager: str) -> None:
    real = evidence_of(case(f"{TRANSACTION.format(manager, use_case)}/no-fault"))
    model = evidence_of(case(f"merged-transaction.hardened.{manager}/{use_case}-2/no-fault"))
    assert real.ending is model.ending
    assert _said(real) == _said(model)
    assert [(one.top, one.chain) for one in real.live] == [(one.top, one.chain) for one in model.live]
    assert sorted(real.digests_after) == sorted(model.digests_after)
    assert (real.history.errors, real.history.misread) == ([], [])
    assert broken_laws(judged(real.case)) == set()


def _said(evidence: Evidence) -> list[tuple[str, bool, tuple[str | None, ...]]]:
    return [
        (one.command, one.succeeded, one.after) for one in evidence.exchanges if "query" not in one.command
    ]


@pytest.mark.parametrize("manager", ["naive", "careful"])
def test_no_fault_tears_a_group_that_qemu_snapshots_in_one_transaction(manager: str) -> None:
    cases = some_of(case(f"{TRANSACTION.format(manager, 'group-snapshot')}/no-fault"), 13)
    laws = [broken_laws(judged(one)) for one in cases]
    assert len(cases) > 100
    assert not any("all-or-nothing" in one or "one-instant" in one for one in laws)
    assert any(laws)


def test_one_snapshot_after_the_other_tears_it_and_cuts_at_two_instants() -> None:
    setting = LOOP.format("naive", "group-snapshot")
    number = first(setting, "hypervisor", "create", "s1")
    assert "all-or-nothing" in broken_laws(judged(case(f"{setting}/enospc@{number}")))
    runs = some_of(case(f"{setting}/no-fault"), 1)
    assert any("one-instant" in broken_laws(judged(one)) for one in runs if one.fault.group == "guest-runs")


@pytest.mark.parametrize("fault", ["eio@{}", "enospc+@{}", "eio!@{}"])
def test_where_the_second_overlay_fails_qemu_leaves_the_first_behind(fault: str) -> None:
    setting = TRANSACTION.format("naive", "group-snapshot")
    number = first(setting, "hypervisor", "create", "s1")
    evidence = evidence_of(case(f"{setting}/{fault.format(number)}"))
    assert evidence.ending is Ending.FAILED
    assert [one.top for one in evidence.live] == ["/vm/d0.qcow2", "/vm/d1.qcow2"]
    assert evidence.disk.exists("/vm/s0.qcow2")
    assert {hit.operation for hit in evidence.hits} >= {"create"}


def test_after_one_failed_flush_qemu_flushes_that_image_no_more() -> None:
    setting = TRANSACTION.format("careful", "group-snapshot")
    number = first(setting, "guest", "flush", "d0")
    found = judged(case(f"{setting}/eio@{number}"))
    assert "progress" in broken_laws(found)
    assert "d0" in found.judgements["progress"].sentence


def test_what_is_short_or_torn_is_noticed_by_qemu() -> None:
    setting = TRANSACTION.format("naive", "group-snapshot")
    number = first(setting, "hypervisor", "write", "s0")
    short = evidence_of(case(f"{setting}/short@{number}"))
    assert (short.ending, len(short.hits)) == (Ending.SUCCEEDED, 1)
    torn = evidence_of(case(f"{setting}/torn@{number}"))
    assert (torn.ending, len(torn.hits)) == (Ending.FAILED, 1)


def test_qemu_is_killed_at_an_operation_and_another_one_runs_the_next_case() -> None:
    setting = TRANSACTION.format("careful", "group-snapshot")
    number = first(setting, "hypervisor", "create", "s1")
    killed = evidence_of(case(f"{setting}/{KilledAtOperation(number)}"))
    assert killed.killed
    assert [(hit.number, hit.operation) for hit in killed.hits] == [(number, "create")]
    assert not killed.disk.exists("/vm/s1.qcow2")
    assert killed.tops == ("/vm/d0.qcow2", "/vm/d1.qcow2")
    assert broken_laws(judged(killed.case)) == set()
    assert evidence_of(case(f"{setting}/no-fault")).ending is Ending.SUCCEEDED


def test_our_checker_and_the_real_one_agree_on_what_qemu_leaves(
    tmp_path: Path, real_tool: Callable[[str], str]
) -> None:
    cases = some_of(case(f"{TRANSACTION.format('naive', 'group-snapshot')}/no-fault"), 29)
    verdicts = []
    for number, one in enumerate(cases):
        disk = evidence_of(one).disk
        for path in disk.names("/vm"):
            facts = image_facts(disk, path) if path.endswith(".qcow2") else None
            if facts is None or facts.format != "qcow2":
                continue
            name = f"{number}-{path.rpartition('/')[2]}"
            disk.export(path, PosixFolder(tmp_path), name)
            ours = bool(facts.corruptions)
            assert ours == _is_corrupt(real_tool("qemu-img"), tmp_path / name), f"{one.id}: {path}"
            verdicts.append(ours)
    assert len(verdicts) > 100
    assert {True, False} == set(verdicts)


def _is_corrupt(tool: str, path: Path) -> bool:
    image = f'json:{{"driver": "qcow2", "backing": null, "file": {{"driver": "file", "filename": "{path}"}}}}'
    done = subprocess.run([tool, "check", "-q", image], capture_output=True, check=False, timeout=60)
    assert done.returncode in (0, 2, 3)
    return done.returncode == 2
