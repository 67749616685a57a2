"""The whole host loses its power: what the laws say, by a case's id and beside one run."""

from functools import partial

import attrs
import pytest

from blockops.errors import InvalidRequest
from blockops.lab import aftermath, gathering, second_cuts
from blockops.lab.aftermath import Aftermath, Aftermaths, remembered_aftermath
from blockops.lab.cache import Cache
from blockops.lab.execution import Execution
from blockops.lab.exploring import record, space
from blockops.lab.faults import parse_fault
from blockops.lab.faults.power import PowerLoss
from blockops.lab.judging import judged
from blockops.lab.parts import Depth, Scope, Setting
from blockops.lab.plan import parts_of
from blockops.lab.power.cuts import judge_second_cuts, meet_second_cuts, power_cases, recovery_cases
from blockops.lab.power.models import LEGAL, Model
from blockops.lab.replay import replay
from blockops.lab.results import Verdict
from blockops.lab.settings import Settings
from blockops.lab.world import World
from proposals.catalogue import contestants
from tests.lab.cases import CONTESTANTS, case, seen, setting, verdicts, violated

HARDENED = "group-snapshot.hardened.careful"
AS_POSTED = "group-snapshot.as-posted.careful"
DESIGNS = (
    HARDENED,
    "transaction.hardened.careful",
    "freeze.hardened.careful",
    "recorded-transaction.hardened.careful",
)
FEW = (Model.ISSUED, Model.SYNCED)


@pytest.mark.parametrize(
    "name",
    ["power-P1@17", "power-P3+s0.qcow2=1.2c512+names=none@9", "power-P6+names=1h@3", "power-P1@17,P0@3"],
)
def test_a_power_cut_is_read_from_its_name(name: str) -> None:
    fault = parse_fault(name)
    assert isinstance(fault, PowerLoss)
    assert str(fault) == name


@pytest.mark.parametrize(
    "name", ["power-@17", "power-P9@17", "power-P1", "power-P2+x@1", "P1@17", "power-P1@1,"]
)
def test_what_is_no_name_of_a_power_cut_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a fault"):
        parse_fault(name)


def test_hypervisor_and_management_die_at_once() -> None:
    evidence = seen(f"{HARDENED}/group-snapshot-2/power-P0@5")
    assert evidence.killed
    assert evidence.power_lost
    assert evidence.ending.value == "died"
    assert [hit.number for hit in evidence.hits] == [5]


def test_power_can_be_lost_behind_the_last_operation() -> None:
    operations = len(record(setting(HARDENED, "group-snapshot", World())).operations)
    evidence = seen(f"{HARDENED}/group-snapshot-2/power-P1@{operations + 1}")
    assert evidence.power_lost
    assert evidence.ending.value == "believes that it succeeded"


def test_an_acknowledged_snapshot_that_was_never_flushed_is_untruthful() -> None:
    end = len(record(setting(AS_POSTED, "group-snapshot", World())).operations) + 1
    found = verdicts(f"{AS_POSTED}/group-snapshot-2/power-P1@{end}")["truthful"]
    assert found.verdict is Verdict.VIOLATED
    assert "power cut" in found.sentence


@pytest.mark.parametrize("design", DESIGNS)
def test_a_hardened_design_keeps_what_it_acknowledged(design: str) -> None:
    """Under every legal model, at every instant: all laws that speak of promises hold."""
    tally, found = power_cases(setting(design, "group-snapshot", World()))
    kept = {"all-or-nothing", "one-instant", "content", "nothing-lost", "truthful", "recoverable"}
    assert [one.case for one in found if kept & set(violated(one)) or one.broken] == []
    assert tally.raw >= tally.distinct + tally.remembered > tally.distinct == len(found) > tally.points
    assert tally.truncated == 0


