"""What a comparison found, as plain values: all that a report reads.

    Results ─┬─ Cell       one contestant × use case × law: how many cases held, violated, could not
             │             tell, did not exercise the law, or why it cannot be asked
             ├─ Coverage   what was tried for one contestant and use case, and whether to the end
             ├─ Violation  the smallest case of one distinct way to break a law, with its timeline
             ├─ Claim      a sentence of the wiki page, and what its experiment says of it
             ├─ Cost       what a use case takes a contestant, Effort what a design takes (`costs`)
             └─ Design, Purpose, versions, settings, worlds, …   what the rows and columns mean

Nothing here computes a verdict and nothing knows a clock: whoever holds one sets `Results.timing`, the
only part in which two runs of the same comparison differ.
"""

import enum
from typing import Any

import attrs

from blockops.lab.costs import Cost, Effort

SCHEMA = 2
"""The version of the report's JSON form; raised when a reader of the old one would misread the new."""

ACTORS = ("management", "hypervisor", "job", "guest", "host", "fault")
"""Who an event of a timeline belongs to, in the order in which the lanes are drawn."""

World = dict[str, Any]
"""What a drawn world, or one on given images, is made of: enough to build it again."""


class Verdict(enum.Enum):
    """What one law says about one case; not exercised never counts as held."""

    HELD = "held"
    VIOLATED = "violated"
    UNKNOWN = "unknown"
    NOT_EXERCISED = "not_exercised"


@attrs.frozen
class Law:
    """A predicate on a case: when it applies and what it says, each as one sentence."""

    id: str
    precondition: str
    says: str


@attrs.frozen
class Design:
    """What a contestant is of, whatever its profile and manager; *page*: one of the page's proposals."""

    id: str
    title: str
    author: str = ""
    page: bool = False


@attrs.frozen
class Purpose:
    """A use case as it was run: its id with the number of devices, and what management wants."""

    id: str
    says: str


@attrs.frozen
class Event:
    """Something that one actor of a case did or suffered, at a step of the scheduler."""

    step: int
    actor: str = attrs.field(validator=attrs.validators.in_(ACTORS))
    text: str


@attrs.frozen
class Cell:
    """How one law fared over all cases of one contestant and use case.

    *contestant* is the design's id ("freeze"); *inexpressible* is the reason why the design cannot be
    asked for this use case, and all counts are zero then; *smallest* is the case to look at;
    *lasting*: how many of the violations were under a fault that struck more than once; *sampled*: not
    every case was judged, be it by plan or because the run was stopped.
    """

    contestant: str
    profile: str
    manager: str
    use_case: str
    law: str
    held: int = 0
    violated: int = 0
    unknown: int = 0
    not_exercised: int = 0
    inexpressible: str | None = None
    smallest: str | None = None
    lasting: int = 0
    sampled: bool = False


@attrs.frozen
class Portion:
    """How many cases of one group of faults there are (*of*), and how many of them were judged.

    Of those, *not_met* had a fault that struck nothing, *masked* one that struck and left nothing visible.
    """

    group: str
    judged: int
    of: int
    masked: int = 0
    not_met: int = 0


@attrs.frozen
class PowerCuts:
    """How many disks a power cut may leave: at *instants*, *raw* states by the persistence models.

    Of those *distinct* are different from all others, *remembered* equal one of an earlier instant with
    equal promises, *equal* another at the same instant, *left_out* were not looked at: the four make up the
    raw.  At *truncated* of the instants some were left out, or not even listed.
    """

    instants: int = 0
    raw: int = 0
    distinct: int = 0
    remembered: int = 0
    equal: int = 0
    left_out: int = 0
    truncated: int = 0


@attrs.frozen
class Orders:
    """How many orders of at most so many *departures* were run, and how many left out as equivalent."""

    departures: int
    explored: int
    pruned: int


@attrs.frozen
class Crossed:
    """How many orders of one departure were crossed with at least one fault: *orders* *of* so many.

    Those that are equivalent to another, and the scheduler's own, are not among them.
    """

    orders: int
    of: int


@attrs.frozen
class Coverage:
    """What was tried for one contestant (its full id) and use case, and of how much.

    *cases* were judged out of the *space* of all single faults, by group in *portions*; *equal* of them equal
    another and were judged with that, the others were run; *fault_points* are the host operations that were
    broken.  *sampled*: some of the space was left out on purpose, by the seed; *truncated*: the run ended
    before what it had planned, and *left* is how many cases it had not come to (of pairs and orders, whose
    number shows only when they are met: how many at most); *note* says in words what else to know.  *power*,
    *orders* and *crossed* have more numbers where the cases are power cuts, orders without a fault, or orders
    with one.  Of these *all_fault_points* are the host operations of the longest run.
    """

    contestant: str
    use_case: str
    cases: int
    space: int
    fault_points: int
    all_fault_points: int
    portions: tuple[Portion, ...]
    devices: int
    sampled: bool = False
    truncated: bool = False
    note: str = ""
    left: int = 0
    power: PowerCuts | None = None
    orders: Orders | None = None
    equal: int = 0
    crossed: Crossed | None = None


