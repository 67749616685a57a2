"""Orders: small worlds of threads that read and write variables, searched with and without pruning."""

from hypothesis import given, settings
from hypothesis import strategies as st

from blockops.lab.interleaving.footprint import Footprint
from blockops.lab.interleaving.order import Order, parse_order
from blockops.lab.interleaving.search import Counts, Ran, Search, Taken

Program = tuple[tuple[str, str], ...]
"""What a thread does: ("r", variable) notes what it finds there, ("w", variable) leaves its mark."""

Outcome = tuple[tuple[tuple[str, str], ...], tuple[tuple[str, ...], ...]]


class Small:
    """A world of threads, each step of which reads or writes one variable; round robin gives the turns."""

    def __init__(self, programs: tuple[Program, ...], blind: bool = False) -> None:
        self.programs = programs
        self.blind = blind

    def run(self, order: Order, last: bool) -> Ran[Outcome]:
        memory: dict[str, str] = {}
        done = [0] * len(self.programs)
        found: list[list[str]] = [[] for _ in self.programs]
        steps: list[Taken] = []

        def able() -> tuple[str, ...]:
            return tuple(f"g-{n}" for n, program in enumerate(self.programs) if done[n] < len(program))

        def step(number: int, out_of_turn: bool) -> None:
            who = able()
            what, variable = self.programs[number][done[number]]
            done[number] += 1
            if what == "r":
                found[number].append(memory.get(variable, ""))
            else:
                memory[variable] = memory.get(variable, "") + f"{number}.{done[number]} "
            touched = frozenset() if self.blind else frozenset({variable})
            footprint = Footprint(reads=touched) if what == "r" else Footprint(writes=touched)
            steps.append(Taken(f"g-{number}", footprint, out_of_turn, who))

        turn, pointer = 0, 0
        while able():
            turn += 1
            for task in order.before(turn):
                step(int(task[2:]), out_of_turn=True)
            while able() and done[pointer % len(done)] >= len(self.programs[pointer % len(done)]):
                pointer += 1
            if able():
                step(pointer % len(done), out_of_turn=False)
                pointer += 1
        outcome = tuple(sorted(memory.items())), tuple(map(tuple, found))
        return Ran(order, tuple(one for one in steps if one.out_of_turn or not last), lambda: outcome)


def outcomes(world: Small, depth: int, *, prune: bool) -> tuple[set[Outcome], Counts]:
    search = Search(world.run, depth, prune)
    return {ran.outcome for ran in search.orders()}, search.counts


operations = st.tuples(st.sampled_from("rw"), st.sampled_from("xyz"))
programs = st.lists(st.lists(operations, min_size=1, max_size=3).map(tuple), min_size=2, max_size=3).map(
    tuple
)


@settings(deadline=None, max_examples=150)
@given(programs, st.integers(1, 3))
def test_a_pruned_search_finds_the_same_outcomes(world: tuple[Program, ...], depth: int) -> None:
    pruned, counts = outcomes(Small(world), depth, prune=True)
    everything, all_counts = outcomes(Small(world), depth, prune=False)
    assert pruned == everything
    assert counts.explored <= all_counts.explored
    assert all_counts.pruned == 0


def test_enough_departures_reach_every_order() -> None:
    # Two threads of two steps each, all of which meet: 4! / (2! 2!) orders, each with an outcome of its own.
    both = (("w", "x"), ("w", "x"))
    found, _ = outcomes(Small((both, both)), 3, prune=True)
    assert len(found) == 6


def test_threads_that_never_meet_are_run_in_one_order_only() -> None:
    world = Small(((("w", "x"),) * 3, (("w", "y"),) * 3))
    found, counts = outcomes(world, 1, prune=True)
    _, everything = outcomes(world, 1, prune=False)
    assert len(found) == 1
    assert counts.pruned > 0
    assert counts.explored < everything.explored


def test_footprints_that_leave_something_out_lose_outcomes() -> None:
    # The comparison above can fail: where steps do not say what they touch, orders go missing.
    world = ((("w", "x"),) * 3, (("r", "x"),) * 3)
    assert outcomes(Small(world, blind=True), 1, prune=True)[0] < outcomes(Small(world), 1, prune=False)[0]


def test_the_name_of_an_order_reads_back() -> None:
    order = Order().then(3, "g-1").then(3, "o").then(17, "j-d0")
    assert str(order) == "g-1@3,o@3,j-d0@17"
    assert parse_order(str(order)) == order


def test_what_is_no_order_is_none() -> None:
    assert all(parse_order(text) is None for text in ("", "g-1", "o@0", "o@9,o@3", "x-1@3", "o@3,"))
