"""Persistence models: which disks may be found after a power cut, given the disk and the journal.

    P0  all that was issued survives (a killed process)
    P1  only what was synced survives
    P2  of each file any subset of its pending changes, and the pending changes of names up to any one
    P3  P2, and of each file the last write that survives may be torn: its first sector, half, all but one
    P4  P2, and a file may have its latest size already: what is missing are zeroes or, where something
        had been written beyond the durable size, garbage
    P5  P2, and creations and unlinks survive each by itself; a rename only with all before it
    P6  P5, and so do renames; one that is half done leaves both names
    P7  P1 where the storage lied about flushes and syncs (a journal of its own; reported apart)

A state has a name, from which it is made again: the model, then what differs from "all survives".

    P2+s0.qcow2=1.3+names=none    of s0.qcow2's pending changes the first and the third, of the names none
    P3+s0.qcow2=1.2c512           the second write of s0.qcow2 up to byte 512 of it
    P4+s0.qcow2=2z                … the size as it was last, the rest zeroes (g: garbage)
    P6+names=1h                   of the renaming both names

Of a file, or of the names, with more than `MANY` pending changes not all subsets are tried: all prefixes,
all single omissions and all single survivals are.  Where the files' outcomes have more than `COMBINED`
combinations, each file's are tried while all others have everything, and nothing.  Both count as truncated.
"""

import enum
import itertools
import re

import attrs

MANY = 6
COMBINED = 512


class Model(enum.Enum):
    """A persistence model."""

    ISSUED = "P0"
    SYNCED = "P1"
    SUBSET = "P2"
    TORN = "P3"
    SIZE = "P4"
    ENTRIES = "P5"
    RENAMES = "P6"
    LYING = "P7"


MEANING = {
    Model.ISSUED: "all that was issued",
    Model.SYNCED: "only what was synced",
    Model.SUBSET: "some of each file's unsynced changes, and the changes of names up to one of them",
    Model.TORN: "as P2, the last write of a file torn",
    Model.SIZE: "as P2, a file having its latest size already",
    Model.ENTRIES: "as P2, creations and unlinks each by itself",
    Model.RENAMES: "as P5, and so renames",
    Model.LYING: "only what was synced, on storage that had lied about every sync",
}
"""What survives by each model, briefly."""

LEGAL = tuple(model for model in Model if model is not Model.LYING)
"""The models that storage which keeps its promises may follow, the weakest first."""


class NoSuchState(ValueError):
    """A name that is none of a state at this point."""


@attrs.frozen
class Kept:
    """What survives of a file, or of the names: the changes with these *numbers*, from 1, in order.

    *cut*: how many bytes of the last one; *tail*: "z" or "g", the size being the latest, or "".
    *half*: the last renaming left both names.
    """

    numbers: tuple[int, ...]
    cut: int = 0
    tail: str = ""
    half: bool = False

    def __str__(self) -> str:
        if not self.numbers:
            return f"none{self.tail}"
        cut = f"c{self.cut}" if self.cut else ""
        return f"{'.'.join(map(str, self.numbers))}{cut}{self.tail}{'h' if self.half else ''}"


_KEPT = re.compile(
    r"(?:none|(?P<numbers>\d{1,6}(?:\.\d{1,6})*))(?:c(?P<cut>\d{1,9}))?(?P<tail>[zg]?)(?P<half>h?)"
)


def parse_kept(text: str, pending: int) -> Kept:
    """Return what prints as *text*, of so many pending changes; raises `NoSuchState`."""
    match = _KEPT.fullmatch(text)
    if match is None:
        raise NoSuchState(text)
    numbers = tuple(map(int, (match["numbers"] or "").split("."))) if match["numbers"] else ()
    if list(numbers) != sorted(set(numbers)) or not all(0 < number <= pending for number in numbers):
        raise NoSuchState(text)
    return Kept(numbers, int(match["cut"] or 0), match["tail"], bool(match["half"]))


def everything(pending: int) -> Kept:
    """Return that all of so many changes survive."""
    return Kept(tuple(range(1, pending + 1)))


NOTHING = Kept(())


def subsets_of(count: int) -> tuple[list[Kept], bool]:
    """Return the subsets of so many changes that are tried, all of them first, and whether some are not."""
    if count <= MANY:
        numbers = range(1, count + 1)
        sets = [kept for size in range(count, -1, -1) for kept in itertools.combinations(numbers, size)]
        return [Kept(kept) for kept in sets], False
    every = everything(count).numbers
    prefixes = [every[:size] for size in range(count, -1, -1)]
    omissions = [every[: number - 1] + every[number:] for number in every]
    singles = [(number,) for number in every]
    return [Kept(kept) for kept in dict.fromkeys([*prefixes, *omissions, *singles])], True
