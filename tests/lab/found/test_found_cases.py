"""What drawn worlds led to once stays found, and what was mended stays mended; the search adds to it."""

from collections import Counter

import pytest
from click.testing import CliRunner

from blockops.device import Device, Request
from blockops.lab.drawn import GRAVE
from blockops.lab.judging import judged
from blockops.lab.results import Verdict
from tests.lab.cases import CONTESTANTS, case
from tests.lab.found import __main__ as program
from tests.lab.found.pins import CORE, Pin, pinned, pins
from tests.lab.found.seeking import Seeking

PINNED = pinned()
WORST = "naive-loop.as-posted.naive"


@pytest.mark.parametrize("pin", PINNED, ids=lambda pin: f"{pin.law} {pin.case}")
def test_a_case_that_was_found_says_what_it_said(pin: Pin) -> None:
    found = judged(case(pin.case))
    assert found.broken == ()
    if pin.law != CORE:
        assert found.judgements[pin.law].verdict is pin.verdict
        assert found.struck


def test_every_line_is_needed_and_in_its_place() -> None:
    order = [CORE, *GRAVE]
    violated = [pin for pin in PINNED if pin.verdict is Verdict.VIOLATED]
    places = [(list(CONTESTANTS).index(pin.contestant), order.index(pin.law)) for pin in violated]
    assert places == sorted(set(places))
    assert max(Counter(map(str, PINNED)).values()) == 1
    assert all(case(pin.case).spelled == pin.case for pin in PINNED)
    assert {pin.law for pin in violated} == set(GRAVE)


def test_a_line_is_read_as_it_is_written() -> None:
    text = "\n".join(["# about", "", *map(str, PINNED)])
    assert list(pins(text)) == PINNED


@pytest.mark.parametrize(
    "line", ["tidy", "honest violated a/b/c", "tidy unknown a/b/c", "tidy perhaps a/b/c", "tidy held a b"]
)
def test_a_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(pins(line))


# ------------------------------------------------------------------------------------ the search


def test_the_search_prints_the_line_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "pinned", list)
    ran = CliRunner().invoke(program.main, ["--examples", "3", WORST])
    assert ran.exit_code == 1
    found = list(pins(ran.stdout))
    assert [(pin.contestant, pin.verdict) for pin in found] == [(WORST, Verdict.VIOLATED)] * len(found)
    assert "one-instant" in {pin.law for pin in found}
    for pin in found:
        assert judged(case(pin.case)).judgements[pin.law].verdict is Verdict.VIOLATED


def test_the_search_looks_for_nothing_that_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [Pin(law, Verdict.VIOLATED, f"{WORST}/retry-2/no-fault") for law in GRAVE[1:]]
    monkeypatch.setattr(program, "pinned", lambda: known)
    ran = CliRunner().invoke(program.main, ["--examples", "3", WORST])
    assert [pin.law for pin in pins(ran.stdout)] == [GRAVE[0]]


def test_a_core_that_breaks_in_a_drawn_world_is_found_and_is_to_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Device.complete

    def garbled(device: Device, request: Request) -> None:
        honest(device, request)
        request.data = request.data[::-1]

    monkeypatch.setattr(Device, "complete", garbled)
    first = next(Seeking(CONTESTANTS["transaction.hardened.careful"], 5, 7).found())
    assert (first.law, first.verdict) == (CORE, Verdict.HELD)
    assert judged(case(first.case)).broken
    monkeypatch.undo()
    assert judged(case(first.case)).broken == ()
