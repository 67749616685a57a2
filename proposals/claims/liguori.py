"""The claims about freeze and unfreeze (Anthony Liguori)."""

from collections.abc import Callable, Mapping
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
from proposals.claims.cost import COUNTS
from proposals.claims.trial import IN_WORDS, PACE, Count, trials, unlawful
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
            f"Freeze needs {'no more' if cheapest else 'more'} places in the code than any other, and leaves "
            f"{'no more' if safest else 'more'} disks half done than another. Places that resize touched: "
            f"{_listed(places)}, and {way_back} in shared code for the way back, which only a server "
            f"that reverts needs. When the second of two disks cannot grow, disks left grown: "
            f"{_listed(half_done)}; no design has a command that shrinks one."
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
    ready = {words: _migrated(profile, prepared=True)[0] for words, profile in IN_WORDS.items()}
    made, backing = _migrated(Profile.HARDENED, prepared=False)
    whole = {words: unlawful(trials(_moving(profile), PACE)) for words, profile in IN_WORDS.items()}
    good = [ready[words] == 0 and not len(whole[words]) for words in IN_WORDS]
    lost = "cannot be read" if made is None else f"differs in {made} bytes"
    return Found(
        confirms=all(good),
        refutes=not any(good),
        sentence=(
            f"On a target that management made beforehand, as oVirt does, the moved disk "
            f"{'lacks some of what' if any(ready.values()) else 'has all that'} the guest wrote (bytes that "
            f"differ: {_differ(ready)}), and moving two disks of a running guest breaks a law in "
            f"{_shares(whole)} cases. A target that the mirror makes stands on {backing}, and {lost} once "
            f"the source is deleted."
        ),
        figures={
            f"prepared target, {words}: bytes that differ": SIZE if number is None else number
            for words, number in ready.items()
        }
        | ({} if made is None else {"created target: bytes that differ": made})
        | {f"{words}: cases that break a law": len(found) for words, found in whole.items()},
        cases=(
            *(case for found in whole.values() for case in found.first),
            *(f"{_moving(profile)}/no-fault" for profile in Profile),
        ),
    )


def _moving(profile: Profile) -> str:
    return f"freeze.{profile.value}.careful/migrate-many-2"


def _differ(measure: Mapping[str, int | None]) -> str:
    told = {words: "all" if number is None else f"{number}" for words, number in measure.items()}
    return ", ".join(f"{words} {number}" for words, number in told.items())


def _shares(counts: Mapping[str, Count]) -> str:
    return "; ".join(f"{words} {len(found)} of {found.cases}" for words, found in counts.items())


def _migrated(profile: Profile, *, prepared: bool) -> tuple[int | None, str | None]:
    """Migrate a disk and delete the source.

    Return the bytes in which the destination differs (None: it cannot be read), and its first backing.
    """
    made = bench(profile, devices=1)
    new, leaf = "/vm/d0-new.qcow2", f"{DESTINATION}/d0-leaf.qcow2"
    if prepared:
        made.make(leaf, backing=f"{DESTINATION}/d0.qcow2")
    freezer = Freezer(made.machine, profile)
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
    """A3: the same group snapshot with both: every file compared, and then with a guest that runs."""
    compared = [(profile, count) for profile in Profile for count in COUNTS]
    off = [(profile, count) for profile, count in compared if _files_that_differ(profile, count)]
    running = {
        f"{words}, {name}": unlawful(trials(f"{name}.{profile.value}.careful/group-snapshot-2", PACE))
        for words, profile in IN_WORDS.items()
        for name in ("group-snapshot", "freeze")
    }
    frozen = [found for name, found in running.items() if name.endswith("freeze")]
    return Found(
        confirms=not off and not any(map(len, running.values())),
        refutes=bool(off) or any(map(len, frozen)),
        sentence=(
            f"With freeze every file is, byte for byte, the one that a group snapshot leaves, in "
            f"{len(compared) - len(off)} of {len(compared)} comparisons ({_numbers()} disks, both profiles). "
            f"Cases in which a law is broken while the guest runs: {_shares(running)}."
        ),
        figures={"comparisons": len(compared), "equal": len(compared) - len(off)}
        | {f"{name}: cases that break a law": len(found) for name, found in running.items()},
        cases=(
            *(case for found in running.values() for case in found.first),
            "group-snapshot.hardened.careful/group-snapshot-2/no-fault",
            "freeze.hardened.careful/group-snapshot-2/no-fault",
        ),
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


# ------------------------------------------------------------------------------------------------- A5


def changes_to_the_group() -> Found:
    """A5."""
    return Found(None, None, "About patches of February 2012; no run can tell.")


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
