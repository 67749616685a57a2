"""A plan: prepared where nobody sees it, then committed as a whole, taken back, or dropped."""

import pytest

from blockops.graph.blkmirror import MirrorNode
from blockops.graph.change import Append, Change, Mirror, PlanState, Promote, Replace
from blockops.graph.node import ImageNode, Node
from tests.graph.bench import Bench, make_bench


@pytest.fixture
def bench() -> Bench:
    """Devices d0 and d1 on images of their own."""
    bench = make_bench()
    for name in ("d0", "d1"):
        bench.show(name, bench.make(f"/vm/{name}")).write(0, name.encode())
    return bench


def overlay(bench: Bench, path: str, backing: str = "/vm/d0") -> ImageNode:
    return bench.open(bench.make(path, backing), backing=False)


def tops(bench: Bench) -> dict[str, Node | None]:
    return dict(bench.graph.tops)


def test_a_prepared_plan_changes_no_device(bench: Bench) -> None:
    before = tops(bench)
    bench.planned(Append("d0", overlay(bench, "/vm/s0")), Replace("d1", None))
    assert tops(bench) == before


def test_a_prepared_plan_keeps_its_nodes_open_and_an_abandoned_one_closes_them(bench: Bench) -> None:
    plan = bench.planned(Append("d0", overlay(bench, "/vm/s0")), Mirror("d1", overlay(bench, "/vm/m1")))
    bench.graph.collect()
    assert bench.handles() == ["/vm/d0", "/vm/d1", "/vm/m1", "/vm/s0"]
    plan.abandon()
    assert bench.handles() == ["/vm/d0", "/vm/d1"]
    assert (plan.state, bench.graph.plans) == (PlanState.ABANDONED, [])


def test_a_commit_shows_one_change_after_the_other_and_stops_between(bench: Bench) -> None:
    first, second = overlay(bench, "/vm/s0"), overlay(bench, "/vm/s1", "/vm/d1")
    changes = [Append("d0", first), Append("d1", second)]
    plan = bench.planned(*changes)
    committing = plan.commit()
    assert next(committing) is changes[0]
    assert (bench.graph.tops["d0"], bench.chain("d1")) == (first, ["/vm/d1"])
    assert next(committing) is changes[1]
    assert bench.graph.tops["d1"] is second
    assert list(committing) == []
    assert plan.state is PlanState.COMMITTED


def test_an_appended_overlay_goes_above_whatever_the_device_shows_when_it_is_committed(bench: Bench) -> None:
    first, second = overlay(bench, "/vm/s0"), overlay(bench, "/vm/s1")
    later = bench.planned(Append("d0", second))
    bench.apply(Append("d0", first))
    list(later.commit())
    assert bench.chain() == ["/vm/s1", "/vm/s0", "/vm/d0"]


def test_an_appended_overlay_shows_what_was_there_and_keeps_the_base_as_it_is(bench: Bench) -> None:
    base = bench.graph.tops["d0"]
    assert base is not None
    top = overlay(bench, "/vm/s0")
    bench.apply(Append("d0", top))
    assert top.read(0, 2) == b"d0"
    top.write(0, b"new")
    assert (top.read(0, 3), base.read(0, 3)) == (b"new", b"d0\0")


def test_an_overlay_that_was_opened_with_its_chain_is_hung_over_what_the_device_shows(bench: Bench) -> None:
    shown = bench.show("d0", bench.make("/vm/other"))
    bench.apply(Append("d0", bench.open(bench.make("/vm/s0", "/vm/d1"))))
    assert bench.chain() == ["/vm/s0", "/vm/other"]
    shown.write(0, b"below")
    assert bench.graph.chain("d0")[0].read(0, 5) == b"below"


def test_a_node_that_was_promoted_twice_is_hung_back_where_it_was(bench: Bench) -> None:
    target = overlay(bench, "/vm/target")
    bench.apply(Mirror("d0", target))
    backings = [bench.open(bench.make(f"/vm/b{number}")) for number in range(2)]
    plan = bench.committed(*(Promote("d0", target, backing) for backing in backings))
    assert target.backing is backings[1]
    plan.abandon()
    assert target.below == ()
    assert bench.handles() == ["/vm/d0", "/vm/d1", "/vm/target"]


def test_a_replaced_top_is_closed_once_the_plan_is_settled_and_not_before(bench: Bench) -> None:
    plan = bench.committed(Replace("d0", bench.open(bench.make("/vm/flat"))))
    bench.graph.collect()
    assert "/vm/d0" in bench.handles(), "a plan keeps the way back alive"
    plan.settle()
    assert bench.graph.collect() == ()
    assert bench.handles() == ["/vm/d1", "/vm/flat"]


def test_replacing_by_nothing_takes_the_medium_out(bench: Bench) -> None:
    bench.apply(Replace("d0", None))
    assert bench.graph.chain("d0") == ()
    assert bench.handles() == ["/vm/d1"]


