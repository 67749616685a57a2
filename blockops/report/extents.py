"""How many orders there were, and how many states after power cuts: sentences whose numbers add up."""

from collections.abc import Iterable, Iterator, Sequence

from blockops.lab.power.models import MANY
from blockops.lab.results import Coverage, Orders, PowerCuts
from blockops.report.case import place_of
from blockops.report.tally import counted

LYING = "lying"


def extents(entries: Sequence[Coverage]) -> Iterator[str]:
    """Yield a sentence for orders, for power cuts, and for those of storage that had lied."""
    orders = [entry.orders for entry in entries if entry.orders is not None]
    if orders:
        yield _of_orders(orders, sum(entry.left for entry in entries if entry.orders is not None))
    for lying in (False, True):
        cut = [entry for entry in entries if entry.power is not None and _lied(entry) is lying]
        if cut:
            yield _of_power_cuts(cut, lying)


def _lied(entry: Coverage) -> bool:
    return place_of(entry.use_case).faults == LYING


def _of_orders(orders: Sequence[Orders], left: int) -> str:
    explored, pruned = sum(one.explored for one in orders), sum(one.pruned for one in orders)
    come_to = f", at most {left:,} not come to" if left else ""
    return (
        f"interleavings of one departure: {explored:,} explored, {pruned:,} left out as equivalent to one of "
        f"them{come_to}. A departure: one task (the operation, a job or a lane of the guest) takes a step "
        "before the turn of another; nothing else breaks. The scheduler’s own order is among those explored"
    )


def _of_power_cuts(entries: Sequence[Coverage], lying: bool) -> str:
    found = _added(entry.power for entry in entries if entry.power is not None)
    judged = sum(entry.cases for entry in entries)
    models = (
        "P7, storage that had lied about every flush" if lying else "P0 to P6; P7, lying storage, is apart"
    )
    cap = (
        f" (truncated at {counted(found.truncated, 'instant')}; of more than {MANY} unsynced changes of a "
        "file not all subsets are listed, and those are in no number here)"
        if found.truncated
        else ""
    )
    return (
        f"power cuts at {counted(found.instants, 'instant')}: {counted(found.raw, 'state')} by the "
        f"persistence models ({models}), of which {found.distinct:,} are distinct, {found.remembered:,} "
        f"equal an earlier one with equal promises, {found.equal:,} equal another at the same instant and "
        f"{found.left_out:,} were left out{cap}; {judged:,} of the distinct ones judged"
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
