"""The claims about freeze and unfreeze (Anthony Liguori)."""

import re
from collections.abc import Callable
from itertools import islice

import attrs

from blockops.commands.profile import Profile
from blockops.device import Device, Operation, Request
from blockops.errors import BlockError
from blockops.machine import Machine
from blockops.steps import Steps, run
from proposals.catalogue import ENTRIES
from proposals.claims import code
from proposals.claims.bench import DESTINATION, SIZE, Bench, bench, differing, tried
from proposals.claims.claim import Found
from proposals.claims.cost import COUNTS, measured
from proposals.claims.trial import (
    DEATH,
    LASTING,
    ONCE,
    Count,
    counted,
    everybody,
    trial,
    trials,
)
from proposals.drive_migrate import DriveMigration
from proposals.freeze import Freezer
from proposals.group_snapshot import GroupSnapshot, SnapshotDev
from proposals.transaction import Transaction

PAGE = {entry.id: entry for entry in ENTRIES if entry.page}

# ------------------------------------------------------------------------------------------------- A1

MORE = 4 * SIZE
SHARED_BY_ALL = ("blockops.commands.resize", "blockops.graph.node", "blockops.qcow2.image", "blockops.raw")


def fewest_problems() -> Found:
    """A1: what it took to add resize to each design, and who takes a half-done one back."""
    places = {name: len(code.places(entry, "resize")) for name, entry in PAGE.items()}
    half_done = {name: _half_grown(grow) for name, grow in GROWING.items()}
    way_back = len(code.places_in(SHARED_BY_ALL, "take_back_growth"))
    cheapest = places["freeze"] == min(places.values())
    safest = half_done["freeze"] == min(half_done.values())
    return Found(
        confirms=cheapest and safest,
        refutes=not cheapest and not safest,
        sentence=(
            f"Places that resize touched: {_listed(places)}, and {way_back} in shared code for the way back, "
            f"which only a server that reverts needs. When the second of two disks cannot grow, disks left "
            f"grown: {_listed(half_done)}; no design has a command that shrinks one."
        ),
        figures={f"{name}: places": number for name, number in places.items()}
        | {f"{name}: disks left grown": number for name, number in half_done.items()}
        | {"places of the way back": way_back},
    )


def _listed(measure: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in measure.items())


def _one_by_one(made: Bench, resize: Callable[[str, int], None]) -> None:
    for name in made.names:
        resize(name, MORE)


def _grow_with_group(made: Bench) -> None:
    _one_by_one(made, GroupSnapshot(made.machine).resize)


def _grow_with_migration(made: Bench) -> None:
    _one_by_one(made, DriveMigration(made.machine).resize)


def _grow_in_transaction(made: Bench) -> None:
    session = Transaction(made.machine)
    session.start()
    _one_by_one(made, session.resize)
    session.commit()


def _grow_frozen(made: Bench) -> None:
    freezer = Freezer(made.machine)
    for name in made.names:
        freezer.freeze(name)
    failed = tried(lambda: _one_by_one(made, freezer.resize))
    if failed is not None:  # management's roll-back, with the commands that there are
        tried(lambda: freezer.resize("d0", SIZE))
    for name in made.names:
        freezer.unfreeze(name)


GROWING: dict[str, Callable[[Bench], None]] = {
    "group-snapshot": _grow_with_group,
    "drive-migrate": _grow_with_migration,
    "transaction": _grow_in_transaction,
    "freeze": _grow_frozen,
}
"""How each design lets all disks grow, as far as its commands can make one change of it."""


def _half_grown(grow: Callable[[Bench], None]) -> int:
    """Fail the last operation on the second disk; return how many disks have grown all the same."""
    sound = bench(Profile.HARDENED)
    grow(sound)
    last = [operation for operation in sound.clock.operations if operation.path == "/vm/d1.qcow2"][-1]
    broken = bench(Profile.HARDENED, fault=f"eio@{last.number}")
    tried(lambda: grow(broken))
    return sum(size != SIZE for size in broken.sizes())


# ------------------------------------------------------------------------------------------------- A2


def ovirt() -> Found:
    """A2: freeze, snapshot, mirror, unfreeze; copy; reopen: onto a target made before, or by the mirror."""
    ready, _ = _migrated(prepared=True)
    made, backing = _migrated(prepared=False)
    end = trial("freeze.hardened.careful/migrate-many-2/no-fault")
    whole = not end.breaks(*end.judgements)
    lost = "cannot be read" if made is None else f"differs in {made} bytes"
    return Found(
        confirms=ready == 0 and whole,
        refutes=ready != 0 or not whole,
        sentence=(
            f"Onto a target that management made beforehand, {ready} bytes of the moved disk differ from "
            f"what "
            f"the guest wrote. A target that the mirror makes stands on {backing}, and {lost} once the "
            f"source "
            f"is deleted."
        ),
        figures={"prepared target: bytes that differ": SIZE if ready is None else ready}
        | ({} if made is None else {"created target: bytes that differ": made}),
        cases=(end.case,),
    )


