"""The claims about the group snapshot (Jeff Cody)."""

import enum

import attrs

from blockops.commands.mirror import DriveMirror, drive_mirror
from blockops.commands.profile import Mode, Profile
from blockops.management.contestant import Inexpressible, Manager
from blockops.management.use_cases import USE_CASES
from blockops.qmp.errors import BadMessage
from blockops.qmp.schema import parse
from blockops.steps import run
from proposals.catalogue import ENTRIES
from proposals.claims import code
from proposals.claims.bench import DESTINATION, bench, differing, tried
from proposals.claims.claim import Found
from proposals.claims.cost import COUNTS, measured
from proposals.claims.trial import HANDLES, LASTING, ONCE, deaths, everybody, trial, trials
from proposals.group_snapshot import GroupSnapshot, GroupSnapshotSync, SnapshotDev

PAGE = tuple(entry for entry in ENTRIES if entry.page)


def almost_ready() -> Found:
    """J1."""
    return Found(None, None, "About the state of patches in February 2012; no run can tell.")


# ------------------------------------------------------------------------------------------------- J2


def one_command() -> Found:
    """J2: count what each of the four takes, in every use case that the group snapshot expresses."""
    careful = {
        use_case: {entry.id: _careful_branches(entry.id, use_case) for entry in PAGE} for use_case in _uses()
    }
    kept = {entry.id: code.states(entry) or 0 for entry in PAGE}
    trips = {entry.id: _round_trips(entry.id) for entry in PAGE}
    own = trips["group-snapshot"]
    least = all(
        measure["group-snapshot"] == min(measure.values())
        for measure in (
            kept,
            *careful.values(),
            *({n: t[i] for n, t in trips.items()} for i in range(len(own))),
        )
    )
    said = ", ".join(f"{name} {min(found)} to {max(found)}" for name, found in trips.items())
    later = [
        name for name in ("merged-transaction", "recorded-transaction") if set(_round_trips(name)) == {1}
    ]
    return Found(
        confirms=set(own) == {1} and least,
        refutes=set(own) != {1} or any(max(found) < max(own) for found in trips.values()),
        sentence=(
            f"{'One command does' if set(own) == {1} else 'One command does not do'} for any number of "
            f"disks. Round trips for a snapshot of {COUNTS[0]} to {COUNTS[-1]} disks, sent once or tried "
            f"again, or while disks come and go: {said}. States kept between commands: {_listed(kept)}; "
            f"branches of the careful manager: {_listed(careful[_uses()[0]])}. Of the later designs "
            f"{_and(later)} one round trip as well."
        ),
        figures={f"{name}: most round trips": max(found) for name, found in trips.items()}
        | {f"{name}, {use}: branches": number for use, one in careful.items() for name, number in one.items()}
        | {f"{name}: states": number for name, number in kept.items()},
        cases=tuple(f"{entry.id}.hardened.naive/group-snapshot-{COUNTS[-1]}/no-fault" for entry in PAGE),
    )


def _uses() -> list[str]:
    """Return the use cases that the group snapshot expresses."""
    group = everybody()["group-snapshot.hardened.careful"]
    return [name for name in USE_CASES if not isinstance(group.program(name), Inexpressible)]


def _round_trips(design: str) -> list[int]:
    """Return how often the naive manager sends something, for every use case and number of disks."""
    sent = []
    for use_case in _uses():
        least = min(USE_CASES[use_case].device_counts)
        sent += [
            measured(everybody()[f"{design}.hardened.naive"], use_case, count).round_trips
            for count in COUNTS
            if count >= least
        ]
    return sent


def _and(names: list[str]) -> str:
    return f"{' and '.join(names)} {'need' if len(names) > 1 else 'needs'}" if names else "none needs"


def _careful_branches(design: str, use_case: str) -> int:
    return code.branches(everybody()[f"{design}.hardened.careful"], use_case) or 0


def _listed(measure: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in measure.items())


# ------------------------------------------------------------------------------------------------- J3


def no_reopen_no_mirror() -> Found:
    """J3: which use cases it cannot express; and what a mirror that comes later as its own command misses."""
    programs = next(entry for entry in PAGE if entry.id == "group-snapshot").programs[Manager.CAREFUL]
    needs = [name for name in USE_CASES if _needs_one(name)]
    cannot = [name for name in needs if isinstance(programs[name], Inexpressible)]
    missed = _missed_by_a_later_mirror()
    return Found(
        confirms=cannot == needs and missed > 0,
        refutes=cannot != needs,
        sentence=(
            f"It cannot express {len(cannot)} of {len(needs)} use cases that need one ({', '.join(cannot)}). "
            f"A mirror that follows the snapshot as a command of its own misses what the guest writes "
            f"between the two: {missed} bytes of the target differ. With a later argument, mode: existing, "
            f"it {'switches' if _switches() else 'does not switch'} a disk to a prepared overlay of its "
            f"image; the page has no such argument."
        ),
        figures={"use cases": len(needs), "inexpressible": len(cannot), "bytes missed": missed},
        cases=("transaction.hardened.careful/migrate-many-2/no-fault",),
    )


def _needs_one(use_case: str) -> bool:
    """Whether a use case takes a reopen or a mirror: the transaction, which has both, sends one for it."""
    devices = min(USE_CASES[use_case].device_counts)
    shown = trial(f"transaction.hardened.naive/{use_case}-{devices}/no-fault").evidence
    return any(exchange.command in ("drive-reopen", "drive-mirror") for exchange in shown.exchanges)


