"""Steps: a long operation that anybody may interleave, and that a plain call runs to its end."""

import attrs
import pytest

from blockops.errors import UndefinedError
from blockops.steps import Phase, Step, Steps, run


@attrs.define(eq=False)
class Pending:
    """Work that is finished from outside, one piece at a time."""

    pieces: int

    def complete_next(self) -> None:
        self.pieces -= 1


def waiting_for(pending: Pending) -> Steps[str]:
    while pending.pieces:
        yield Step(Phase.DRAIN, "d0", waits_for=pending)
    yield Step(Phase.PIVOT, "d0")
    return "over"


def test_running_completes_what_is_waited_for_and_returns_the_value() -> None:
    pending = Pending(3)
    assert run(waiting_for(pending)) == "over"
    assert pending.pieces == 0


def test_a_scheduler_may_leave_it_waiting_for_as_long_as_it_likes() -> None:
    pending = Pending(1)
    steps = waiting_for(pending)
    assert [next(steps).waits_for for _ in range(5)] == [pending] * 5
    pending.complete_next()
    assert next(steps) == Step(Phase.PIVOT, "d0")


def test_steps_without_any_step_return_at_once() -> None:
    def nothing() -> Steps[int]:
        yield from ()
        return 7

    assert run(nothing()) == 7


def test_an_error_in_the_middle_comes_out() -> None:
    def failing() -> Steps[None]:
        yield Step(Phase.CHECK, "d0")
        raise UndefinedError("it went wrong")

    with pytest.raises(UndefinedError, match="it went wrong"):
        run(failing())


def test_steps_that_are_never_gone_on_with_clean_up_when_they_are_closed() -> None:
    cleaned: list[str] = []

    def tidy() -> Steps[None]:
        try:
            yield Step(Phase.OPEN, "/vm/a")
            yield Step(Phase.PIVOT, "d0")
        finally:
            cleaned.append("yes")

    steps = tidy()
    next(steps)
    steps.close()
    assert cleaned == ["yes"]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step(Phase.OPEN, "/vm/a"), "open /vm/a"),
        (Step(Phase.DRAIN, "d0", waits_for=Pending(1)), "waits: drain d0"),
    ],
)
def test_a_step_reads_as_what_it_did(step: Step, text: str) -> None:
    assert str(step) == text


def test_every_phase_has_a_word_of_its_own() -> None:
    assert len({phase.value for phase in Phase}) == len(Phase)
