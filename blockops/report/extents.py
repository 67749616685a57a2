"""How many orders there were, with faults and without, and how many states after power cuts.

Each a sentence whose numbers add up.
"""

from collections.abc import Iterable, Iterator, Sequence

from blockops.lab.faults import FAMILIES
from blockops.lab.faults.kinds import Kind
from blockops.lab.power.models import MANY
from blockops.lab.results import Coverage, Orders, PowerCuts
from blockops.report.case import place_of
from blockops.report.tally import counted

_SORTS = ("power", "lying", "again")
"""The sorts of power cuts, each counted apart."""

_MODELS = {
    "power": "P0 to P6; P7, lying storage, is apart",
    "lying": "P7, storage that had lied about every flush",
    "again": "P0 to P6 for both",
}

_OF_OPERATIONS = frozenset(kind.value for kind in Kind)


def extents(entries: Sequence[Coverage]) -> Iterator[str]:
    """Yield sentences for orders, for those crossed with faults, for power cuts, and for lying storage."""
    yield from _of_all_orders([entry for entry in entries if entry.orders is not None])
    crossed = [entry for entry in entries if entry.crossed is not None]
    if crossed:
        yield _of_crossed(crossed)
    for sort in _SORTS:
        cut = [
            entry for entry in entries if entry.power is not None and place_of(entry.use_case).faults == sort
        ]
        if cut:
            yield _of_power_cuts(cut, sort)


def _of_all_orders(entries: Sequence[Coverage]) -> Iterator[str]:
    """Yield a sentence for each depth; where some use cases are searched deeper, which ones are not."""
    depths = sorted({entry.orders.departures for entry in entries if entry.orders is not None}, reverse=True)
    for depth in depths:
        own = [entry for entry in entries if entry.orders is not None and entry.orders.departures == depth]
        less = "" if depth == depths[0] else f", where more would be too many ({_use_cases(own)}: truncated)"
        yield _of_orders(depth, less, [entry.orders for entry in own if entry.orders], own)


def _use_cases(entries: Iterable[Coverage]) -> str:
    return ", ".join(dict.fromkeys(place_of(entry.use_case).use_case for entry in entries))


def _of_orders(depth: int, less: str, orders: Sequence[Orders], entries: Sequence[Coverage]) -> str:
    explored, pruned = sum(one.explored for one in orders), sum(one.pruned for one in orders)
    left = sum(entry.left for entry in entries)
    come_to = f", at most {left:,} not come to" if left else ""
    most = "one departure" if depth == 1 else f"at most {depth} departures"
    return (
        f"interleavings of {most}{less}: {explored:,} explored, {pruned:,} left out as equivalent to one of "
        f"them{come_to}. A departure: one task (the operation, a job or a lane of the guest) takes a step "
        "before the turn of another; nothing else breaks. The scheduler’s own order is among those explored"
    )


def _of_crossed(entries: Sequence[Coverage]) -> str:
    found = [entry.crossed for entry in entries if entry.crossed is not None]
    met, of = sum(one.orders for one in found), sum(one.of for one in found)
    judged, space = sum(entry.cases for entry in entries), sum(entry.space for entry in entries)
    hosts = [entry for entry in entries if any(one.group in _OF_OPERATIONS for one in entry.portions)]
    alone = f"; the host fails in {_use_cases(hosts)} alone" if 0 < len(hosts) < len(entries) else ""
    return (
        f"interleavings crossed with crashes, second attempts and failures of the host: of {of:,} orders of "
        f"one departure, the scheduler’s own and equivalent ones left out, {met:,} met a fault; {judged:,} "
        f"of {space:,} cases judged, of them {'; '.join(_sorts(entries))}{alone}"
    )


def _sorts(entries: Sequence[Coverage]) -> Iterator[str]:
    """Yield how many cases of each sort of fault were judged, of how many."""
    nouns = {group: family.noun or group for family in FAMILIES for group in family.groups}
    found: dict[str, tuple[int, int]] = {}
    for portion in (portion for entry in entries for portion in entry.portions):
        noun = nouns.get(portion.group, portion.group)
        judged, of = found.get(noun, (0, 0))
        found[noun] = (judged + portion.judged, of + portion.of)
    yield from (f"{judged:,} of {of:,} {noun}" for noun, (judged, of) in found.items())


def _of_power_cuts(entries: Sequence[Coverage], sort: str) -> str:
    found = _added(entry.power for entry in entries if entry.power is not None)
    judged = sum(entry.cases for entry in entries)
    what = "second power cuts, of recoveries from a first," if sort == "again" else "power cuts"
    cap = (
        f" (truncated at {counted(found.truncated, 'instant')}; of more than {MANY} unsynced changes of a "
        "file not all subsets are listed, and those are in no number here)"
        if found.truncated
        else ""
    )
    return (
        f"{what} at {counted(found.instants, 'instant')}: {counted(found.raw, 'state')} by the "
        f"persistence models ({_MODELS[sort]}), of which {found.distinct:,} are distinct, "
        f"{found.remembered:,} equal an earlier one with equal promises, {found.equal:,} equal another at "
        f"the same instant and {found.left_out:,} were left out{cap}; {judged:,} of the distinct ones judged"
    )


def _added(cuts: Iterable[PowerCuts]) -> PowerCuts:
    found = PowerCuts()
    for one in cuts:
        found = PowerCuts(
            found.instants + one.instants,
            found.raw + one.raw,
            found.distinct + one.distinct,
            found.remembered + one.remembered,
            found.equal + one.equal,
            found.left_out + one.left_out,
            found.truncated + one.truncated,
        )
    return found
