"""From a disk and its journal to the disks that may be found after a power cut (`models`).

Each file's outcomes are found once, equal contents once; then they are combined, of the files only that
a surviving name leads to.  Disks of equal files are one state, under the name of the weakest model.
"""

import itertools
import math
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs

from blockops.host.memory import MemoryDisk
from blockops.host.pages import Content
from blockops.lab.power.contents import kept_of, survivor_of
from blockops.lab.power.journal import Journal, Renamed, Unlinked
from blockops.lab.power.models import (
    COMBINED,
    NOTHING,
    Kept,
    Model,
    NoSuchState,
    everything,
    parse_kept,
)
from blockops.lab.power.names import kept_names, surviving_names

NAMES = "names"
_ROOT = "/vm"

_Outcome: TypeAlias = tuple[Kept, Content]
_Choice: TypeAlias = tuple[tuple[str, _Outcome], ...]


@attrs.frozen(eq=False)
class State:
    """One disk that may be found; *name* makes it again.  *key* is equal for equal files."""

    name: str
    model: Model
    files: Mapping[str, Content]
    key: tuple[object, ...]


@attrs.define(eq=False)
class Survivors:
    """The distinct states at one instant; *raw* counts all that the models allow, as far as they are listed.

    Each of those is one of the states, or *equal* to another, or *skipped*, not looked at.  *unlisted*: of
    how many files, or the names, not all subsets of changes are listed.
    """

    states: dict[tuple[object, ...], State] = attrs.field(factory=dict)
    raw: int = 0
    equal: int = 0
    skipped: int = 0
    unlisted: int = 0

    @property
    def truncated(self) -> bool:
        """Whether states were left out."""
        return self.skipped > 0 or self.unlisted > 0


def survivors(disk: MemoryDisk, journal: Journal, models: Iterable[Model]) -> Survivors:
    """Return every distinct state that the *models* allow; all as issued comes first if P0 is among them."""
    found = Survivors()
    pending = labels(disk, journal)
    for model in models:
        _of_model(disk, journal, pending, model, found)
    return found


def labels(disk: MemoryDisk, journal: Journal) -> dict[str, Content]:
    """Return the files with pending changes by how states call them: a name that they have, or last had.

    Below /vm, with ":" between folders; one whose name another file has by now is numbered.
    """
    named: dict[Content, str] = {}
    for entry in journal.entries:
        before, after = (entry.old, entry.new) if isinstance(entry, Renamed) else (entry.path, entry.path)
        named.setdefault(entry.content, before)
        if not isinstance(entry, Unlinked) and entry.replaced is not None:
            named.setdefault(entry.replaced, after)
    named.update({content: path for path, content in disk.files.items()})
    found: dict[str, Content] = {}
    for content, unsynced in journal.files.items():
        if unsynced.changes and content in named:
            label = posixpath.relpath(named[content], _ROOT).replace("/", ":")
            number = next(n for n in itertools.count(1) if _numbered(label, n) not in found)
            found[_numbered(label, number)] = content
    return found


def _numbered(label: str, number: int) -> str:
    return label if number == 1 else f"{label}~{number}"


def _of_model(
    disk: MemoryDisk, journal: Journal, pending: Mapping[str, Content], model: Model, found: Survivors
) -> None:
    outcomes: dict[str, list[_Outcome]] = {}
    for label, content in pending.items():
        some, partly = kept_of(journal.files[content], model)
        found.unlisted += partly
        outcomes[label] = [(one, _survivor(journal, content, one)) for one in some]
    names, partly = kept_names(journal.entries, model)
    found.unlisted += partly
    distinct = {label: _distinct(all_of_it) for label, all_of_it in outcomes.items()}
    for surviving in names:
        files = _all_files(disk, journal, surviving)
        linked = set(files.values())
        axes = {label: one for label, one in distinct.items() if pending[label] in linked}
        listed, different = (math.prod(len(of[label]) for label in axes) for of in (outcomes, distinct))
        found.raw += listed
        found.equal += listed - different
        tried = 0
        for choice in _combined(axes):
            tried += 1
            _add(found, model, journal, pending, files, surviving, choice)
        found.skipped += different - tried


