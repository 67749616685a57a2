"""What is known of a case when it has come to rest: all that a law may look at.

The laws judge this and nothing else.  Nothing here is the opinion of the code under test: images are
read from the disk by their headers, replies are what crossed the wire, the history is the guest's own.
"""

import enum
from collections.abc import Mapping

import attrs

from blockops.host.memory import MemoryDisk
from blockops.lab.case import Case
from blockops.lab.condition import Condition
from blockops.lab.faults.fault import HostOperation
from blockops.lab.faults.host import Trouble
from blockops.lab.foregone import Place
from blockops.lab.history import History, Written
from blockops.lab.injected import Asked
from blockops.lab.instants import Instant
from blockops.lab.mirrors import Leg
from blockops.lab.pieces import Piece, pieces
from blockops.lab.stall import Stall
from blockops.management.desk import Answer, Replied


class Ending(enum.Enum):
    """How the management program ended."""

    SUCCEEDED = "believes that it succeeded"
    RECOVERED = "has recovered"
    NOT_RECOVERED = "could not recover"
    FAILED = "ended with an error"
    CUT_OFF = "lost the hypervisor"
    DIED = "died"
    STUCK = "still waits"


@attrs.define(eq=False)
class Exchange:
    """One command as it crossed the wire, and what each device showed before and after it.

    *tops* are the images that they showed before, *before* and *after* name the mirrors as well.

    *hits* are the host operations that the fault hit while the hypervisor carried it out.
    """

    command: str
    arguments: Mapping[str, object]
    before: tuple[str | None, ...]
    after: tuple[str | None, ...] = ()
    answer: Answer | None = None
    hits: tuple[HostOperation, ...] = ()
    first_hit: int = 0
    tops: tuple[str | None, ...] = ()

    @property
    def error(self) -> str | None:
        """What the error reply says; None where there is none."""
        return self.answer.desc if isinstance(self.answer, Replied) and not self.answer.ok else None

    @property
    def succeeded(self) -> bool:
        """Whether a reply said so."""
        return isinstance(self.answer, Replied) and self.answer.ok

    def leave_out(self, before: tuple[str | None, ...], after: tuple[str | None, ...]) -> None:
        """What a job has done to a device while the command ran, the command has not done."""
        if before != after:
            self.before = tuple(
                new if new != old else known
                for known, old, new in zip(self.before, before, after, strict=True)
            )


@attrs.frozen
class Shown:
    """What one device shows: *top* and *chain* by absolute names, the guest's *data* and *size* in bytes.

    *problem* says why it could not be read; *mirrors*: the images that its writes go to as well.
    """

    top: str | None
    chain: tuple[str, ...] = ()
    data: bytes = b""
    size: int = 0
    problem: str | None = None
    mirrors: tuple[str, ...] = ()


@attrs.frozen
class Rest:
    """What the living hypervisor still holds on to, each as a sentence."""

    held_back: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()


@attrs.frozen
class Crossroads:
    """Where a program had to decide what came of something that it did not see the end of.

    *view* stands for all that it could see there: equal views, equal decisions.  *old* and *new* say, for
    each device, which of its old and which of its new images it could show so that nothing would be lost.
    """

    view: str
    old: tuple[frozenset[str], ...]
    new: tuple[frozenset[str], ...]

    @property
    def passable(self) -> bool:
        """Whether any choice is right: all devices on old images, or all on new ones."""
        return all(self.old) or all(self.new)

    def common(self, other: "Crossroads") -> "Crossroads":
        """Return the choices that are right in both, of two that look the same."""
        return Crossroads(
            self.view,
            tuple(one & two for one, two in zip(self.old, other.old, strict=True)),
            tuple(one & two for one, two in zip(self.new, other.new, strict=True)),
        )


