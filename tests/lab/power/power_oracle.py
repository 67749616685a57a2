"""A little oracle of power cuts over a plain list of operations: what POSIX lets every file and name be."""

import itertools
import posixpath
from collections.abc import Iterator, Sequence

import attrs

from blockops.lab.power.contents import GARBAGE
from blockops.lab.power.models import Model
from blockops.units import SECTOR

NAMES = ("/vm/a", "/vm/b", "/vm/dst/c")
FOLDERS = ("/vm", "/vm/dst")


@attrs.frozen
class Op:
    """One operation: *kind*, a name, and what else it needs."""

    kind: str
    name: str
    offset: int = 0
    length: int = 0
    to: str = ""


@attrs.define(eq=False)
class Inode:
    """A file of the oracle: its bytes when flushed last, and (number, operation) since."""

    flushed: bytes = b""
    since: list[tuple[int, Op]] = attrs.field(factory=list)
    _known: dict[Model, set[bytes]] = attrs.field(factory=dict)

    def apply(self, chosen: Sequence[tuple[int, Op]], cut: int | None = None) -> bytes:
        data = bytearray(self.flushed)
        for number, op in chosen:
            if op.kind == "write":
                length = cut if cut is not None and (number, op) == chosen[-1] else op.length
                data.extend(bytes(max(0, op.offset + length - len(data))))
                data[op.offset : op.offset + length] = bytes([number]) * length
            else:
                data = data[: op.offset] + bytearray(max(0, op.offset - len(data)))
        return bytes(data)

    def legal(self, model: Model) -> Iterator[bytes]:
        if model is Model.SYNCED:
            yield self.apply(())
            return
        for size in range(len(self.since) + 1):
            for chosen in itertools.combinations(self.since, size):
                yield self.apply(chosen)
                if model is Model.TORN and chosen and chosen[-1][1].kind == "write":
                    start, length = chosen[-1][1].offset, chosen[-1][1].length
                    for cut in range(1, length):
                        if (start + cut) % SECTOR == 0:
                            yield self.apply(chosen, cut)

    def could_be(self, data: bytes, model: Model) -> bool:
        simple = Model.SUBSET if model is Model.SIZE else model
        if simple not in self._known:
            self._known[simple] = set(self.legal(simple))
        return data in self._known[simple] or (model is Model.SIZE and self._grown(data))

    def _grown(self, data: bytes) -> bool:
        """Byte by byte: what was written or flushed; beyond the durable size zero or garbage as well."""
        sizes = {len(self.apply(chosen)) for chosen in _subsets(self.since)}
        return len(data) in sizes and all(self._fits(data, at) for at in range(len(data)))

    def _fits(self, data: bytes, at: int) -> bool:
        values = {self.flushed[at]} if at < len(self.flushed) else {0}
        for number, op in self.since:
            if op.kind == "write" and op.offset <= at < op.offset + op.length:
                values |= {number} | ({GARBAGE[at % len(GARBAGE)]} if at >= len(self.flushed) else set())
            elif op.kind == "truncate" and op.offset <= at:
                values.add(0)
        return data[at] in values


def _subsets(items: Sequence[tuple[int, Op]]) -> Iterator[Sequence[tuple[int, Op]]]:
    for size in range(len(items) + 1):
        yield from itertools.combinations(items, size)


@attrs.define(eq=False)
class Oracle:
    """What each name led to after each operation, when its folder was synced last, and every file."""

    names: list[dict[str, Inode]] = attrs.field(factory=list)
    synced: dict[str, int] = attrs.field(factory=lambda: dict.fromkeys(FOLDERS, 0))

    @classmethod
    def of(cls, done: Sequence[Op]) -> "Oracle":
        oracle = cls([{"/vm/a": Inode(b"\xff" * 1000)}])
        for number, op in enumerate(done, 1):
            names = dict(oracle.names[-1])
            oracle.names.append(names)
            oracle._follow(number, op, names)
        return oracle

    def _follow(self, number: int, op: Op, names: dict[str, Inode]) -> None:
        match op.kind:
            case "create" if op.name in names:
                names[op.name].since.append((number, Op("truncate", op.name, 0)))
            case "create":
                names[op.name] = Inode()
            case "write" | "truncate":
                names[op.name].since.append((number, op))
            case "flush":
                inode = names[op.name]
                inode.flushed = inode.apply(inode.since)
                inode.since.clear()
            case "unlink":
                del names[op.name]
            case "rename" if op.name != op.to:
                names[op.to] = names.pop(op.name)
            case "sync":
                self.synced[op.name] = number
            case _:
                pass

    def ordered(self) -> Iterator[dict[str, Inode]]:
        """Yield what all names may lead to where their changes survive in order."""
        for time in range(len(self.names)):
            found = {}
            for path in NAMES:
                at = self.names[max(time, self.synced[posixpath.dirname(path)])].get(path)
                if at is not None:
                    found[path] = at
            yield found

    def of_name(self, path: str) -> list[Inode | None]:
        """Return all that a name may lead to where every change survives by itself."""
        return [names.get(path) for names in self.names[self.synced[posixpath.dirname(path)] :]]


def legal(oracle: Oracle, state: dict[str, bytes], model: Model) -> bool:
    """Whether the model lets these files be found."""
    if model in (Model.ENTRIES, Model.RENAMES):
        return all(
            any(
                (inode is None) == (path not in state)
                and (inode is None or inode.could_be(state[path], Model.SUBSET))
                for inode in oracle.of_name(path)
            )
            for path in NAMES
        )
    candidates = list(oracle.ordered())
    if model is Model.SYNCED:
        candidates = candidates[:1]
    return any(
        names.keys() == state.keys()
        and all(inode.could_be(state[path], model) for path, inode in names.items())
        for names in candidates
    )
