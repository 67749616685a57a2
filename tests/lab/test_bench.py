"""What the bench counts is what was judged: its figures are counts of real cases, and of equal ones apart."""

import pytest

from blockops.lab.bench import peers, speed
from blockops.lab.bench.figures import OfDevices, Rate, straight
from blockops.lab.exploring import record_once, space
from blockops.lab.power.cuts import power_cases
from proposals.catalogue import contestants

ENDLESS = 3600.0
NAIVE = next(one for one in contestants() if one.id == "naive-loop.as-posted.naive")


def test_with_time_enough_every_case_is_counted_once() -> None:
    (setting,) = speed.settings_of([NAIVE], devices=1)
    rate = speed.judged_cases(setting, ENDLESS)
    assert rate.run + rate.remembered == len(space(setting, record_once(setting), None, complete=True).faults)
    assert rate.remembered > 0
    assert rate.broken == ()


def test_with_time_enough_every_power_cut_is_counted_once() -> None:
    (setting,) = speed.settings_of([NAIVE], devices=1)
    power, (tally, found) = speed.power_cuts(setting, ENDLESS), power_cases(setting)
    assert (power.distinct, power.equal) == (len(found), tally.remembered)
    assert 0 < power.recovered <= power.distinct


def test_without_time_one_thing_is_done() -> None:
    (setting,) = speed.settings_of([NAIVE])
    assert speed.judged_cases(setting, 0).run == 1
    assert speed.power_cuts(setting, 0).distinct == 1
    assert [rate.run for rate in speed.executed(setting, 0)] == [1, 1]


def costs(*milliseconds: float) -> list[OfDevices]:
    return [OfDevices(number, Rate("", 1000, 0, ms)) for number, ms in enumerate(milliseconds, 1)]


def test_costs_on_a_line_are_not_off_it() -> None:
    line = straight(costs(3, 5, 7, 9))
    assert [line.start, line.each] == pytest.approx([1, 2])
    assert line.off == pytest.approx(0)


def test_costs_that_grow_faster_than_the_devices_are_off_the_line() -> None:
    assert straight(costs(1, 4, 9, 16, 25, 36, 49, 64)).off > 0.5


def test_a_tool_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert peers.qemu(0.01) is None
    assert peers.qemu_img(0.01) is None
