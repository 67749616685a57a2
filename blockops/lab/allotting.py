"""Who gets how much of what may be sampled, and which cases those are, once all is surveyed."""

from collections.abc import Mapping
from itertools import islice

import attrs

from blockops.lab.faults import parse_fault
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.host import PAIR
from blockops.lab.interleaving.order import parse_order
from blockops.lab.parts import Depth, Part
from blockops.lab.policy import Policy, shares
from blockops.lab.sampling import Lots


def _sampled(policy: Policy) -> dict[Depth, int]:
    """Return how many cases are sampled in all of each depth of which not all are judged."""
    totals = {
        Depth.ODD: policy.odd,
        Depth.OTHERS: policy.others,
        Depth.WORLDS: policy.worlds,
        Depth.VARIANTS: policy.variants,
        Depth.POWER: policy.power,
    }
    return {depth: total for depth, total in totals.items() if total is not None}


def at_most(policy: Policy, depth: Depth) -> int | None:
    """Return how many cases of one setting can be sampled; None where all are judged."""
    total = _sampled(policy).get(depth)
    return total if total is None or depth is Depth.ODD else min(total, policy.most)


def allot(policy: Policy, parts: list[Part]) -> None:
    """Share the numbers of cases that may be sampled among the parts, now that they are surveyed."""
    for depth, total in _sampled(policy).items():
        sampled = [part for part in parts if part.depth is depth and part.scope.sample is not None]
        surveyed = [(part, part.surveyed) for part in sampled if part.surveyed]
        if not surveyed:
            continue
        most = at_most(policy, depth) or 0
        allotted = shares(total, most, [survey.choice for _, survey in surveyed])
        for (part, survey), share in zip(surveyed, allotted, strict=True):
            lowest = islice(survey.lots.items(), max(1, share))
            part.drawn = tuple(sorted((rank, name) for name, rank in lowest))
    _allot_pairs(policy, parts)
    _allot_crossed(policy, parts)


def _allot_pairs(policy: Policy, parts: list[Part]) -> None:
    """Say how many pairs are to be drawn, none where all are judged: while the single faults are judged."""
    paired = {part.setting for part in parts if part.depth is Depth.PAIRS}
    limit = 0 if policy.pairs is None else min(policy.most, policy.pairs // max(1, len(paired)) + 1)
    for part in parts:
        if part.setting in paired:
            part.scope = attrs.evolve(part.scope, pairs=limit)


def _allot_crossed(policy: Policy, parts: list[Part]) -> None:
    """Say how many orders are to be drawn, where not all are crossed with faults: while they are judged."""
    crossing = {part.setting for part in parts if part.depth is Depth.CROSSED and not part.scope.whole}
    limit = min(policy.most, (policy.crossed or 0) // max(1, len(crossing)) + 1)
    for part in parts:
        if part.depth in (Depth.ORDERS, Depth.CROSSED) and part.setting in crossing:
            part.scope = attrs.evolve(part.scope, crossed=limit)


def meet_crossed(parts: list[Part]) -> None:
    """Tell the parts that cross orders with faults how many cases there are, and which were drawn."""
    crossing = {part.setting: part.tally.crossing for part in parts if part.depth is Depth.ORDERS}
    for part in parts:
        if part.depth is not Depth.CROSSED or part.surveyed is None or part.scope.whole:
            continue
        found = crossing[part.setting]
        part.surveyed = part.surveyed.crossed(found)
        names = sorted((name for _, name in found.drawn.lowest), key=_place_of_crossed)
        part.drawn = tuple(enumerate(names))


def _place_of_crossed(name: str) -> list[tuple[int, str]]:
    """Return what orders crossed with a fault each are ordered by: where tasks depart."""
    order = parse_order(name.partition("/")[2])
    return [] if order is None else [(one.turn, one.task) for one in order.departures]


def meet_pairs(parts: list[Part], drawn: Mapping[str, Lots]) -> None:
    """Tell the parts of pairs how many there are and, where not all are judged, which were drawn."""
    for part in parts:
        if part.depth is not Depth.PAIRS or part.surveyed is None:
            continue
        lots = drawn.get(str(part.setting), Lots())
        part.surveyed = attrs.evolve(part.surveyed, groups={PAIR: lots.count}, choice=lots.count)
        if lots.limit:
            pairs = [parse_fault(case_id.rpartition("/")[2]) for _, case_id in lots.lowest]
            part.drawn = tuple(enumerate(map(str, sorted(pairs, key=_place_of_pair))))


def _place_of_pair(pair: Fault) -> list[tuple[int, str]]:
    """Return what pairs are ordered by: where the first strikes, then where the second does."""
    return [(fault.number, str(fault)) for fault in pair.host_faults]