@attrs.frozen
class Violation:
    """One distinct way in which a law broke: its smallest case, and how many cases broke it that way.

    *signature* is equal for cases that broke alike; *fault_point* says in words what the fault hit;
    *replay* is the command line that shows the case again.
    """

    case: str
    law: str
    sentence: str
    timeline: tuple[Event, ...]
    count: int
    signature: str
    fault_point: str
    replay: str


@attrs.frozen
class Distinct:
    """One way in which a contestant (its full id) broke a law in one place, in the worlds that all meet.

    *use_case* as in `Cell`; violations of equal *sort* broke it alike: *count* cases, *case* the smallest.
    """

    contestant: str
    use_case: str
    law: str
    sort: str
    case: str
    count: int


@attrs.frozen
class Against:
    """How the distinct violations differ from those of an *earlier* run of the same settings, by its file.

    *new*: those that the earlier run does not have, *gone*: those that only it has.
    """

    earlier: str
    new: tuple[Distinct, ...]
    gone: tuple[Distinct, ...]


@attrs.frozen
class Finding:
    """A violation that Hypothesis found and shrank, with the world that it drew."""

    violation: Violation
    world: World


@attrs.frozen
class ToolSample:
    """How many images the real `qemu-img check` looked at and found corrupt; *tool*: its version."""

    checked: int = 0
    corrupt: int = 0
    tool: str | None = None


class Answer(enum.Enum):
    """What an experiment says of a claim; *historical*: it is about 2012, and nothing here can test it."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    HISTORICAL = "historical"


@attrs.frozen
class Claim:
    """A sentence of the wiki page about one *design*, with what its experiment found.

    *says* paraphrases it, *side*: whether it stands there as an advantage or as a disadvantage; *asks* is
    the experiment, *profiles* which profiles count in it, and why; *confirms* and *refutes* are the
    conditions that decide, empty where nothing can.  *sentence* is computed, from *figures* among other
    things; *cases* can be replayed.
    """

    id: str
    design: str
    side: str
    says: str
    asks: str
    profiles: str
    confirms: str
    refutes: str
    answer: Answer
    sentence: str
    figures: dict[str, int]
    cases: tuple[str, ...]


@attrs.frozen
class Report:
    """Where somebody has told of it in public: a repository with the number of a thread there."""

    thread: str
    url: str


@attrs.frozen
class Suffering:
    """How one contestant (its full id) fares in a scenario.

    *cases* belong to it, of which *exercised* say something and *suffered* show the failure; *smallest* is
    the first of those, with its *sentence*.  *partly*: the run was stopped before it had judged them all.
    """

    contestant: str
    cases: int
    exercised: int
    suffered: int
    smallest: str | None = None
    sentence: str = ""
    partly: bool = False


@attrs.frozen
class Scene:
    """A scenario from the wild and who suffers it; *kind* is its class, such as "F1".

    *says* is what goes wrong, *tells* how it is recognised in a case; *reports* are public ones of the
    class; *rows* has those contestants that express the use case.
    """

    id: str
    kind: str
    says: str
    tells: str
    use_case: str
    faults: tuple[str, ...]
    reports: tuple[Report, ...]
    rows: tuple[Suffering, ...]


@attrs.frozen
class Timing:
    """When a run began (ISO 8601, UTC) and how many seconds it took."""

    started: str
    seconds: float


@attrs.frozen
class Results:
    """Everything that one comparison found.

    *worlds* resolves the digests in case ids; *broken_invariants* are faults of our own core, never a
    contestant's; *interrupted*: the run was stopped and the counts are of what had been judged by then.
    """

    versions: dict[str, str]
    seed: int
    settings: dict[str, Any]
    coverage: tuple[Coverage, ...]
    cells: tuple[Cell, ...]
    violations: tuple[Violation, ...]
    worlds: dict[str, World] = attrs.field(factory=dict)
    broken_invariants: tuple[str, ...] = ()
    interrupted: bool = False
    qemu_img_sample: ToolSample = attrs.field(factory=ToolSample)
    designs: tuple[Design, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    scenes: tuple[Scene, ...] = ()
    claims: tuple[Claim, ...] = ()
    costs: tuple[Cost, ...] = ()
    efforts: tuple[Effort, ...] = ()
    distinct: tuple[Distinct, ...] = ()
    against: Against | None = None
    timing: Timing | None = None
    schema: int = SCHEMA
