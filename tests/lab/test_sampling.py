"""What is sampled depends on the seed and the number alone; without sampling everything is judged."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import blockops.lab.settings as settings_module
from blockops.lab import compare as compare_module
from blockops.lab.allotting import allot
from blockops.lab.compare import Progress, Settings, compare
from blockops.lab.errands import surveying
from blockops.lab.exploring import record, space
from blockops.lab.faults import parse_fault
from blockops.lab.judging import Judging
from blockops.lab.pairs import leading_faults, leads
from blockops.lab.parts import Depth, Part, Scope, Setting
from blockops.lab.plan import FURTHER_WORLDS, parts_of
from blockops.lab.policy import DEFAULT, FULL, Policy, shares
from blockops.lab.results import Coverage, Results, ToolSample
from blockops.lab.sampling import Lots, sampled
from blockops.lab.tally import Tally
from blockops.lab.work import judge_drawn, survey
from blockops.lab.world import World
from proposals.catalogue import contestants
from tests.lab.cases import case

NAMES = st.lists(st.text("abc@+/", max_size=6), unique=True, max_size=40)


@given(NAMES, st.integers(0, 45), st.integers(0, 3), st.randoms())
def test_a_sample_does_not_depend_on_the_order_and_a_larger_one_holds_it(
    names: list[str], wanted: int, seed: int, chance: "object"
) -> None:
    drawn = {names[rank] for rank in sampled(names, wanted, seed)}
    assert len(drawn) == min(wanted, len(names))
    shuffled = sorted(names, reverse=True)
    assert {shuffled[rank] for rank in sampled(shuffled, wanted, seed)} == drawn
    assert drawn <= {names[rank] for rank in sampled(names, wanted + 1, seed)}


@given(NAMES, st.integers(1, 45), st.data())
def test_lots_drawn_in_parts_add_up_to_those_drawn_at_once(
    names: list[str], limit: int, data: st.DataObject
) -> None:
    parts: dict[int, list[str]] = {}
    for name in names:
        parts.setdefault(data.draw(st.integers(0, 3)), []).append(name)
    whole = Lots(limit)
    for number in data.draw(st.permutations(list(parts))):
        part = Lots(limit)
        part.draw(7, parts[number])
        whole.add(part)
    assert [name for _, name in whole.lowest] == [names[rank] for rank in sampled(names, limit, 7)]
    assert whole.count == len(names)


def test_another_seed_draws_another_sample() -> None:
    names = [str(number) for number in range(1000)]
    assert sampled(names, 100, 7) != sampled(names, 100, 8)


@given(st.integers(0, 500), st.integers(1, 100), st.lists(st.integers(0, 120), max_size=12))
def test_shares_are_equal_but_for_those_that_need_less(total: int, most: int, sizes: list[int]) -> None:
    found = shares(total, most, sizes)
    assert sum(found) <= total
    assert all(share <= min(size, most) for share, size in zip(found, sizes, strict=True))
    short = [share for share, size in zip(found, sizes, strict=True) if share < min(size, most)]
    assert not short or max(found) - min(short) <= 1
    assert not short or sum(found) == total


def test_a_larger_share_keeps_the_cases_of_a_smaller_one_and_each_has_the_one_without_fault() -> None:
    smaller: set[tuple[int, str]] = set()
    for total in (1, 2, 10, 39):
        (part,) = allotted(Policy(others=total), "group-snapshot", 4)
        assert part.drawn is not None
        assert len(part.drawn) == part.planned == total
        assert smaller < {*part.drawn}
        smaller = {*part.drawn}
    assert "no-fault" in {name for _, name in smaller}


def test_what_is_sampled_is_drawn_from_the_devices_at_the_edge_and_ranked_in_the_order_of_the_list() -> None:
    (part,) = allotted(Policy(others=40, inner=False), "group-snapshot", 4)
    start = case(f"{part.setting}/no-fault")
    listed = [str(fault) for fault in space(start, record(start), None, complete=False).faults]
    ids = [f"{part.setting}/{name}" for name in listed if name != "no-fault"]
    lucky = {ids[rank].rpartition("/")[2] for rank in sampled(ids, 39, 7)} | {"no-fault"}
    assert part.drawn is not None
    assert [name for _, name in part.drawn] == [name for name in listed if name in lucky]


def test_variants_are_drawn_from_variants_and_nothing_is_drawn_of_what_is_judged_whole() -> None:
    own, variants, pairs = allotted(Policy(variants=30, power=1, orders=()), "group-snapshot", 2)
    assert own.drawn is pairs.drawn is None
    assert variants.drawn is not None
    assert len(variants.drawn) == 30
    assert all(parse_fault(name).is_variant for _, name in variants.drawn)


def test_a_case_that_is_judged_by_its_name_is_judged_as_in_its_space() -> None:
    (part,) = allotted(Policy(others=60), "mirror-many", 3)
    start = case(f"{part.setting}/no-fault")
    found = space(start, record(start), None, complete=True)
    assert part.drawn is not None
    tally, judging = Tally(), Judging(start, found)
    for rank, name in part.drawn:
        assert str(found.faults[rank]) == name
        tally.count(judging.judge(found.faults[rank]), found.faults[rank], rank)
    by_name = judge_drawn(contestants, part.setting, part.drawn)
    by_name.equal = tally.equal  # two kills are known to be equal in a space alone
    assert by_name == tally
    assert {"kill", "eio"} <= {*tally.groups}


def allotted(policy: Policy, use_case: str, devices: int) -> list[Part]:
    """Return the parts of a setting, surveyed and with what *policy* lets be judged of them."""
    settings = Settings(contestants=("freeze.hardened.naive",), use_cases=(use_case,))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settings_module, "DEFAULT", policy)
        parts = parts_of(settings, contestants())
    here = [part for part in parts if part.setting.world == World(devices=devices)]
    for errand in surveying(contestants, here):
        for part in here:
            part.surveyed = errand.function(*errand.arguments).seen_by(part)
    allot(policy, here)
    return [part for part in here if part.depth is not Depth.PAIRS or policy.variants]


# ------------------------------------------------------------------------------------- whole comparisons

SMALL = Settings(
    contestants=("group-snapshot.hardened.naive",), use_cases=("group-snapshot",), examples=0, jobs=1
)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample little, and leave the second opinion out."""
    policy = Policy(odd=50, others=60, worlds=10, pairs=30, power=20, orders=(), most=40, inner=False)
    monkeypatch.setattr(settings_module, "DEFAULT", policy)
    monkeypatch.setattr(compare_module, "sample_images", lambda settings, parts: ToolSample())