def _migrated(*, prepared: bool) -> tuple[int | None, str | None]:
    """Migrate a disk and delete the source.

    Return the bytes in which the destination differs (None: it cannot be read), and its first backing.
    """
    made = bench(Profile.HARDENED, devices=1)
    new, leaf = "/vm/d0-new.qcow2", f"{DESTINATION}/d0-leaf.qcow2"
    if prepared:
        made.make(leaf, backing=f"{DESTINATION}/d0.qcow2")
    freezer = Freezer(made.machine)
    freezer.freeze("d0")
    freezer.snapshot("d0", new)
    freezer.mirror("d0", leaf)
    freezer.unfreeze("d0")
    backing = made.backing(leaf)
    made.write(b"meanwhile", 8192)
    made.machine.flush_all()
    made.copy("/vm/d0.qcow2", f"{DESTINATION}/d0.qcow2")
    seen = made.machine.device("d0").read(0, SIZE)
    tried(lambda: freezer.reopen("d0", leaf, "qcow2"))
    made.machine.close()
    for path in (new, "/vm/d0.qcow2"):
        made.disk.unlink(path)
    try:
        return differing(seen, made.content(leaf)), backing
    except BlockError:
        return None, backing


# ------------------------------------------------------------------------------------------------- A3


def subsumes_group_snapshots() -> Found:
    """A3: the same group snapshot with both, side by side; every file compared."""
    compared = [(profile, count) for profile in Profile for count in COUNTS]
    off = [(profile, count) for profile, count in compared if _files_that_differ(profile, count)]
    both = [
        trial(f"{name}.hardened.careful/group-snapshot-2/no-fault") for name in ("group-snapshot", "freeze")
    ]
    clean = not any(one.breaks(*one.judgements) for one in both)
    return Found(
        confirms=not off and clean,
        refutes=bool(off),
        sentence=(
            f"Frozen snapshots of {_numbers()} disks in both profiles: in {len(compared) - len(off)} of "
            f"{len(compared)} comparisons every file is, byte for byte, the one that the group snapshot "
            f"leaves."
        ),
        figures={"comparisons": len(compared), "equal": len(compared) - len(off)},
        cases=tuple(one.case for one in both),
    )


def _numbers() -> str:
    return f"{', '.join(map(str, COUNTS[:-1]))} and {COUNTS[-1]}"


def _files_that_differ(profile: Profile, devices: int) -> list[str]:
    """Return the files in which a frozen loop and a group snapshot differ, and those that one lacks."""
    grouped, frozen = bench(profile, devices), bench(profile, devices)
    GroupSnapshot(grouped.machine, profile).group_snapshot(
        [SnapshotDev(name, f"/vm/{name}-new.qcow2") for name in grouped.names]
    )
    freezer = Freezer(frozen.machine, profile)
    for name in frozen.names:
        freezer.freeze(name)
    for name in frozen.names:
        freezer.snapshot(name, f"/vm/{name}-new.qcow2")
    for name in frozen.names:
        freezer.unfreeze(name)
    for made in (grouped, frozen):
        made.write(b"new-", 4096)
    one, other = grouped.files(), frozen.files()
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


# -------------------------------------------------------------------------------------------- A4 to A6


def own_error_handling() -> Found:
    """A4: what becomes of a failure when management stops at the first error, and what care takes."""
    naive = {name: _naive(name) for name in ("group-snapshot", "freeze")}
    branches = {name: _branches(name) for name in PAGE}
    fallible = {
        name: measured(everybody()[f"{name}.hardened.careful"], "group-snapshot", 8).fallible_steps
        for name in PAGE
    }
    alone = len(naive["group-snapshot"])
    return Found(
        confirms=alone == 0 < len(naive["freeze"]) and branches["freeze"] > branches["group-snapshot"],
        refutes=len(naive["freeze"]) <= alone,
        sentence=(
            f"A manager that stops at the first error leaves disks half changed or held back in "
            f"{_share(naive['freeze'])} cases, with the group snapshot in {_share(naive['group-snapshot'])}. "
            f"Branches of the careful manager: {_listed(branches)}; steps that can fail, 8 disks: "
            f"{_listed(fallible)}."
        ),
        figures={f"{name}: naive, half changed or held back": len(found) for name, found in naive.items()}
        | {f"{name}: branches": number for name, number in branches.items()}
        | {f"{name}: fallible steps, 8 disks": number for name, number in fallible.items()},
        cases=naive["freeze"].first,
    )


def _naive(design: str) -> Count:
    loop = trials(f"{design}.hardened.naive/group-snapshot-2", ONCE)
    return counted(loop, "all-or-nothing", "released")


def _branches(design: str) -> int:
    return code.branches(everybody()[f"{design}.hardened.careful"], "group-snapshot") or 0


def _share(found: Count) -> str:
    return f"{len(found)} of {found.cases}"


def changes_to_the_group() -> Found:
    """A5."""
    return Found(None, None, "About patches of February 2012; no run can tell.")


