"""Two managers at once: who wants the same a second time, and what that does to the first."""

import attrs
import pytest

from blockops.lab.exploring import record_once, space
from blockops.lab.faults import parse_fault
from blockops.lab.judging import judged
from blockops.lab.replay import replay
from blockops.lab.results import Verdict
from proposals.catalogue import contestants
from tests.lab.cases import case

RIVALS = frozenset({"rival"})


def broken(name: str) -> dict[str, set[str]]:
    """Which laws a setting breaks with a second manager, and from which steps on that began."""
    start = case(f"{name}/no-fault")
    found: dict[str, set[str]] = {}
    faults = space(start, record_once(start), RIVALS, complete=True).faults
    assert faults
    for fault in faults:
        one = judged(attrs.evolve(start, fault=fault))
        assert not one.broken
        for law, judgement in one.judgements.items():
            if judgement.verdict is Verdict.VIOLATED:
                found.setdefault(law, set()).add(str(fault))
    return found


@pytest.mark.parametrize("manager", ["naive", "careful"])
@pytest.mark.parametrize("design", ["group-snapshot", "merged-transaction", "recorded-transaction"])
def test_one_command_that_refuses_names_in_use_protects_each_manager_from_the_other(
    design: str, manager: str
) -> None:
    assert broken(f"{design}.hardened.{manager}/group-snapshot-2") == {}


def test_as_posted_the_second_manager_wipes_the_overlays_of_the_first() -> None:
    found = broken("group-snapshot.as-posted.naive/group-snapshot-2")
    assert {"content", "nothing-lost"} <= set(found)
    assert "all-or-nothing" not in found


def test_who_undoes_what_he_did_not_do_takes_the_other_ones_disks_away() -> None:
    found = broken("freeze.hardened.careful/group-snapshot-2")
    assert {"all-or-nothing", "truthful"} <= set(found)


def test_a_second_manager_is_asked_for_by_name() -> None:
    start = case("freeze.hardened.careful/group-snapshot-2/no-fault")
    everything = space(start, record_once(start), None, complete=True).faults
    assert not any(fault.group == "rival" for fault in everything)


def test_a_case_with_two_managers_replays_by_its_name_and_tells_of_both() -> None:
    told = replay("freeze.hardened.careful/group-snapshot-2/rival@10", contestants(), {})
    texts = [event.text for event in told.timeline]
    assert "a second manager begins" in texts
    assert any(text.startswith("the second one: ") for text in texts)
    assert sum(text.startswith(("the second one succeeds", "the second one fails")) for text in texts) == 1


def test_the_commands_of_two_managers_never_run_at_once() -> None:
    # A freeze of a frozen device is an error: the second manager's cannot begin inside the first one's.
    told = replay("freeze.hardened.naive/group-snapshot-2/rival@3", contestants(), {})
    assert any("is already frozen" in event.text for event in told.timeline)


def test_the_name_of_a_second_manager_reads_back() -> None:
    assert str(parse_fault("rival@12")) == "rival@12"
