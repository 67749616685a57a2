"""The claims about the group snapshot (Jeff Cody)."""

import enum

import attrs

from blockops.commands.mirror import DriveMirror, drive_mirror
from blockops.commands.profile import Profile
from blockops.management.contestant import Inexpressible, Manager
from blockops.management.use_cases import USE_CASES
from blockops.qmp.errors import BadMessage
from blockops.qmp.schema import parse
from blockops.steps import run
from proposals.catalogue import ENTRIES
from proposals.claims import code
from proposals.claims.bench import DESTINATION, bench, differing
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
    """J2: count what a group snapshot takes with each of the four."""
    at = {
        entry.id: [measured(everybody()[f"{entry.id}.hardened.naive"], "group-snapshot", n) for n in COUNTS]
        for entry in PAGE
    }
    careful = {entry.id: _careful_branches(entry.id) for entry in PAGE}
    kept = {entry.id: code.states(entry) or 0 for entry in PAGE}
    trips = {name: [one.round_trips for one in found] for name, found in at.items()}
    own = trips["group-snapshot"]
    least = all(
        measure["group-snapshot"] == min(measure.values())
        for measure in (careful, kept, *({n: t[i] for n, t in trips.items()} for i in range(len(COUNTS))))
    )
    said = ", ".join(f"{name} {found[0]} to {found[-1]}" for name, found in trips.items())
    return Found(
        confirms=at["group-snapshot"][-1].commands == 1 and set(own) == {1} and least,
        refutes=set(own) != {1} or any(found[-1] < own[-1] for found in trips.values()),
        sentence=(
            f"Round trips for a snapshot of {COUNTS[0]} to {COUNTS[-1]} disks: {said}. States kept between "
            f"commands: {_listed(kept)}; branches of the careful manager: {_listed(careful)}."
        ),
        figures={f"{name}: round trips, {COUNTS[-1]} disks": found[-1] for name, found in trips.items()}
        | {f"{name}: branches": number for name, number in careful.items()}
        | {f"{name}: states": number for name, number in kept.items()},
        cases=tuple(f"{entry.id}.hardened.naive/group-snapshot-{COUNTS[-1]}/no-fault" for entry in PAGE),
    )


def _careful_branches(design: str) -> int:
    return code.branches(everybody()[f"{design}.hardened.careful"], "group-snapshot") or 0


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
            f"between the two: {missed} bytes of the target differ."
        ),
        figures={"use cases": len(needs), "inexpressible": len(cannot), "bytes missed": missed},
        cases=("transaction.hardened.careful/migrate-many-2/no-fault",),
    )


def _needs_one(use_case: str) -> bool:
    """Whether a use case takes a reopen or a mirror: the transaction, which has both, sends one for it."""
    devices = min(USE_CASES[use_case].device_counts)
    shown = trial(f"transaction.hardened.naive/{use_case}-{devices}/no-fault").evidence
    return any(exchange.command in ("drive-reopen", "drive-mirror") for exchange in shown.exchanges)


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
    extends = _understood(Extended, OLD) and _understood(Extended, NEW)
    breaks = _understood(Tagged, TAGGED) and not _understood(Tagged, OLD)
    old_servers = [message for message in (NEW, TAGGED) if not _understood(GroupSnapshotSync, message)]
    fits = "is understood by" if extends else "does not fit"
    return Found(
        confirms=extends and breaks,
        refutes=not extends or not breaks,
        sentence=(
            f"An old client's message {fits} a schema that adds an optional member; a schema of tagged "
            f"entries, which would fit other actions, {'refuses' if breaks else 'takes'} it. An old server "
            f"refuses {len(old_servers)} of 2 new messages, so no client is misread."
        ),
        figures={
            "additive schema takes old and new": int(extends),
            "tagged schema refuses old": int(breaks),
            "new messages refused by an old server": len(old_servers),
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