def ignored(progress: Progress) -> None:
    pass


def coverage(settings: Settings) -> dict[str, Coverage]:
    results = compare(settings, contestants, ignored)
    assert results.broken_invariants == ()
    return {entry.use_case: entry for entry in results.coverage}


def test_by_default_two_devices_are_judged_whole_and_the_rest_is_sampled_and_stated() -> None:
    found = coverage(SMALL)
    own = found["group-snapshot-2"]
    assert (own.sampled, own.cases, own.fault_points) == (False, own.space, own.all_fault_points)
    others = [found[f"group-snapshot-{devices}"] for devices in (1, 3, 4, 5, 6, 7, 8)]
    assert sum(entry.cases for entry in others) == 60
    pairs_of_two = found["group-snapshot-2 pairs"]
    assert pairs_of_two.cases == 30 + 1
    worlds = [entry for place, entry in found.items() if "~" in place]
    assert len(worlds) == len(FURTHER_WORLDS)
    assert sum(entry.cases for entry in worlds) == 10
    for entry in [*others, *worlds, pairs_of_two]:
        assert entry.sampled
        assert not entry.truncated
        assert entry.cases < entry.space == sum(portion.of for portion in entry.portions)


def test_a_use_case_that_is_not_for_two_devices_is_sampled_too() -> None:
    settings = attrs.evolve(SMALL, contestants=("freeze.hardened.naive",), use_cases=("migrate-one",))
    found = coverage(settings)
    assert found["migrate-one-1"].cases == 50
    assert found["migrate-one-1"].sampled
    assert {part.place for part in parts_of(settings, contestants())} == set(found)


