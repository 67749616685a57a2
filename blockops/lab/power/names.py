"""What may survive of the names of files, by the persistence model."""

from collections.abc import Mapping, Sequence

import attrs

from blockops.host.pages import Content
from blockops.lab.power.journal import Entry, Linked, Renamed, Unlinked
from blockops.lab.power.models import NOTHING, Kept, Model, everything, subsets_of


def kept_names(entries: Sequence[Entry], model: Model) -> tuple[list[Kept], bool]:
    """Return what may survive of the pending changes of names, and whether that is not all."""
    count = len(entries)
    match model:
        case Model.ISSUED:
            return [everything(count)], False
        case Model.SYNCED | Model.LYING:
            return [NOTHING], False
        case Model.SUBSET | Model.TORN | Model.SIZE:
            return [everything(size) for size in range(count, -1, -1)], False
        case _:
            return _unordered(entries, model)


def _unordered(entries: Sequence[Entry], model: Model) -> tuple[list[Kept], bool]:
    count = len(entries)
    subsets, truncated = subsets_of(count)
    prefixes = [everything(size) for size in range(count, -1, -1)]
    found = list(dict.fromkeys([*prefixes, *(kept for kept in subsets if _possible(entries, kept, model))]))
    if model is Model.RENAMES:
        found += [attrs.evolve(kept, half=True) for kept in found if kept.numbers and _renames(entries, kept)]
    return found, truncated


def _renames(entries: Sequence[Entry], kept: Kept) -> bool:
    return isinstance(entries[kept.numbers[-1] - 1], Renamed)


def _possible(entries: Sequence[Entry], kept: Kept, model: Model) -> bool:
    """Whether each change that survives finds what it changes: those of the same names, or all before."""
    survived = set(kept.numbers)
    for number in kept.numbers:
        entry = entries[number - 1]
        ordered = isinstance(entry, Renamed) and model is Model.ENTRIES
        for before in range(1, number):
            if before not in survived and (ordered or _names_of(entry) & _names_of(entries[before - 1])):
                return False
    return True


def _names_of(entry: Entry) -> frozenset[str]:
    return frozenset({entry.old, entry.new} if isinstance(entry, Renamed) else {entry.path})


def surviving_names(files: Mapping[str, Content], entries: Sequence[Entry], kept: Kept) -> dict[str, Content]:
    """Return which file each name leads to when this survives of the changes that led to *files*."""
    found = dict(files)
    for entry in reversed(entries):
        _undo(found, entry)
    for number in kept.numbers:
        half = kept.half and number == kept.numbers[-1]
        _redo(found, entries[number - 1], half)
    return found


def _undo(files: dict[str, Content], entry: Entry) -> None:
    match entry:
        case Linked(path, _, replaced):
            _lead(files, path, replaced)
        case Unlinked(path, content):
            files[path] = content
        case Renamed(old, new, content, replaced):
            _lead(files, new, replaced)
            files[old] = content


def _lead(files: dict[str, Content], path: str, content: Content | None) -> None:
    if content is None:
        del files[path]
    else:
        files[path] = content


def _redo(files: dict[str, Content], entry: Entry, half: bool) -> None:
    match entry:
        case Linked(path, content, _):
            files[path] = content
        case Unlinked(path, _):
            files.pop(path, None)
        case Renamed(old, new, content, _):
            files[new] = content
            if not half:
                files.pop(old, None)