def _switches() -> bool:
    """Whether the extension `mode` lets it show an image that is there and stands on the disk's own."""
    made = bench(Profile.HARDENED, devices=1)
    made.make("/vm/d0-new.qcow2", backing="/vm/d0.qcow2")
    entry = SnapshotDev("d0", "/vm/d0-new.qcow2", mode=Mode.EXISTING)
    tried(lambda: GroupSnapshot(made.machine).group_snapshot([entry]))
    return made.tops() == ("/vm/d0-new.qcow2",)


def _missed_by_a_later_mirror() -> int:
    """Snapshot two disks, let the guest write, mirror them; return how far the first target is off."""
    made = bench(Profile.HARDENED)
    for name in made.names:
        made.make(f"{DESTINATION}/{name}-leaf.qcow2", backing=f"{DESTINATION}/{name}.qcow2")
    group = [SnapshotDev(name, f"/vm/{name}-new.qcow2") for name in made.names]
    GroupSnapshot(made.machine).group_snapshot(group)
    made.write(b"in the window", 4096)
    for name in made.names:
        run(
            drive_mirror(
                made.machine, Profile.HARDENED, DriveMirror(name, f"{DESTINATION}/{name}-leaf.qcow2")
            )
        )
    made.write(b"mirrored", 8192)
    made.machine.close()
    for name in ("d0", "d1"):
        made.copy(f"/vm/{name}.qcow2", f"{DESTINATION}/{name}.qcow2")
    return differing(made.content("/vm/d0-new.qcow2"), made.content(f"{DESTINATION}/d0-leaf.qcow2"))


# ------------------------------------------------------------------------------------------------- J4


class Kind(enum.Enum):
    """A kind of action, as an extended schema would name it."""

    SNAPSHOT = "snapshot"
    MIRROR = "mirror"


@attrs.frozen
class ExtendedDev:
    """The old entry with a further member that says what to do: the old members keep their meaning."""

    device: str
    snapshot_file: str
    format: str = "qcow2"
    type: Kind = Kind.SNAPSHOT


@attrs.frozen
class Extended:
    """The old command with such entries."""

    devlist: tuple[ExtendedDev, ...]


@attrs.frozen
class TaggedDev:
    """An entry as the later `transaction` has it: a type, and what this type takes."""

    type: Kind
    data: ExtendedDev


@attrs.frozen
class Tagged:
    """The old command with such entries."""

    devlist: tuple[TaggedDev, ...]


OLD = {"devlist": [{"device": "d0", "snapshot-file": "/s"}]}
NEW = {"devlist": [{"device": "d0", "snapshot-file": "/s", "type": "mirror"}]}
TAGGED = {"devlist": [{"type": "mirror", "data": {"device": "d0", "snapshot-file": "/s"}}]}


def adding_later() -> Found:
    """J4: old clients against new schemas, and new clients against the old one."""
    misread = [message for message in (NEW, TAGGED) if _understood(GroupSnapshotSync, message)]
    extends = _understood(Extended, OLD) and _understood(Extended, NEW) and NEW not in misread
    breaks = _understood(Tagged, TAGGED) and not _understood(Tagged, OLD)
    return Found(
        confirms=extends and breaks,
        refutes=not extends or not breaks,
        sentence=(
            f"An optional member that names the kind of action {'serves' if extends else 'does not serve'} "
            f"old clients and new ones; entries tagged with a type, which would fit actions of other shapes, "
            f"{'break' if breaks else 'do not break'} the old clients, so a release must not come before "
            f"them. An old server takes {len(misread)} of 2 new messages for a snapshot, refusing the others."
        ),
        figures={
            "additive schema serves old and new": int(extends),
            "tagged schema refuses old": int(breaks),
            "new messages misread by an old server": len(misread),
        },
        cases=("group-snapshot.hardened.naive/group-snapshot-2/no-fault",),
    )


def _understood(arguments: type, message: object) -> bool:
    try:
        parse(arguments, message, {})
    except BadMessage:
        return False
    return True


# ------------------------------------------------------------------------------------------------- J5


def single_command_left_behind() -> Found:
    """J5: the same single faults on the old command and on a group of one."""
    sorts = (ONCE, LASTING, HANDLES)
    old = deaths(trials("naive-loop.as-posted.naive/group-snapshot-1", *sorts))
    group = deaths(trials("group-snapshot.as-posted.naive/group-snapshot-1", *sorts))
    hardened = deaths(trials("drive-migrate.hardened.naive/group-snapshot-1", *sorts))
    return Found(
        confirms=len(old) > 0 and len(group) == 0,
        refutes=len(old) == 0 or len(group) > 0,
        sentence=(
            f"As posted, blockdev-snapshot-sync leaves the disk without an image in {len(old)} of "
            f"{old.cases} cases, a group of one in {len(group)} of {group.cases}. Hardened, without a change "
            f"of the interface, the old command does so in {len(hardened)} of {hardened.cases}."
        ),
        figures={
            "old command: dead": len(old),
            "group of one: dead": len(group),
            "old command, hardened: dead": len(hardened),
            "cases": old.cases,
        },
        cases=(*old.first, "group-snapshot.as-posted.naive/group-snapshot-1/no-fault"),
    )