@pytest.mark.parametrize("design", [HARDENED, AS_POSTED])
def test_a_case_by_its_id_is_the_case_beside_the_run(design: str) -> None:
    start = setting(design, "group-snapshot", World())
    _, found = power_cases(start)
    for one in found[:: max(1, len(found) // 40)]:
        again = judged(case(one.case))
        assert (again.judgements, again.broken, again.crossroads) == (
            one.judgements,
            one.broken,
            one.crossroads,
        ), one.case


@pytest.mark.parametrize("design", [HARDENED, "recorded-transaction.hardened.careful"])
def test_what_is_remembered_of_a_recovery_is_what_would_have_come_of_it(
    design: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = setting(design, "group-snapshot", World())
    remembered = power_cases(start, FEW)
    monkeypatch.setattr(gathering, "remembered_aftermath", lambda fallen, _: remembered_aftermath(fallen, {}))
    afresh = power_cases(start, FEW)
    assert remembered[0] == afresh[0]
    for one, two in zip(remembered[1], afresh[1], strict=True):
        for name in ("case", "judgements", "broken", "crossroads", "seen"):
            assert getattr(one, name) == getattr(two, name), one.case


def test_equal_disks_are_recovered_once_and_others_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def counted(fallen: Execution, known: Aftermaths) -> Aftermath:
        asked.append(fallen.disk.digest())
        found = remembered_aftermath(fallen, known)
        assert len(known) == len(set(asked))
        return found

    monkeypatch.setattr(gathering, "remembered_aftermath", counted)
    tally, _ = power_cases(setting(HARDENED, "group-snapshot", World()), FEW)
    assert len(asked) == tally.distinct > len(set(asked))


def test_only_so_many_recoveries_are_remembered_and_nothing_depends_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = setting(HARDENED, "group-snapshot", World(devices=1))
    whole = [(one.case, one.judgements, one.broken) for one in power_cases(start)[1]]
    most = []

    def counted(execution: Execution, remembered: Aftermaths) -> Aftermath:
        found = remembered_aftermath(execution, remembered)
        most.append(len(remembered))
        return found

    monkeypatch.setattr(aftermath, "REMEMBERED", 3)
    monkeypatch.setattr(gathering, "remembered_aftermath", counted)
    assert [(one.case, one.judgements, one.broken) for one in power_cases(start)[1]] == whole
    assert max(most) == 3


def test_a_run_is_not_changed_by_those_who_look() -> None:
    start = setting(HARDENED, "group-snapshot", World())
    assert [one.case for one in power_cases(start, FEW)[1]] == [
        one.case for one in power_cases(start, FEW)[1]
    ]
    operations = len(record(start).operations)
    assert power_cases(start, FEW)[0].points == operations + 1


def test_power_cuts_are_listed_where_they_are_asked_for() -> None:
    start = setting(HARDENED, "group-snapshot", World())
    recording = record(start)
    listed = space(start, recording, frozenset({"power"}), complete=True).faults
    assert {fault.group for fault in listed} == {"power"}
    assert len(listed) == power_cases(start)[0].distinct
    assert not any(isinstance(fault, PowerLoss) for fault in space(start, recording, None, True).faults)


def test_storage_that_lies_is_a_group_of_its_own() -> None:
    start = setting(HARDENED, "group-snapshot", World())
    listed = space(start, record(start), frozenset({"lying"}), complete=True).faults
    assert {str(fault)[: len("power-P7@")] for fault in listed} == {"power-P7@"}
    assert Model.LYING not in LEGAL
    lost = judged(attrs.evolve(start, fault=listed[-1]))
    assert lost.judgements["nothing-lost"].verdict is Verdict.VIOLATED


def test_a_cache_mode_that_never_flushes_promises_nothing() -> None:
    start = setting(HARDENED, "group-snapshot", World(cache=Cache.UNSAFE))
    assert space(start, record(start), frozenset({"power"}), complete=True).faults == ()


def test_a_power_cut_is_replayed_by_its_id() -> None:
    found = replay(f"{HARDENED}/group-snapshot-2/power-P1@20", tuple(CONTESTANTS.values()), {})
    assert any("power is lost" in event.text for event in found.timeline)


@pytest.mark.parametrize("design", [HARDENED, "recorded-transaction.hardened.careful"])
def test_recovery_survives_a_power_cut_of_its_own(design: str) -> None:
    """Each power cut of P0 and P1, and each legal state of a second one before any operation of recovery."""
    tally, found = recovery_cases(setting(design, "group-snapshot", World()), FEW)
    assert [one.case for one in found if violated(one) or one.broken] == []
    assert tally.distinct == len(found) > 100
    for one in found[:: len(found) // 12]:
        again = judged(case(one.case))
        assert (again.judgements, again.broken) == (one.judgements, one.broken), one.case


@pytest.mark.parametrize(
    "fault", ["power-P1@20,P1@99", "power-P1@999", "power-P2+s7.qcow2=1@20", "power-P2+names=9@20"]
)
def test_a_power_cut_that_the_run_has_not_is_refused(fault: str) -> None:
    with pytest.raises(InvalidRequest, match="strikes nothing"):
        replay(f"{HARDENED}/group-snapshot-2/{fault}", tuple(CONTESTANTS.values()), {})


# ---------------------------------------------------------------------------- second cuts, in a comparison


def test_a_run_of_everything_cuts_every_recovery_of_the_group_snapshot_again() -> None:
    whole = parts_of(Settings(complete=True), tuple(CONTESTANTS.values()))
    again = {str(part) for part in whole if part.depth is Depth.AGAIN}
    assert again == {f"{name}/group-snapshot-2 again" for name in CONTESTANTS}
    assert not [one for one in parts_of(Settings(), tuple(CONTESTANTS.values())) if one.depth is Depth.AGAIN]
    asked = parts_of(Settings(complete=True, faults=("eio",)), tuple(CONTESTANTS.values()))
    assert not [one for one in asked if one.depth is Depth.AGAIN]


def test_second_cuts_are_counted_as_many_as_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    few = partial(meet_second_cuts, models=(Model.ISSUED,), again=FEW)
    monkeypatch.setattr(second_cuts, "meet_second_cuts", few)
    monkeypatch.setattr(
        second_cuts, "judge_second_cuts", partial(judge_second_cuts, models=(Model.ISSUED,), again=FEW)
    )
    place, scope = Setting(HARDENED, "group-snapshot", World()), Scope(frozenset({"power"}), True, 7)
    survey = second_cuts.survey_second_cuts(contestants, place, scope)
    tally = second_cuts.judge_all_second_cuts(contestants, place, scope)
    assert survey.groups == tally.groups == {second_cuts.AGAIN: tally.cases}
    cuts = survey.power
    assert cuts is not None
    assert cuts.raw == cuts.distinct + cuts.remembered + cuts.equal + cuts.left_out
    assert cuts.distinct == tally.cases > 20


def test_what_was_promised_before_the_first_cut_tells_second_cuts_apart() -> None:
    """Equal files after the second cut are judged once for each promise that the first cut found."""
    seen = set[tuple[object, ...]]()

    def look(fallen: Execution) -> None:
        answers = tuple(one.answer is not None for one in fallen.evidence.exchanges)
        key = fallen.disk.digest(), fallen.evidence.tops, answers, fallen.evidence.history.durable
        seen.add(key)

    tally = meet_second_cuts(setting(HARDENED, "group-snapshot", World()), look, (Model.ISSUED,), FEW)
    assert len({key[0] for key in seen}) < len(seen) <= tally.distinct
