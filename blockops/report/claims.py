"""The page's claims and the costs, arranged for people: by design, by use case, series over the devices."""

from collections.abc import Callable, Mapping, Sequence

import attrs

from blockops.lab.costs import Cost, Effort, Measured
from blockops.lab.results import Answer, Claim, Results
from blockops.report.tally import Mark

SIGNS: Mapping[Answer, Mark] = {
    Answer.CONFIRMED: Mark.HELD,
    Answer.REFUTED: Mark.VIOLATED,
    Answer.INCONCLUSIVE: Mark.UNKNOWN,
    Answer.HISTORICAL: Mark.NOT_EXERCISED,
}
"""Each answer with the mark whose symbol and colours it is shown in; the word is the answer's own."""


@attrs.frozen
class Column:
    """A measure of the cost tables: its *title*, what it *says*, and how to take it."""

    title: str
    says: str
    of: Callable[[Measured], str]


COLUMNS = (
    Column("commands", "different commands sent", lambda one: f"{one.commands}"),
    Column("round trips", "commands sent, each waits for its answer", lambda one: f"{one.round_trips}"),
    Column(
        "fallible steps",
        "round trips, and management’s own operations on the host",
        lambda one: f"{one.fallible_steps}",
    ),
    Column(
        "KiB written",
        "by management and by the hypervisor for the operation, the guest’s own requests left out",
        lambda one: f"{one.bytes_written / 1024:,.0f}",
    ),
    Column(
        "stall, steps",
        "the guest’s longest standstill in steps that it could not take",
        lambda one: f"{one.stall_steps}",
    ),
    Column(
        "stall, host operations",
        "what others did on the host during such a standstill, at most",
        lambda one: f"{one.stall_operations}",
    ),
)


@attrs.frozen
class ClaimGroup:
    """The claims about one design."""

    design: str
    author: str
    claims: tuple[Claim, ...]


@attrs.frozen
class CostTable:
    """One use case: the numbers of devices that were measured, and a row a contestant."""

    use_case: str
    devices: tuple[int, ...]
    rows: tuple[Cost, ...]


@attrs.frozen
class Bill:
    """Claims, costs and efforts of one set of results, in reading order."""

    groups: tuple[ClaimGroup, ...]
    tables: tuple[CostTable, ...]
    efforts: tuple[Effort, ...]

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations whose places were counted."""
        return tuple(dict.fromkeys(name for effort in self.efforts for name in effort.places))

    @property
    def answers(self) -> str:
        """How many claims have which answer, in words."""
        claims = [claim for group in self.groups for claim in group.claims]
        numbers = {answer: sum(claim.answer is answer for claim in claims) for answer in Answer}
        return ", ".join(f"{number} {answer.value}" for answer, number in numbers.items() if number)


def bill(results: Results) -> Bill:
    """Return what *results* say of claims and costs; empty where the run was narrowed down."""
    authors = {design.id: design.author for design in results.designs}
    designs = dict.fromkeys(claim.design for claim in results.claims)
    return Bill(
        groups=tuple(
            ClaimGroup(
                name, authors.get(name, ""), tuple(claim for claim in results.claims if claim.design == name)
            )
            for name in designs
        ),
        tables=_tables(results.costs),
        efforts=results.efforts,
    )


def _tables(costs: Sequence[Cost]) -> tuple[CostTable, ...]:
    use_cases = dict.fromkeys(cost.use_case for cost in costs)
    by_use_case = {name: tuple(cost for cost in costs if cost.use_case == name) for name in use_cases}
    return tuple(
        CostTable(name, tuple(one.devices for one in rows[0].at), rows) for name, rows in by_use_case.items()
    )


def series(cost: Cost, column: Column) -> str:
    """Return a measure over the numbers of devices: "3, 4, 6, 10", one number where it never changes."""
    values = [column.of(one) for one in cost.at]
    return values[0] if len(set(values)) == 1 else ", ".join(values)
