"""How far a comparison goes, in numbers of cases: the one place where that is decided.

    use case with two devices                  every single failure: of the host's once (before its effect
                                               and after it) and every errno lastingly; a sample of what
                                               varies these (`Fault.is_variant`) and of pairs of host faults
    use case whose own number is another       a sample of the single faults, of all devices
    other numbers of devices, further worlds   each setting without a fault, and a sample of the single faults
                                               on the first and the last device

A sample is shared among the settings that it is for: each gets an equal number, and what the small ones
do not need goes to the larger ones.  The default run is meant to end in five minutes on two cores.  Where
little is asked for, no setting gets more than its *most*.  `--full` samples nothing.

Four further sorts of cases are tried with two devices alone:

    orders        of the group snapshot all with one departure and no fault; `--full`: of every use case, and
                  with two departures of those that copy no disk
    crossed       of the group snapshot a sample of those orders, each with one fault: of an order that is
                  drawn, one of the four sorts (`crossing`), of that one fault; `--full`: all orders of one
                  departure with all faults, of the other use cases that copy no disk with all but the host's
    power cuts    of the group snapshot a sample of the distinct states, of the hardened contestants under
                  careful managers and of those as posted under naive ones; `--full`: all states, of every
                  use case and contestant
    second cuts   `--full`: of the group snapshot every power cut of the recovery from every power cut

Before states are sampled all are found: five seconds of a core for those contestants together, most of it
for those as posted, where little is flushed.  The orders take about half a second a contestant.

What bounds orders in the full run is one night of two cores, 16 million cases that are really run.  Of the
use cases that copy no disk there are 3.8 million orders of at most two departures, of which two in five are
explored; their orders of one departure crossed with faults are 3.6 million cases without those of the host,
half of which equal another, and with the host's the group snapshot alone has 2.7 million.  A use case that
copies disks has 6.6 million orders of two departures, and 18 million crossed cases: it stays at one
departure and no fault.  So orders take five of that night's twenty hours of a core, four of them for faults.
"""

from collections.abc import Sequence

import attrs

TOGETHER = "group-snapshot"
"""The use case that all designs are about."""

_FEW_STEPS = (TOGETHER, "mirror-many", "switch-many", "give-up", "retry")
"""Those with two devices that copy no disk: to copy takes so many steps that orders are too many."""


@attrs.frozen
class Policy:
    """How many cases are sampled in all, None for every one.

    *odd*: with the use case's own number of devices, where that is not two.  *others*: with further numbers
    of devices; *worlds*: in the further worlds.  *variants*: with two devices; None: they are judged with
    what they vary.  *pairs*: of host faults, with two devices and, where it is None, with all others.
    *power*: power cuts, of the hardened and careful and the posted and naive; None: all of everybody.
    *again*: the use cases of which the recovery from every power cut is cut, too.
    *orders*: the use cases whose orders are searched through, None for every one; *deeper*: those of them in
    which two tasks may depart, or one twice.  *crossing*: those whose orders of one departure are crossed
    with faults, *hosts*: those of them in which host operations fail, too; *crossed*: cases of these.
    *most*: of one setting, but for the odd ones.
    *inner*: where cases are sampled, operations on the devices between the first and the last may fail, too.
    """

    odd: int | None = None
    others: int | None = None
    worlds: int | None = None
    variants: int | None = None
    pairs: int | None = None
    power: int | None = None
    again: tuple[str, ...] = ()
    orders: tuple[str, ...] | None = None
    deeper: tuple[str, ...] = _FEW_STEPS
    crossing: tuple[str, ...] = _FEW_STEPS
    hosts: tuple[str, ...] = (TOGETHER,)
    crossed: int | None = None
    most: int = 150
    inner: bool = True


DEFAULT = Policy(
    odd=1_000,
    others=1_000,
    worlds=700,
    variants=1_000,
    pairs=1_000,
    power=800,
    orders=(TOGETHER,),
    deeper=(),
    crossing=(TOGETHER,),
    crossed=560,
    inner=False,
)
FULL = Policy(again=(TOGETHER,))


def shares(total: int, most: int, sizes: Sequence[int]) -> list[int]:
    """Divide *total* among spaces of *sizes*: equally, but to nobody more than there is, or than *most*."""
    found = [0] * len(sizes)
    left, waiting = total, len(sizes)
    for number in sorted(range(len(sizes)), key=lambda number: sizes[number]):
        found[number] = min(sizes[number], most, left // waiting)
        left -= found[number]
        waiting -= 1
    return found
