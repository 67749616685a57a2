"""What the coverage box says of orders: each depth by itself, and what was left out by name."""

from blockops.lab.results import Coverage, Crossed, Orders, Portion
from blockops.report.extents import extents

WHO = "freeze.hardened.careful"


def of_orders(place: str, orders: Orders, left: int = 0) -> Coverage:
    portions = (Portion("order", orders.explored, orders.explored),)
    return Coverage(WHO, place, orders.explored, orders.explored, 0, 0, portions, 2, left=left, orders=orders)


def of_crossed(place: str, crossed: Crossed, *portions: Portion) -> Coverage:
    judged, of = sum(one.judged for one in portions), sum(one.of for one in portions)
    return Coverage(WHO, place, judged, of, 0, 0, portions, 2, crossed=crossed)


def test_orders_of_each_depth_are_counted_apart_and_the_shallower_ones_are_truncated_by_name() -> None:
    deep, shallow = extents(
        [
            of_orders("migrate-many-2 orders", Orders(1, 500, 400)),
            of_orders("group-snapshot-2 orders", Orders(2, 4_000, 6_000)),
            of_orders("retry-2 orders", Orders(2, 1_000, 2_000)),
        ]
    )
    assert deep.startswith("interleavings of at most 2 departures: 5,000 explored, 8,000 left out")
    assert "truncated" not in deep
    assert shallow.startswith(
        "interleavings of one departure, where more would be too many (migrate-many: truncated): 500 explored"
    )


def test_orders_of_one_depth_alone_are_not_called_truncated() -> None:
    (said,) = extents([of_orders("group-snapshot-2 orders", Orders(1, 100, 50), left=7)])
    assert said.startswith("interleavings of one departure: 100 explored, 50 left out")
    assert "at most 7 not come to" in said
    assert "truncated" not in said


def test_the_cases_of_crossed_orders_add_up_by_sort_of_fault() -> None:
    (said,) = extents(
        [
            of_crossed(
                "group-snapshot-2 crossed", Crossed(3, 90), Portion("eio", 2, 900), Portion("kill", 1, 80)
            ),
            of_crossed("retry-2 crossed", Crossed(2, 80), Portion("kill", 1, 70), Portion("twice", 1, 20)),
        ]
    )
    assert "of 170 orders of one departure" in said
    assert "5 met a fault; 5 of 1,070 cases judged, of them 2 of 900 host faults; 2 of 150 kills" in said
    assert "1 of 20 mishaps of the channel; the host fails in group-snapshot alone" in said
