"""The oracle of the guest's data agrees with a model that knows one byte at a time and nothing of pieces."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.device import Operation
from blockops.lab.history import History, Written
from blockops.lab.instants import holding
from blockops.lab.pieces import deviations, identified, name_of, pieces
from blockops.lab.sectors import marked

SIZE = 4 * 512
GRAIN = 64
DEVICE = 3
INITIAL = marked(DEVICE, 0, 1024, 0) + bytes(SIZE - 1024)


def acknowledged(written: Written) -> bool:
    return written.acknowledged is not None


def wrote(history: History, start: int, length: int, operation: Operation = Operation.WRITE) -> Written:
    """Submit a write now, one step after what was before."""
    history.time += 1
    plain = operation is Operation.WRITE
    data = marked(DEVICE, start, length, history.next_sequence()) if plain else bytes(length)
    return history.submit(DEVICE, start, data, operation)


def ended(history: History, written: Written, *, well: bool = True) -> None:
    history.time += 1
    if well:
        written.acknowledged = history.time
    else:
        written.failed = history.time


def over(data: bytes, *writes: Written) -> bytes:
    """Return *data* with the writes carried out in this order."""
    shown = bytearray(data)
    for written in writes:
        shown[written.start : written.end] = written.data
    return bytes(shown)


def wrong(history: History, data: bytes) -> list[tuple[int, str | None]]:
    cut = pieces(history.writes, SIZE)
    return [(one.piece.start, one.found) for one in deviations(cut, data, INITIAL, acknowledged)]


# --------------------------------------------------------------------------------------- small histories


def test_of_two_writes_in_flight_together_either_may_show_and_nothing_older() -> None:
    history = History()
    old = wrote(history, 0, 1024)
    ended(history, old)
    one, other = wrote(history, 0, 1024), wrote(history, 512, 1024)
    ended(history, other)
    ended(history, one)
    assert wrong(history, over(INITIAL, one, other)) == []
    assert wrong(history, over(INITIAL, other, one)) == []
    assert wrong(history, over(INITIAL, one)) == [(1024, "its initial content")]
    assert wrong(history, over(INITIAL, old, other)) == [(0, "write 1")]


def test_a_write_that_came_after_another_wins() -> None:
    history = History()
    first = wrote(history, 0, 512)
    ended(history, first)
    second = wrote(history, 192, 64)
    ended(history, second)
    assert wrong(history, over(INITIAL, first, second)) == []
    assert wrong(history, over(INITIAL, second, first)) == [(192, "write 1")]


def test_what_is_in_flight_or_failed_may_show_or_not_sector_by_sector() -> None:
    history = History()
    old = wrote(history, 0, 2048)
    ended(history, old)
    failed, flying = wrote(history, 0, 1024), wrote(history, 1024, 1024)
    ended(history, failed, well=False)
    torn = over(INITIAL, old)[:512] + over(INITIAL, failed)[512:1024] + over(INITIAL, flying)[1024:1536]
    assert wrong(history, torn + old.data[1536:]) == []
    assert wrong(history, torn + b"?" * 512) == [(1536, None)]


def test_a_failed_write_does_not_come_back_after_a_later_one() -> None:
    history = History()
    failed = wrote(history, 0, 512)
    ended(history, failed, well=False)
    later = wrote(history, 0, 512)
    ended(history, later)
    assert wrong(history, over(INITIAL, failed)) == [(0, "write 1")]


def test_a_discard_leaves_zeroes_unless_it_promised_nothing() -> None:
    history = History()
    old = wrote(history, 0, 512)
    ended(history, old)
    discard = wrote(history, 0, 512, Operation.DISCARD)
    ended(history, discard)
    assert wrong(history, over(INITIAL, old, discard)) == []
    assert wrong(history, over(INITIAL, old)) == [(0, "write 1")]
    discard.binding = False
    cut = pieces(history.writes, SIZE)
    assert not list(deviations(cut, over(INITIAL, old), INITIAL, lambda one: one.binding))


def test_what_nobody_wrote_there_is_called_so() -> None:
    history = History()
    only = wrote(history, 0, 512)
    strange = b"?" * 512 + INITIAL[512:]
    [piece, rest] = pieces(history.writes, SIZE)
    assert identified(piece, strange, INITIAL) is None
    assert identified(piece, over(INITIAL, only), INITIAL) == name_of(only) == "write 1"
    assert identified(rest, strange, INITIAL) == "its initial content"


# ------------------------------------------------------------------------------------ point-in-time images


def sorts(history: History, instant: bytes | int) -> tuple[list[int], list[int]]:
    found = holding(instant, history.writes, pieces(history.writes, SIZE), INITIAL)
    return [one.sequence for one in found.held], [one.sequence for one in found.lacked]


def test_an_image_holds_what_shows_or_was_covered_by_something_later() -> None:
    history = History()
    writes = []
    for start in (0, 512, 0):
        writes.append(wrote(history, start, 512))
        ended(history, writes[-1])
    assert sorts(history, over(INITIAL, *writes)) == ([1, 2, 3], [])
    assert sorts(history, over(INITIAL, *writes[:2])) == ([1, 2], [3])
    assert sorts(history, over(INITIAL, writes[0])) == ([1], [2, 3])
    assert sorts(history, INITIAL) == ([], [1, 2, 3])


def test_a_later_discard_holds_what_it_wiped() -> None:
    history = History()
    old = wrote(history, 0, 512)
    ended(history, old)
    discard = wrote(history, 0, 512, Operation.DISCARD)
    ended(history, discard)
    assert sorts(history, over(INITIAL, old, discard)) == ([1, 2], [])


def test_zeroes_where_there_were_zeroes_before_prove_nothing() -> None:
    history = History()
    old = wrote(history, 1024, 512)
    ended(history, old)
    discard = wrote(history, 1024, 512, Operation.DISCARD)
    ended(history, discard)
    assert sorts(history, INITIAL) == ([], [])


def test_of_writes_in_flight_together_the_one_that_shows_proves_nothing_of_the_other() -> None:
    history = History()
    one, other = wrote(history, 0, 512), wrote(history, 0, 512)
    ended(history, one)
    ended(history, other)
    assert sorts(history, over(INITIAL, one)) == ([1], [])


def test_at_a_moment_a_device_shows_what_had_ended_well_by_then() -> None:
    history = History()
    early, failed, late = (wrote(history, 0, 512) for _ in range(3))
    ended(history, early)
    ended(history, failed, well=False)
    moment = history.time
    ended(history, late)
    assert sorts(history, moment) == ([1], [3])


# ------------------------------------------------------------------------------------------- the model

OPERATIONS = st.sampled_from([Operation.WRITE, Operation.WRITE, Operation.DISCARD, Operation.WRITE_ZEROES])
PLACES = st.tuples(st.integers(0, SIZE // GRAIN - 1), st.integers(1, 20)).map(
    lambda drawn: (drawn[0] * GRAIN, min(drawn[1] * GRAIN, SIZE - drawn[0] * GRAIN))
)
PROGRAMMES = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), PLACES, OPERATIONS),
        st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from(["well", "well", "badly", "torn"])),
    ),
    max_size=14,
)


def wrong_grains(history: History, data: bytes) -> set[int]:
    """Return the grains that show what they may not, told without pieces.

    What counts together is a run of grains in one sector that the same writes cover: one of these writes
    shows in all of it, that no acknowledged one came after, or the initial data do if there is none such.
    """
    runs: list[tuple[object, list[int], list[Written]]] = []
    for grain in range(0, SIZE, GRAIN):
        covering = [one for one in history.writes if one.start <= grain < one.end]
        key = (grain // 512, [one.sequence for one in covering])
        if runs and runs[-1][0] == key:
            runs[-1][1].append(grain)
        else:
            runs.append((key, [grain], covering))
    return {grain for _, grains, covering in runs if not right(grains, covering, data) for grain in grains}


def right(grains: list[int], covering: list[Written], data: bytes) -> bool:
    shown = data[grains[0] : grains[-1] + GRAIN]
    allowed = [
        over(INITIAL, one)
        for one in covering
        if not any(acknowledged(other) and one.precedes(other) for other in covering)
    ]
    allowed += [] if any(map(acknowledged, covering)) else [INITIAL]
    return any(shown == view[grains[0] : grains[-1] + GRAIN] for view in allowed)


@given(PROGRAMMES)
def test_what_a_right_device_shows_is_allowed(programme: list[tuple[str, object, object]]) -> None:
    history, data = carried_out(programme)
    assert wrong(history, data) == []


@given(PROGRAMMES, st.randoms(use_true_random=False))
def test_the_pieces_say_what_the_model_says_of_whatever_a_device_shows(
    programme: list[tuple[str, object, object]], chance: Random
) -> None:
    history, _ = carried_out(programme)
    some = chance.sample(history.writes, chance.randint(0, len(history.writes)))
    data = over(INITIAL, *some)
    cut = pieces(history.writes, SIZE)
    found = {
        grain
        for one in deviations(cut, data, INITIAL, acknowledged)
        for grain in range(one.piece.start, one.piece.end, GRAIN)
    }
    assert found == wrong_grains(history, data)


@given(PROGRAMMES)
def test_no_image_of_a_right_device_lacks_what_was_acknowledged_or_holds_what_was_not_submitted(
    programme: list[tuple[str, object, object]],
) -> None:
    history, data = carried_out(programme)
    before = len(history.writes)
    wrote(history, 0, SIZE)
    held, lacked = sorts(history, data)
    assert not {one.sequence for one in history.writes if acknowledged(one)} & set(lacked)
    assert before + 1 not in held
    assert before + 1 in lacked


def carried_out(programme: list[tuple[str, object, object]]) -> tuple[History, bytes]:
    """Carry a programme out as a right device does; return its history and what the device shows."""
    history, flying, data = History(), [], INITIAL
    for verb, what, how in programme:
        if verb == "submit":
            assert isinstance(what, tuple)
            assert isinstance(how, Operation)
            flying.append(wrote(history, what[0], what[1], how))
        elif flying:
            assert isinstance(what, int)
            written = flying.pop(what % len(flying))
            if how == "well":
                data = over(data, written)
            elif how == "torn":
                torn = max(written.start, (written.start + written.end) // 1024 * 512)
                data = over(data, written)[:torn] + data[torn:]
            ended(history, written, well=how == "well")
    return history, data


@pytest.mark.parametrize("length", [64, 512, 1000])
@pytest.mark.parametrize("start", [0, 64, 512, 700])
def test_a_mark_says_who_wrote_where_whatever_part_of_a_sector_it_is_in(start: int, length: int) -> None:
    whole = marked(3, 0, 4096, 7)
    assert marked(3, start, length, 7) == whole[start : start + length]
    assert marked(3, start, length, 8) != whole[start : start + length]
    assert marked(2, start, length, 7) != whole[start : start + length]