def test_the_whole_space_is_counted_even_where_inner_devices_are_left_alone() -> None:
    start = case("group-snapshot.hardened.naive/group-snapshot-5/no-fault")
    everything = space(start, record(start), None, complete=True)
    entry = coverage(SMALL)["group-snapshot-5"]
    assert (entry.space, entry.all_fault_points) == (len(everything.faults), everything.points)


@pytest.mark.parametrize(("devices", "groups"), [(3, ("eio", "kill")), (1, ("pair",))])
def test_nothing_is_sampled_where_everything_is_asked_for(devices: int, groups: tuple[str, ...]) -> None:
    found = coverage(attrs.evolve(SMALL, devices=devices, faults=groups, complete=True))
    start = case(f"group-snapshot.hardened.naive/group-snapshot-{devices}/no-fault")
    faults = space(start, record(start), frozenset(groups), complete=True).faults
    (entry,) = found.values()
    assert entry.cases == entry.space == len(faults)
    assert (entry.sampled, entry.truncated) == (False, False)


def test_pairs_are_the_same_whether_they_are_met_with_single_faults_or_looked_for() -> None:
    def drawn(settings: Settings) -> list[tuple[str, int, int]]:
        results: Results = compare(settings, contestants, ignored)
        return [
            (cell.law, cell.held, cell.violated)
            for cell in results.cells
            if cell.use_case == "group-snapshot-2 pairs"
        ]

    together, alone = drawn(SMALL), drawn(attrs.evolve(SMALL, faults=("pair",)))
    assert together == alone
    assert sum(held for _, held, _ in alone) > 31


def test_what_leads_is_what_pairs_begin_with() -> None:
    start = case("freeze.hardened.careful/migrate-one-1/no-fault")
    recording = record(start)
    singles = space(start, recording, None, complete=True).faults
    leading = {fault for fault in singles if any(map(leads, fault.host_faults))}
    assert leading == set(leading_faults(recording.operations))


def test_full_samples_nothing_and_the_default_something() -> None:
    sampled = (FULL.odd, FULL.others, FULL.worlds, FULL.variants, FULL.pairs, FULL.power, FULL.orders)
    assert sampled == (None,) * 7
    assert FULL.inner
    assert None not in attrs.astuple(DEFAULT)
    assert {part.depth for part in parts_of(Settings(complete=True), contestants())} >= {
        Depth.OWN,
        Depth.OTHERS,
        Depth.PAIRS,
    }


@pytest.mark.parametrize("name", ["freeze.hardened.careful/mixed-3", "transaction.as-posted.naive/retry-5"])
def test_a_survey_counts_what_may_be_sampled_as_it_is_listed(name: str) -> None:
    start = case(f"{name}/no-fault")
    setting = Setting(start.contestant.id, start.use_case.id, start.world)
    for inner in (False, True):
        scope = Scope(None, inner, seed=7)
        assert survey(contestants, setting, scope).choice == len(
            space(start, record(start), None, inner).faults
        )


def stopped_when(enough: Callable[[Progress], bool]) -> dict[str, Coverage]:
    def impatient(progress: Progress) -> None:
        if enough(progress):
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as executor:
        results = compare(SMALL, contestants, impatient, executor)
    assert results.interrupted
    return {entry.use_case: entry for entry in results.coverage}


@pytest.mark.parametrize("cases", [0, 1], ids=["while it counts", "while it judges"])
def test_a_run_that_is_stopped_knows_what_it_would_have_sampled_and_what_it_did_not_come_to(
    cases: int,
) -> None:
    found = stopped_when(lambda now: now.done_cases >= cases and now.parts[0].surveyed is not None)
    for place, entry in found.items():
        assert entry.sampled == (place != "group-snapshot-2")
        assert entry.truncated == (entry.left > 0)
    own = found["group-snapshot-2"]
    assert own.cases + own.left == own.space
    assert (found["group-snapshot-2 pairs"].space, found["group-snapshot-2 pairs"].left) == (0, 30 + 1)
    others = [found[f"group-snapshot-{number}"] for number in (1, 3, 4, 5, 6, 7, 8) if cases]
    assert sum(entry.cases + entry.left for entry in others) == 60 * cases
