"""The table of job states, pair by pair, against QEMU's (`JobStatus`, and the transitions of its job.c)."""

import itertools

import pytest

from blockops.jobs.state import TABLE, IllegalMove, Move, State, after

BY_ITSELF = {
    ("created", "started", "running"),
    ("running", "paused", "paused"),
    ("paused", "resumed", "running"),
    ("running", "made ready", "ready"),
    ("ready", "paused", "standby"),
    ("standby", "resumed", "ready"),
    ("ready", "finished", "concluded"),
    ("running", "aborted", "aborting"),
    ("ready", "aborted", "aborting"),
    ("aborting", "ended", "concluded"),
    ("concluded", "dismissed", "null"),
}
LIVING = ("running", "paused", "ready", "standby")
ASKED = {(state, move) for state in LIVING for move in ("cancelled", "asked to pause", "asked to resume")}
ASKED |= {("ready", "completed"), ("standby", "completed")}

LEGAL = {(state, move): then for state, move, then in BY_ITSELF} | {
    (state, move): state for state, move in ASKED
}


@pytest.mark.parametrize(("state", "move"), list(itertools.product(State, Move)))
def test_each_move_is_legal_where_qemu_allows_it_and_nowhere_else(state: State, move: Move) -> None:
    expected = LEGAL.get((state.value, move.value))
    if expected is not None:
        assert after("d0", state, move).value == expected
        return
    with pytest.raises(IllegalMove) as refused:
        after("d0", state, move)
    assert (refused.value.device, refused.value.state, refused.value.move) == ("d0", state, move)
    assert str(refused.value) == f"The job of device 'd0' is {state.value} and cannot be {move.value}"


def test_every_state_can_be_reached_and_only_the_last_is_an_end() -> None:
    assert {then for (_, _), then in TABLE.items()} == set(State) - {State.CREATED}
    assert {state for state, _ in TABLE} == set(State) - {State.NULL}