def _all_files(disk: MemoryDisk, journal: Journal, kept: Kept) -> dict[str, Content]:
    if len(kept.numbers) == len(journal.entries) and not kept.half:
        return dict(disk.files)
    return surviving_names(disk.files, journal.entries, kept)


def _survivor(journal: Journal, content: Content, kept: Kept) -> Content:
    unsynced = journal.files[content]
    whole = len(kept.numbers) == len(unsynced.changes) and not kept.cut and not kept.tail
    return content if whole else survivor_of(unsynced, kept)


def _distinct(outcomes: Sequence[_Outcome]) -> list[_Outcome]:
    return list({content.digest(): (kept, content) for kept, content in reversed(outcomes)}.values())[::-1]


def _combined(axes: Mapping[str, Sequence[_Outcome]]) -> Iterator[_Choice]:
    """Yield every combination or, where those are too many, each outcome beside all and beside nothing."""
    if math.prod(map(len, axes.values())) <= COMBINED:
        for combination in itertools.product(*axes.values()):
            yield tuple(zip(axes, combination, strict=True))
        return
    whole = {label: some[0] for label, some in axes.items()}
    nothing = {label: _of_nothing(some) for label, some in axes.items()}
    seen: dict[tuple[bytes, ...], None] = {}
    for others in (whole, nothing):
        for label, some in axes.items():
            for outcome in some:
                choice = {**others, label: outcome}
                key = tuple(content.digest() for _, content in choice.values())
                if key not in seen:
                    seen[key] = None
                    yield tuple(choice.items())


def _of_nothing(outcomes: Sequence[_Outcome]) -> _Outcome:
    return next((one for one in outcomes if one[0] == NOTHING), outcomes[0])


def _add(
    found: Survivors,
    model: Model,
    journal: Journal,
    pending: Mapping[str, Content],
    files: Mapping[str, Content],
    names: Kept,
    choice: _Choice,
) -> None:
    contents = {pending[label]: content for label, (_, content) in choice}
    result = {path: contents.get(content, content) for path, content in files.items()}
    key = tuple(sorted((path, content.digest()) for path, content in result.items()))
    if key in found.states:
        found.equal += 1
    else:
        name = _name(model, journal, pending, names, choice)
        found.states[key] = State(name, model, result, key)


def _name(
    model: Model, journal: Journal, pending: Mapping[str, Content], names: Kept, choice: _Choice
) -> str:
    title: str = model.value
    if model in (Model.ISSUED, Model.SYNCED, Model.LYING):
        return title
    parts = [
        f"{label}={kept}"
        for label, (kept, _) in choice
        if kept != everything(len(journal.files[pending[label]].changes))
    ]
    if names != everything(len(journal.entries)):
        parts.append(f"{NAMES}={names}")
    return "+".join([title, *parts])


_STATE = re.compile(r"(?P<model>P[0-7])(?P<parts>(?:\+[^+=@]+=[^+=@]+)*)")


def is_name(text: str) -> bool:
    """Whether *text* reads as the name of a state."""
    return _STATE.fullmatch(text) is not None


def state_called(text: str, disk: MemoryDisk, journal: Journal) -> dict[str, Content]:
    """Return the files of the state with this name; raises `NoSuchState` where the journal has none such."""
    match = _STATE.fullmatch(text)
    if match is None:
        raise NoSuchState(text)
    model, pending = Model(match["model"]), labels(disk, journal)
    nothing = model in (Model.SYNCED, Model.LYING)
    parts: dict[str, str] = dict(part.split("=", 1) for part in match["parts"].split("+")[1:])
    names = _stated(parts.pop(NAMES, None), len(journal.entries), nothing)
    files = _all_files(disk, journal, names)
    contents = {}
    for label, content in pending.items():
        kept = _stated(parts.pop(label, None), len(journal.files[content].changes), nothing)
        contents[content] = _survivor(journal, content, kept)
    if parts:
        raise NoSuchState(text)
    return {path: contents.get(content, content) for path, content in files.items()}


def _stated(text: str | None, pending: int, nothing: bool) -> Kept:
    if text is None:
        return NOTHING if nothing else everything(pending)
    return parse_kept(text, pending)