@attrs.define(eq=False)
class Evidence:
    """Everything about one case.

    *live* is what the devices show in the hypervisor that lives (after a crash: the restarted one),
    *reopened* what a fresh process reads from the disk, starting from the same top image, *targets* what it
    reads from the image that a device is mirrored onto as wanted; *initial* and *sizes* are from the
    beginning.  *told* are the devices of which an event has told that their job has ended,
    *errors_anyway* what error replies say that management asks for (where nothing breaks they come as well).
    *tops* are what the devices showed last before the case came to rest
    or was killed, *instants* the point-in-time images by device: what was left behind
    of it or, where a mirror is wanted, the moment at which that began; *switches* the moments at which
    devices left a mirror for the target that they show.  *mirrored* and *left* are the two of `MirrorWatch`.
    *hits* are the host operations that the fault hit, *own_hits* counts those that struck the guest's
    own requests on an image that it reads from; *troubles*, *asked* and *way* are as in `Clock`;
    *made_good*: where it struck one transfer, which was then done in two (`foregone`).
    *digests_before* and *digests_after* name the files and hash their contents; management's own notes
    are left out.  *doubled* are files that were open twice, or wiped while open, or whose pages were
    dropped after another handle had written them, or that were never flushed since they were made when the
    power went, *opened* the images
    that the hypervisor had open when it came to rest or was killed.  *stall* measures the guest's
    longest standstill.  *broken* says what of the core
    itself broke.  *stuck* says, as (sentence, sort), on which device the next operation did not succeed
    although the trouble was over, None where that was not tried.  *conditions* are those of devices, by
    number, that are not as they should be.  *crossroads* is where something had to
    be decided without an answer, if that was so; *unsteady* says what recovering once more changed,
    *booked* which image the books name for each device where management has recovered.
    *switching* is what `note_switches` remembers.  *loose* are the devices whose guest was not held back all
    the while from the first switch of a device to the last.  *books* are the images, by device, that
    management's configuration named when the case had come to rest.  *noted*: there were notes when
    management died last; *manager_steps* counts the steps of all its processes.  *power_lost*: the hypervisor
    was not just killed, the whole host lost its power, and management's process went with it; *kept* is then
    what a fresh process reads, before anybody recovers, of the image that each device was last switched to
    with success.
    """

    case: Case
    history: History
    exchanges: list[Exchange] = attrs.field(factory=list)
    ending: Ending = Ending.STUCK
    failure: str = ""
    killed: bool = False
    hits: tuple[HostOperation, ...] = ()
    own_hits: int = 0
    troubles: tuple[Trouble, ...] = ()
    asked: Asked = attrs.field(factory=Asked)
    made_good: Place | None = None
    way: tuple[int, ...] = ()
    gate_closed: bool = False
    stall: Stall = attrs.field(factory=Stall)
    live: tuple[Shown, ...] = ()
    reopened: tuple[Shown, ...] = ()
    targets: Mapping[int, Shown] = attrs.field(factory=dict)
    rest: Rest = Rest()
    told: frozenset[str] = frozenset()
    errors_anyway: frozenset[str] = frozenset()
    initial: tuple[bytes, ...] = ()
    sizes: tuple[int, ...] = ()
    tops: tuple[str | None, ...] = ()
    instants: Mapping[int, Instant] = attrs.field(factory=dict)
    switches: Mapping[int, Instant] = attrs.field(factory=dict)
    mirrored: dict[Leg, int] = attrs.field(factory=dict)
    left: dict[Leg, int] = attrs.field(factory=dict)
    digests_before: Mapping[str, bytes] = attrs.field(factory=dict)
    digests_after: Mapping[str, bytes] = attrs.field(factory=dict)
    disk: MemoryDisk = attrs.field(factory=MemoryDisk)
    doubled: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    stuck: tuple[tuple[str, str], ...] | None = None
    conditions: dict[int, Condition] = attrs.field(factory=dict)
    crossroads: Crossroads | None = None
    unsteady: str | None = None
    booked: Mapping[str, str] = attrs.field(factory=dict)
    loose: set[int] = attrs.field(factory=set)
    switching: tuple[tuple[str | None, ...], set[int] | None] | None = None
    books: Mapping[str, str] = attrs.field(factory=dict)
    noted: bool = False
    manager_steps: int = 0
    power_lost: bool = False
    kept: Mapping[int, Shown] = attrs.field(factory=dict)
    _cut: dict[int, tuple[int, list[Piece]]] = attrs.field(factory=dict)

    def began_with(self, devices: tuple[Shown, ...]) -> None:
        """Note what each device showed in the beginning."""
        self.initial = tuple(shown.data for shown in devices)
        self.sizes = tuple(shown.size for shown in devices)

    def lose_power(self, tops: tuple[str | None, ...], opened: tuple[str, ...]) -> None:
        """Note that all processes of the host are gone, and what the hypervisor showed and had open."""
        self.tops, self.opened = tops, opened
        self.killed = self.power_lost = True
        if self.ending is Ending.STUCK:
            self.ending = Ending.DIED

    def relied_on_since(self, written: Written) -> int | None:
        """Return since when the guest may rely on *written*: where power is cut, since it was durable."""
        return written.durable if self.power_lost else written.acknowledged

    def writes_of(self, device: int) -> list[Written]:
        """Return the writes to *device*, in the order of submission."""
        return [written for written in self.history.writes if written.device == device]

    def pieces_of(self, device: int) -> list[Piece]:
        """Return *device*, as far as the guest works in it, cut at the edges of its writes."""
        count = len(self.history.writes)
        known = self._cut.get(device)
        if known is None or known[0] != count:
            known = self._cut[device] = (count, pieces(self.writes_of(device), len(self.initial[device])))
        return known[1]

    def promised(self, written: Written) -> bool:
        """Whether the guest may rely on *written*: acknowledged or, after a crash, durable."""
        done = written.durable if self.killed else written.acknowledged
        return done is not None and written.binding

    def is_gone(self, device: int) -> bool:
        """Whether the device was unplugged since management began."""
        return self.conditions.get(device) is Condition.GONE

    @property
    def began(self) -> bool:
        """Whether management sent a command."""
        return bool(self.exchanges)

    @property
    def replied(self) -> bool:
        """Whether management got an answer to every command and lived to the end of its program."""
        answered = all(isinstance(exchange.answer, Replied) for exchange in self.exchanges)
        return self.began and answered and self.ending in (Ending.SUCCEEDED, Ending.FAILED)
