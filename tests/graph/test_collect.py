"""What is open: all that a device or a plan leads to, and after a collection nothing else."""

import errno

from blockops.errors import HostError
from blockops.graph.change import Append, Mirror, Replace
from blockops.graph.graph import everything_below, reading_path
from blockops.graph.node import ImageNode
from tests.graph.bench import Bench


def test_a_node_that_no_device_and_no_plan_leads_to_is_closed(bench: Bench) -> None:
    bench.open(bench.make("/vm/a"))
    assert bench.handles() == ["/vm/a"]
    assert bench.graph.collect() == ()
    assert (bench.handles(), bench.graph.open_nodes()) == ([], ())


def test_the_whole_chain_below_a_device_stays_open(bench: Bench) -> None:
    bench.make("/vm/a")
    bench.show("d0", bench.make("/vm/b", "/vm/a"))
    bench.graph.collect()
    assert bench.handles() == ["/vm/a", "/vm/b"]


def test_both_legs_of_a_mirror_stay_open(bench: Bench) -> None:
    bench.show("d0", bench.make("/vm/a"))
    bench.apply(Mirror("d0", bench.open(bench.make("/vm/m"))))
    assert bench.handles() == ["/vm/a", "/vm/m"]
    assert bench.chain() == ["/vm/a"], "a reader passes the source only"


def test_a_shared_base_is_closed_with_its_last_user(bench: Bench) -> None:
    bench.make("/vm/base")
    for name in ("d0", "d1"):
        bench.show(name, bench.make(f"/vm/{name}", "/vm/base"))
    bench.apply(Replace("d0", None))
    assert bench.handles() == ["/vm/base", "/vm/d1"]
    bench.apply(Replace("d1", None))
    assert bench.handles() == []


def test_a_base_that_a_device_goes_back_to_is_not_closed_with_its_overlay(bench: Bench) -> None:
    base = bench.show("d0", bench.make("/vm/base"))
    bench.apply(Append("d0", bench.open(bench.make("/vm/s", "/vm/base"), backing=False)))
    bench.apply(Replace("d0", base))
    assert bench.handles() == ["/vm/base"]
    base.write(0, b"still writable")


def test_closing_flushes_what_was_written(bench: Bench) -> None:
    bench.show("d0", bench.make("/vm/a")).write(0, b"kept")
    bench.apply(Replace("d0", None))
    assert bench.open("/vm/a").read(0, 4) == b"kept"


def test_every_file_is_closed_even_where_closing_fails_and_each_error_is_told(bench: Bench) -> None:
    for name in ("/vm/a", "/vm/b", "/vm/c"):
        bench.show(name, bench.make(name)).write(0, b"unflushed")
    for name in ("/vm/a", "/vm/c"):
        bench.host.fail("flush", name, code=errno.ENOSPC)
    for name in ("/vm/a", "/vm/b", "/vm/c"):
        bench.graph.tops[name] = None
    errors = bench.graph.collect()
    assert [error.path for error in errors if isinstance(error, HostError)] == ["/vm/c", "/vm/a"]
    assert (bench.handles(), bench.graph.open_nodes()) == ([], ())
    assert bench.graph.collect() == ()


def test_overlays_are_closed_before_what_they_rest_on(bench: Bench) -> None:
    bench.make("/vm/a")
    bench.make("/vm/b", "/vm/a")
    bench.show("d0", bench.make("/vm/c", "/vm/b"))
    bench.apply(Replace("d0", None))
    closed = [path for operation, path in bench.host.log if operation == "close"]
    assert closed == ["/vm/c", "/vm/b", "/vm/a"]


def test_a_node_is_found_by_the_absolute_name_of_its_file(bench: Bench) -> None:
    bench.make("/vm/sub/a")
    node = bench.show("d0", "sub/a")
    assert bench.graph.opened("/vm/sub/a") is node
    assert bench.graph.opened("sub/a") is None


def test_a_name_is_never_given_twice(bench: Bench) -> None:
    bench.make("/vm/a")
    names = []
    for _ in range(3):
        names.append(bench.open("/vm/a", lock=False).name)
        bench.graph.collect()
    assert len(set(names)) == 3


def test_each_node_is_met_once_however_many_ways_lead_to_it(bench: Bench) -> None:
    """Snapshot and mirror, again and again: each round doubles the ways down."""
    bench.show("d0", bench.make("/vm/base"))
    for number in range(30):
        top = bench.open(bench.make(f"/vm/s{number}", "/vm/base"), backing=False)
        target = bench.open(bench.make(f"/vm/m{number}", "/vm/base"), backing=False)
        bench.apply(Append("d0", top), Mirror("d0", target, shares_backing=True))
    shown = bench.graph.tops["d0"]
    assert shown is not None
    nodes = list(everything_below(shown))
    assert len(nodes) == len({id(node) for node in nodes}) == 1 + 3 * 30
    assert sum(isinstance(node, ImageNode) for node in nodes) == len(bench.handles())
    assert len(list(reading_path(shown))) == 1 + 2 * 30