HARM = {
    "half changed": ("all-or-nothing",),
    "held back for good": ("released",),
    "acknowledged writes lost": ("nothing-lost",),
}
"""What error handling is there to prevent."""


def cannot_match_it() -> Found:
    """A6: break the careful manager everywhere, its roll-back too, and let it die at every step."""
    harm = {name: _harmed(name) for name in ("freeze", "group-snapshot")}
    freeze, group = harm["freeze"], harm["group-snapshot"]
    frozen = counted(trials("freeze.as-posted.careful/group-snapshot-2", DEATH), "released")
    worse = [what for what in HARM if len(freeze[what]) > len(group[what])]
    better = [what for what in HARM if len(freeze[what]) < len(group[what])]
    killed = [case for case in freeze["half changed"].having if re.search(DEATH, case)]
    told = "; ".join(
        f"{what}: freeze {_share(freeze[what])}, group snapshot {_share(group[what])}" for what in HARM
    )
    return Found(
        confirms=bool(worse) and not better,
        refutes=not worse,
        sentence=(
            f"Each under its careful manager, hardened, every operation and step broken: {told}. Of "
            f"the first, {len(killed)} come of a manager's death; as posted such a death leaves disks frozen "
            f"for good in {_share(frozen)} cases."
        ),
        figures={f"{name}, {what}": len(found) for name in harm for what, found in harm[name].items()}
        | {"freeze, half changed by a manager's death": len(killed)}
        | {"freeze, as posted, frozen for good": len(frozen)},
        cases=(*(case for what in worse for case in freeze[what].first), *frozen.first),
    )


def _harmed(design: str) -> dict[str, Count]:
    loop = list(trials(f"{design}.hardened.careful/group-snapshot-2", ONCE, LASTING, DEATH))
    return {what: counted(loop, *laws) for what, laws in HARM.items()}


# ------------------------------------------------------------------------------------------------- A7


@attrs.define(eq=False)
class QueueFrozen(Device):
    """A device whose freeze keeps requests in the one queue that QEMU had: started and not completed."""

    def freeze(self) -> Steps[None]:
        """Complete nothing from now on; the gate stays open."""
        yield from self.settled()


PATIENCE = 100


def core_changes() -> Found:
    """A7: a snapshot of a frozen disk with a write waiting, the freeze on drain's own queue and beside it."""
    stuck, thawed = _on_the_queue()
    passes = _beside_the_queue()
    return Found(
        confirms=(stuck or thawed) and passes,
        refutes=not stuck and not thawed,
        sentence=(
            f"With frozen requests on the queue that drain waits for, a snapshot "
            f"{'waits for ever' if stuck else 'ends'} if they stay, and if drain completes them the frozen "
            f"guest's write {'reaches the old image' if thawed else 'stays where it is'}; behind a gate of "
            f"its own the freeze {'lets the snapshot through' if passes else 'stops the snapshot'}."
        ),
        figures={"deadlock": int(stuck), "thawed by drain": int(thawed), "gate lets it through": int(passes)},
        cases=("freeze.hardened.careful/group-snapshot-2/no-fault",),
    )


def _write() -> Request:
    return Request(Operation.WRITE, 4096, 6, b"frozen")


def _on_the_queue() -> tuple[bool, bool]:
    """Return whether the snapshot never ends, and whether the write lands in the old image if it may."""
    stays, completed = _frozen_on_the_queue(), _frozen_on_the_queue()
    stuck = not _snapshot_ends(stays.machine, completes=False)
    _snapshot_ends(completed.machine, completes=True)
    return stuck, completed.content("/vm/d0.qcow2")[4096:4102] == b"frozen"


def _frozen_on_the_queue() -> Bench:
    made = bench(Profile.HARDENED, devices=1)
    device = QueueFrozen("d0", made.machine.graph)
    made.machine.devices["d0"] = device
    run(device.freeze())
    device.submit(_write())
    return made


def _snapshot_ends(machine: Machine, *, completes: bool) -> bool:
    """Run a snapshot for as long as patience lasts; *completes*: what it waits for is completed."""
    proposal = GroupSnapshot(machine)
    command = proposal.commands.commands["blockdev-snapshot-sync"]
    wanted = SnapshotDev("d0", "/vm/d0-new.qcow2")
    steps = command.handler(proposal.client, wanted)
    taken = 0
    for step in islice(steps, PATIENCE):
        taken += 1
        if step.waits_for is not None and completes:
            step.waits_for.complete_next()
    return taken < PATIENCE


def _beside_the_queue() -> bool:
    """Whether a snapshot passes a disk frozen by our gate while the write still waits behind it."""
    made = bench(Profile.HARDENED, devices=1)
    freezer = Freezer(made.machine)
    freezer.freeze("d0")
    request = _write()
    made.machine.device("d0").submit(request)
    ended = _snapshot_ends(made.machine, completes=True)
    return ended and request in made.machine.device("d0").queue
