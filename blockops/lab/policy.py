"""How far a comparison goes, in numbers of cases: the one place where that is decided.

    use case with two devices                  every single fault: of the host's once (before its effect and
                                               after it) and every errno lastingly; a sample of what varies
                                               these (`Fault.is_variant`) and of the pairs of host faults
    use case whose own number is another       a sample of the single faults, of all devices
    other numbers of devices, further worlds   each setting without a fault, and a sample of the single faults
                                               on the first and the last device

A sample is shared among the settings that it is for: each gets an equal number, and what the small ones
do not need goes to the larger ones.  The default run is meant to end in five minutes on two cores.  Where
little is asked for, no setting gets more than its *most*.  `--full` samples nothing.

Two further sorts of cases are tried with two devices alone:

    orders        of the group snapshot all with one departure and no fault; `--full`: of every use case
    power cuts    of the group snapshot a sample of the distinct states, of the hardened contestants under
                  careful managers and of those as posted under naive ones; `--full`: all states, of every
                  use case and contestant

Before states are sampled all are found: five seconds of a core for those contestants together, most of it
for those as posted, where little is flushed.  The orders take about a second a contestant.
"""

from collections.abc import Sequence

import attrs


@attrs.frozen
class Policy:
    """How many cases are sampled in all, None for every one.

    *odd*: with the use case's own number of devices, where that is not two.  *others*: with further numbers
    of devices; *worlds*: in the further worlds.  *variants*: with two devices; None: they are judged with
    what they vary.  *pairs*: of host faults, with two devices and, where it is None, with all others.
    *power*: power cuts, of the hardened and careful and the posted and naive; None: all of everybody.
    *orders*: the use cases whose orders are searched through, None for every one.
    *most*: of one setting, but for the odd ones.
    *inner*: where cases are sampled, operations on the devices between the first and the last may fail, too.
    """

    odd: int | None = None
    others: int | None = None
    worlds: int | None = None
    variants: int | None = None
    pairs: int | None = None
    power: int | None = None
    orders: tuple[str, ...] | None = None
    most: int = 150
    inner: bool = True


TOGETHER = "group-snapshot"
"""The use case that all designs are about."""

DEFAULT = Policy(
    odd=2_000,
    others=2_000,
    worlds=1_000,
    variants=1_600,
    pairs=1_500,
    power=800,
    orders=(TOGETHER,),
    inner=False,
)
FULL = Policy()


def shares(total: int, most: int, sizes: Sequence[int]) -> list[int]:
    """Divide *total* among spaces of *sizes*: equally, but to nobody more than there is, or than *most*."""
    found = [0] * len(sizes)
    left, waiting = total, len(sizes)
    for number in sorted(range(len(sizes)), key=lambda number: sizes[number]):
        found[number] = min(sizes[number], most, left // waiting)
        left -= found[number]
        waiting -= 1
    return found
