"""A part of a comparison: one contestant with one use case in one world, to one depth.

It is either inexpressible, with the reason, or has a space of cases that is surveyed and then judged slice by
slice (`work`): all of it, or a sample (`policy`).
"""

import enum
from collections import Counter

import attrs

from blockops.lab.case import Case
from blockops.lab.crossing import Crossing
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.pace import NoFault
from blockops.lab.results import PowerCuts
from blockops.lab.tally import Tally
from blockops.lab.world import World
from blockops.management.contestant import Contestant
from blockops.management.use_cases import USE_CASES


class Depth(enum.Enum):
    """Why a setting is compared, and so how far: the policy says how much of all but the first."""

    OWN = "the use case with two devices, or with as many as were asked for"
    ODD = "the use case with its own number of devices, which is not two"
    OTHERS = "with other numbers of devices"
    WORLDS = "in further worlds"
    PAIRS = "pairs of host faults"
    VARIANTS = "host faults in other spans, second deaths of management, and the guest at another pace"
    ORDERS = "orders in which tasks take steps out of turn, and nothing breaks"
    CROSSED = "orders in which one task takes one step out of turn, each crossed with a fault"
    POWER = "power cuts"
    LYING = "power cuts where the storage had lied about every flush"
    AGAIN = "second power cuts, of the recovery from a first"

    @property
    def besides(self) -> str:
        """What the report adds to the name of a place that has been compared in another depth, too."""
        return f" {self.name.lower()}" if self in _BESIDES else ""

    @property
    def alone(self) -> bool:
        """Whether its parts are surveyed each by itself, not with the setting's single faults."""
        return self in (Depth.ORDERS, Depth.CROSSED, Depth.POWER, Depth.LYING, Depth.AGAIN)


_BESIDES = (Depth.PAIRS, Depth.VARIANTS, Depth.ORDERS, Depth.CROSSED, Depth.POWER, Depth.LYING, Depth.AGAIN)


@attrs.frozen
class Setting:
    """A contestant with a use case in a world, by names: what crosses to a worker."""

    contestant: str
    use_case: str
    world: World

    @property
    def place(self) -> str:
        """The use case with its devices and, where it is not the standard one, its world."""
        return f"{self.use_case}-{self.world.name}"

    def __str__(self) -> str:
        return f"{self.contestant}/{self.place}"


@attrs.frozen
class Scope:
    """Which cases of a setting are asked for: of these fault groups, on *inner* devices too or not.

    *variants*: variants (`Fault.is_variant`), the others, or None: all.  *sample*: so many at most, drawn
    with *seed*, the one without a fault among them; None for all.  *pairs*: so many pairs are to be drawn
    of those that begin with one of the cases; None where none is wanted.

    Of orders: at most so many *departures*.  *hosts*: where they are crossed with faults, host operations
    fail, too.  *whole*: all of it is judged, slice by slice; *crossed*: else so many orders are drawn to be
    crossed with a fault each, None for no order.
    """

    groups: frozenset[str] | None
    inner: bool
    seed: int
    variants: bool | None = None
    sample: int | None = None
    pairs: int | None = None
    departures: int = 1
    hosts: bool = True
    whole: bool = False
    crossed: int | None = None

    def asks_for(self, fault: Fault) -> bool:
        """Whether variants, or others, are asked for and *fault* is one."""
        return self.variants is None or fault.is_variant is self.variants


@attrs.define
class Part:
    """One setting on its way: its space once surveyed, its tally so far, or why it cannot be asked.

    *drawn*: the cases that are to be judged, by rank and name, in order; None for all.
    """

    setting: Setting
    contestant: Contestant
    depth: Depth
    scope: Scope
    inexpressible: str | None = None
    surveyed: "Survey | None" = None
    drawn: tuple[tuple[int, str], ...] | None = None
    tally: Tally = attrs.field(factory=Tally)

    @property
    def place(self) -> str:
        """Under which name the report has it: the use case with its devices, and what of it is judged."""
        return f"{self.setting.place}{self.depth.besides}"

    def __str__(self) -> str:
        return f"{self.contestant.id}/{self.place}"

    @property
    def counted_as(self) -> str:
        """Whose survey it takes part in."""
        if self.depth is Depth.CROSSED:
            return f"{self.setting}{Depth.ORDERS.besides}"
        return str(self) if self.depth.alone else str(self.setting)

    @property
    def cases(self) -> int:
        """How many cases there are: of orders as many as may be, without those known to be equivalent."""
        return 0 if self.surveyed is None else self.surveyed.cases - self.tally.pruned

    @property
    def case(self) -> Case:
        """The setting's case without a fault."""
        return Case(self.contestant, USE_CASES[self.setting.use_case], self.setting.world, NoFault())

    @property
    def planned(self) -> int:
        """How many cases are to be judged; of what is met only later, the most that there may be."""
        if self.surveyed is None:
            return 0
        if self.drawn is not None:
            return len(self.drawn)
        if self.depth is Depth.PAIRS and not self.surveyed.cases:
            return self.scope.pairs or 0
        if self.depth is Depth.CROSSED and not self.surveyed.cases:
            return self.scope.crossed or 0
        return self.cases


@attrs.frozen
class First:
    """An order of one departure by its name: whether it is *explored*, or is equivalent to one that is.

    *further*: so many orders have one departure more, after its own; *faults*: so many can strike under it.
    """

    name: str
    explored: bool
    further: int
    faults: int


@attrs.frozen
class Survey:
    """The size of a setting's space: its cases by group of faults, and its host operations.

    *variants*: the same for those cases that are variants; *groups* has the others.  *choice*: how many of
    the cases may be sampled, the others are on inner devices; *leading*: how many faults there are that a
    pair may begin with.  *lots*: where cases are sampled, the names of those that drew the lowest, the
    lowest first, each with its rank in the space.  *power* has more numbers of power cuts.  *firsts* are
    the orders of one departure where these are listed, *crossing* says with what they can be crossed.
    """

    groups: dict[str, int]
    variants: dict[str, int]
    points: int
    choice: int
    leading: int
    lots: dict[str, int] = attrs.field(factory=dict)
    power: PowerCuts | None = None
    firsts: tuple[First, ...] = ()
    crossing: Crossing = attrs.field(factory=Crossing)

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return sum(self.groups.values())

    def crossed(self, crossing: Crossing) -> "Survey":
        """Return what there is where orders are crossed with faults as *crossing* says."""
        choice = sum(crossing.groups.values())
        groups, points = dict(crossing.groups), crossing.points
        return attrs.evolve(self, groups=groups, points=points, choice=choice, crossing=crossing)

    def seen_by(self, part: Part) -> "Survey":
        """Return what there is for *part*, all of it in *groups*.

        Pairs and, unless orders are listed, what these are crossed with are met only later.
        """
        if part.depth is Depth.CROSSED:
            return self.crossed(self.crossing)
        if part.depth.alone:
            return self
        if part.depth is Depth.PAIRS:
            return attrs.evolve(self, groups={}, variants={}, choice=0, lots={})
        match part.scope.variants:
            case True:
                return attrs.evolve(
                    self, groups=self.variants, variants={}, choice=sum(self.variants.values())
                )
            case False:
                return attrs.evolve(self, variants={}, lots={})
            case None:
                both = Counter(self.groups) + Counter(self.variants)
                return attrs.evolve(self, groups=dict(both), variants={})
