"""`blockops explain`: which law broke, what was expected, what was there."""

import json

import pytest

from blockops.lab.laws import LAWS
from tests.cli.program import ROOT, assert_refused, run

TORN = "naive-loop.as-posted.naive/group-snapshot-2/eio@46"


def test_it_says_what_was_wanted_said_and_found_and_words_each_law_as_the_laws_do() -> None:
    done = run("explain", TORN)
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert lines[0] == TORN
    assert lines[1].startswith("Management wanted new overlays on all disks, one instant")
    assert lines[2] == "The fault, eio@46: d1: overlay s1.qcow2: opening (by the hypervisor)."
    assert lines[3].endswith("(device d0, snapshot-file /vm/s0.qcow2) and got: ok.")
    assert lines[4].endswith("and got: OpenFileFailed: Could not open '/vm/s1.qcow2'.")
    assert lines[5].startswith("Management ended with an error: ")
    (first,) = (line for line in lines if line.startswith("d0 "))
    assert "old while it shows /vm/d0.qcow2, new when it shows /vm/s0.qcow2" in first
    assert "It shows /vm/s0.qcow2, so it is new. On the disk that rests on /vm/d0.qcow2." in first
    assert first.endswith("Management's books name /vm/d0.qcow2 for it.")
    assert "New files: /vm/s0.qcow2, /vm/s1.qcow2." in lines
    broken = lines.index("all-or-nothing is violated: d0 is new, d1 is old.")
    law = next(law for law in LAWS if law.id == "all-or-nothing")
    assert lines[broken + 1 : broken + 3] == [
        f"  It says: {law.says}",
        f"  It counts where {law.precondition}.",
    ]


def test_what_it_calls_violated_is_what_a_replay_calls_violated() -> None:
    plain = json.loads(run("explain", TORN, "--json").stdout)
    replayed = run("replay", TORN).stdout.splitlines()
    said = [line.split()[1] for line in replayed if " violated: " in line]
    assert said
    documented = (ROOT / "docs" / "report-schema.md").read_text().partition("## What `blockops explain")[2]
    assert all(f"`{key}`" in documented for key in (*plain, *plain["devices"][0], *plain["breaches"][0]))
    assert [breach["law"] for breach in plain["breaches"]] == said
    assert [law for law, verdict in plain["verdicts"].items() if verdict == "violated"] == said
    assert {device["device"]: device["state"] for device in plain["devices"]} == {"d0": "new", "d1": "old"}
    assert plain["sent"][1]["arguments"] == {"device": "d1", "snapshot-file": "/vm/s1.qcow2"}


def test_a_case_that_breaks_nothing_says_so() -> None:
    done = run("explain", "freeze.as-posted.careful/group-snapshot-2/eio@1")
    assert done.returncode == 0, done
    assert "This case breaks no law." in done.stdout.splitlines()
    assert "violated" not in done.stdout
    assert "Management sent no command." in done.stdout


def test_of_a_killed_case_it_says_what_the_restart_shows_and_what_the_books_named_before() -> None:
    lines = run("explain", "stop-cont.as-posted.naive/group-snapshot-2/kill@step-50").stdout.splitlines()
    assert any(line.startswith("The hypervisor was killed; what follows is seen after") for line in lines)
    assert sum("Before the recovery management's books named" in line for line in lines) == 2


def test_it_says_which_power_cuts_left_what_and_who_stepped_out_of_turn() -> None:
    cuts = "freeze.hardened.careful/group-snapshot-2/power-P1@17,P2+names=none@3"
    said = run("explain", cuts).stdout.splitlines()
    assert said[2].startswith("The fault, power-P1@17,P2+names=none@3: ")
    assert said[3] == "What survived is P1: only what was synced."
    assert said[4].startswith(
        "Power was lost again before operation 3 of recovery. What survived is P2+names=none: "
    )
    ordered = "naive-loop.as-posted.naive/group-snapshot-2/no-fault/g-0@35,g-0@35"
    said = run("explain", ordered).stdout.splitlines()
    turn = "the guest's lane 0 just before turn 35"
    assert said[2:4] == ["Nothing is broken.", f"One step out of turn took {turn}, then {turn}."]


@pytest.mark.parametrize("case", ["nonsense", "freeze.as-posted.careful/group-snapshot-2/eio@99999"])
def test_it_refuses_what_replay_refuses_in_the_same_words(case: str) -> None:
    refused = run("explain", case)
    assert_refused(refused, 4)
    assert refused.stderr == run("replay", case).stderr