def changes_of_each_kind(bench: Bench) -> dict[str, list[Change]]:
    """Lists of changes by what they show; the last has all kinds, some twice on one device."""
    target = overlay(bench, "/vm/target")
    bench.apply(Mirror("d1", target))
    other = overlay(bench, "/vm/s1", "/vm/d1")
    flat = bench.open(bench.make("/vm/flat"))
    kinds: dict[str, list[Change]] = {
        "append": [Append("d0", overlay(bench, "/vm/s0"))],
        "mirror": [Mirror("d0", overlay(bench, "/vm/m0"), shares_backing=True)],
        "replace": [Replace("d0", flat)],
        "medium-out": [Replace("d0", None)],
        "promote": [Promote("d1", target, flat)],
        "append-twice": [Append("d1", overlay(bench, "/vm/s2")), Append("d1", other)],
    }
    return kinds


@pytest.mark.parametrize(
    "kind", ["append", "mirror", "replace", "medium-out", "promote", "append-twice", "all"]
)
@pytest.mark.parametrize("made", ["all", "first", "none"])
def test_reverting_shows_again_what_each_device_showed_however_far_the_commit_came(
    bench: Bench, kind: str, made: str
) -> None:
    kinds = changes_of_each_kind(bench)
    changes = [change for one in kinds.values() for change in one] if kind == "all" else kinds[kind]
    bench.graph.plan()  # somebody else's, empty
    before, chains = tops(bench), (bench.chain("d0"), bench.chain("d1"))
    plan = bench.planned(*changes)
    committing = plan.commit()
    for _ in {"all": changes, "first": changes[:1], "none": []}[made]:
        next(committing)
    plan.revert()
    assert tops(bench) == before
    assert (bench.chain("d0"), bench.chain("d1")) == chains
    plan.abandon()
    assert tops(bench) == before
    assert bench.handles() == ["/vm/d0", "/vm/d1", "/vm/target"]


def test_abandoning_a_committed_plan_takes_it_back(bench: Bench) -> None:
    before = tops(bench)
    bench.committed(Append("d0", overlay(bench, "/vm/s0"))).abandon()
    assert tops(bench) == before
    assert bench.handles() == ["/vm/d0", "/vm/d1"]


def test_there_is_no_way_back_from_a_settled_plan(bench: Bench) -> None:
    top = overlay(bench, "/vm/s0")
    plan = bench.committed(Append("d0", top))
    plan.settle()
    plan.revert()
    assert bench.graph.tops["d0"] is top
    assert plan not in bench.graph.plans


@pytest.mark.parametrize("end", ["committed", "abandoned"])
def test_only_a_prepared_plan_can_be_committed(bench: Bench, end: str) -> None:
    plan = bench.planned(Append("d0", overlay(bench, "/vm/s0")))
    if end == "committed":
        list(plan.commit())
    else:
        plan.abandon()
    before = bench.chain()
    with pytest.raises(AssertionError):
        list(plan.commit())
    assert bench.chain() == before


def test_a_mirror_needs_a_medium_below(bench: Bench) -> None:
    bench.apply(Replace("d0", None))
    with pytest.raises(AssertionError, match="medium"):
        bench.committed(Mirror("d0", overlay(bench, "/vm/m0")))


def test_a_mirror_target_shares_the_sources_backing_only_if_told_to(bench: Bench) -> None:
    base = bench.graph.tops["d0"]
    bench.apply(Append("d0", overlay(bench, "/vm/s0")))
    shared, own = overlay(bench, "/vm/m0"), overlay(bench, "/vm/m1")
    bench.apply(Mirror("d0", shared, shares_backing=True))
    bench.apply(Mirror("d0", own))
    assert shared.backing is base
    assert own.backing is None


def test_a_snapshot_and_a_mirror_prepared_together_share_the_old_image(bench: Bench) -> None:
    top, target = overlay(bench, "/vm/s0"), overlay(bench, "/vm/m0")
    bench.apply(Append("d0", top), Mirror("d0", target, shares_backing=True))
    shown = bench.graph.tops["d0"]
    assert isinstance(shown, MirrorNode)
    shown.write(0, b"both")
    assert (top.read(0, 4), target.read(0, 4)) == (b"both", b"both")
    assert target.backing is top.backing


def test_a_mirror_below_a_snapshot_receives_nothing(bench: Bench) -> None:
    top, target = overlay(bench, "/vm/s0"), overlay(bench, "/vm/m0")
    bench.apply(Mirror("d0", target), Append("d0", top))
    shown = bench.graph.tops["d0"]
    assert shown is top
    top.write(0, b"top only")
    assert target.read(0, 8) == bytes(8)


def test_two_plans_that_are_taken_back_in_reverse_leave_nothing_behind(bench: Bench) -> None:
    before = tops(bench)
    first = bench.committed(Append("d0", overlay(bench, "/vm/s0")))
    second = bench.committed(Append("d0", overlay(bench, "/vm/s1")))
    second.abandon()
    assert bench.chain() == ["/vm/s0", "/vm/d0"]
    first.abandon()
    assert tops(bench) == before


def test_abandoning_one_plan_leaves_the_nodes_of_another_open(bench: Bench) -> None:
    one = bench.planned(Append("d0", overlay(bench, "/vm/s0")))
    other = bench.planned(Append("d0", overlay(bench, "/vm/s1")))
    one.abandon()
    assert bench.handles() == ["/vm/d0", "/vm/d1", "/vm/s1"]
    list(other.commit())
    assert bench.chain() == ["/vm/s1", "/vm/d0"]
