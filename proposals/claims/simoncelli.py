"""The claims about drive-reopen and drive-migrate (Federico Simoncelli)."""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from blockops.commands.profile import Profile
from blockops.qmp.command import Command
from blockops.qmp.dispatch import Server
from blockops.steps import run
from proposals.catalogue import ENTRIES
from proposals.claims.bench import SIZE, Bench, bench, differing
from proposals.claims.claim import Found
from proposals.claims.trial import DEATH, IN_WORDS, ONCE, PACE, Count, counted, trials

PAGE = tuple(entry for entry in ENTRIES if entry.page)


def patches_posted() -> Found:
    """F1."""
    return Found(None, None, "About patches on a mailing list in 2012; no run can tell.")


# ------------------------------------------------------------------------------------------------- F2

Message: TypeAlias = tuple[str, dict[str, object]]

NEW, TARGET, OLD = "/vm/d0-new.qcow2", "/vm/dst/d0-leaf.qcow2", "/vm/d0.qcow2"
FREEZE: Message = ("blockdev-freeze", {"device": "d0"})
UNFREEZE: Message = ("blockdev-unfreeze", {"device": "d0"})
START: Message = ("blockdev-start-transaction", {})
COMMIT: Message = ("blockdev-commit-transaction", {})
SNAPSHOT: Message = ("blockdev-snapshot-sync", {"device": "d0", "snapshot-file": "/vm/d0-made.qcow2"})
REOPEN: Message = ("drive-reopen", {"device": "d0", "source": NEW})
MIRROR: Message = ("drive-mirror", {"device": "d0", "dest": TARGET})
BOTH: Message = ("drive-migrate", {"device": "d0", "new-source": NEW, "dest": TARGET})
GROUP: Message = ("blkdev-group-snapshot-sync", {"devlist": [SNAPSHOT[1]]})

SHAPES = {
    "snapshot": "/vm/d0-made.qcow2",
    "reopen": NEW,
    "mirror": f"{OLD}+mirror",
    "snapshot and mirror": "+mirror",
}
"""What a change of one disk may be, and what the device shows afterwards; last: anything new, mirrored."""

LARGE = 2 * 1024 * 1024 + SIZE
FAR = 2 * 1024 * 1024
"""Bytes: the disk; a place in its second table (one covers 2 MiB)."""

SCRIPTS: Mapping[str, Mapping[str, list[list[Message]]]] = {
    "group-snapshot": {"snapshot": [[GROUP]]},
    "drive-migrate": {
        "snapshot": [[SNAPSHOT]],
        "reopen": [[REOPEN]],
        "mirror": [
            [("drive-migrate", {"device": "d0", "dest": TARGET})],
            [("drive-migrate", {"device": "d0", "dest": TARGET, "new-source": OLD})],
        ],
        "snapshot and mirror": [[BOTH]],
    },
    "transaction": {
        "snapshot": [[START, SNAPSHOT, COMMIT]],
        "reopen": [[START, REOPEN, COMMIT]],
        "mirror": [[START, MIRROR, COMMIT]],
        "snapshot and mirror": [[START, SNAPSHOT, MIRROR, COMMIT]],
    },
    "freeze": {
        "snapshot": [[FREEZE, SNAPSHOT, UNFREEZE]],
        "reopen": [[FREEZE, REOPEN, UNFREEZE]],
        "mirror": [[FREEZE, MIRROR, UNFREEZE]],
        "snapshot and mirror": [[FREEZE, SNAPSHOT, MIRROR, UNFREEZE]],
    },
}
"""For each design and shape the messages that are tried, several where one might do."""


def tailored() -> Found:
    """F2: four changes of one disk, each tried with every design, and with drive-migrate alone.

    A design reaches one where it does in either profile: what the interface allows counts, whoever wrote it.
    """
    reached = {entry.id: [shape for shape in SHAPES if _reaches(entry.id, shape)] for entry in PAGE}
    alone = [shape for shape in SHAPES if any(_alone(profile, shape) for profile in Profile)]
    members = {entry.id: max(map(_members, _own(entry.id))) for entry in PAGE}
    own = reached["drive-migrate"]
    missing = [shape for shape in SHAPES if shape not in own]
    others = max(len(found) for name, found in reached.items() if name != "drive-migrate")
    most = max(members, key=lambda name: members[name])
    return Found(
        confirms=alone == ["snapshot and mirror"] and len(own) < others and most == "drive-migrate",
        refutes=len(alone) > 1 or not missing,
        sentence=(
            f"Of {len(SHAPES)} changes of one disk drive-migrate itself carries {len(alone)} "
            f"({', '.join(alone) or 'none'}); with the commands beside it {len(own)}, lacking "
            f"{', '.join(missing) or 'none'}; transaction {len(reached['transaction'])}, freeze "
            f"{len(reached['freeze'])}, group snapshot {len(reached['group-snapshot'])}. It takes "
            f"{members['drive-migrate']} arguments; no other command of the page takes more than "
            f"{max(number for name, number in members.items() if name != 'drive-migrate')}. "
            f"Made to mirror alone, by naming the disk's own image as its new one, {_shoehorned()}."
        ),
        figures={f"{name}: shapes": len(found) for name, found in reached.items()}
        | {"drive-migrate alone: shapes": len(alone)}
        | {f"{name}: most arguments": number for name, number in members.items()},
        cases=("drive-migrate.hardened.careful/migrate-one-1/no-fault",),
    )


def _reaches(design: str, shape: str) -> bool:
    """Whether one of the design's scripts for *shape* does it, in either profile, and loses nothing."""
    scripts = SCRIPTS[design].get(shape, [])
    return any(
        _ended(profile, design, script, SHAPES[shape]) == DONE for profile in Profile for script in scripts
    )


def _alone(profile: Profile, shape: str) -> bool:
    """Whether drive-migrate carries *shape* by itself, given just the arguments that the shape has."""
    names = {
        "snapshot": ["new-source"],
        "reopen": ["new-source"],
        "mirror": ["dest"],
        "snapshot and mirror": ["new-source", "dest"],
    }[shape]
    arguments = {"device": "d0"} | {name: BOTH[1][name] for name in names}
    wanted = "+mirror" if shape == "snapshot and mirror" else NEW if "new-source" in names else SHAPES[shape]
    return _ended(profile, "drive-migrate", [("drive-migrate", arguments)], wanted) == DONE


DONE = "does that"


def _ended(profile: Profile, design: str, script: list[Message], wanted: str) -> str:
    """Send a script's messages to a design's server; tell how that ends.

    The disk is so large that its image needs several tables.  The guest has written to it and writes again
    into the same table; all of it must be there when the image is opened again.
    """
    made = _prepared(profile)
    made.write(b"before", FAR)
    entry = next(entry for entry in PAGE if entry.id == design)
    connection = Server(entry.make(made.machine, profile)).connect("client")
    replies = [run(connection.execute({"execute": name, "arguments": data})) for name, data in script]
    if any("error" in reply for reply in replies):
        return "is refused"
    made.write(b"after", FAR + 8192)
    made.machine.flush_all()
    shown, seen = made.tops()[0] or "", made.machine.device("d0").read(0, LARGE)
    made.machine.close()
    lost = differing(seen, made.content(shown.removesuffix("+mirror")))
    if lost:
        return f"opens that image twice and loses {lost} bytes that the guest has flushed"
    right = shown == wanted or (wanted == "+mirror" and shown.endswith(wanted) and not shown.startswith(OLD))
    return DONE if right else f"shows {shown}"


def _shoehorned() -> str:
    script = SCRIPTS["drive-migrate"]["mirror"][-1]
    told = {
        words: _ended(profile, "drive-migrate", script, SHAPES["mirror"])
        for words, profile in IN_WORDS.items()
    }
    return ", ".join(f"{words} it {how}" for words, how in told.items())


def _prepared(profile: Profile) -> Bench:
    made = bench(profile, devices=1, size=LARGE)
    made.make(NEW, backing=OLD)
    made.make(TARGET, backing="/vm/dst/d0.qcow2")
    return made


def _own(design: str) -> list[Command]:
    """Return the commands that the page lists for a design."""
    entry = next(entry for entry in PAGE if entry.id == design)
    commands = entry.make(bench(Profile.HARDENED).machine, Profile.HARDENED).commands
    return [command for command in commands.values() if command.source == "page"]


def _members(command: Command) -> int:
    """Return how many arguments a command takes, those of a list's entries included, extensions not."""
    fields = attrs.fields(attrs.resolve_types(command.arguments))
    inner = [one for field in fields for one in getattr(field.type, "__args__", ()) if attrs.has(one)]
    names = [field.name for field in fields] + [f.name for one in inner for f in attrs.fields(one)]
    return len([name for name in names if name != "mode"])


# ------------------------------------------------------------------------------------------------- F3

HALF = ("all-or-nothing", "nothing-lost")
DESIGNS = ("drive-migrate", "transaction", "freeze")


def one_disk_a_call() -> Found:
    """F3: mirror two disks while a guest runs, runs ahead, lags; then break every host operation."""
    torn = {
        words: {
            name: counted(trials(f"{name}.{profile.value}.careful/mirror-many-2", PACE), "one-instant")
            for name in DESIGNS
        }
        for words, profile in IN_WORDS.items()
    }
    mixed = {
        f"{manager} manager": counted(
            trials(f"drive-migrate.hardened.{manager}/mirror-many-2", ONCE, DEATH), *HALF
        )
        for manager in ("naive", "careful")
    }
    alone = {words: {name for name, found in one.items() if len(found)} for words, one in torn.items()}
    return Found(
        confirms=all(names == {"drive-migrate"} for names in alone.values()),
        refutes=not any("drive-migrate" in names for names in alone.values()),
        sentence=(
            f"Mirrors of two disks that hold a write without an earlier one that it depends on, with nothing "
            f"broken: {_told(torn)}. With one failing operation of the host, or a manager that dies, "
            f"drive-migrate hardened leaves disks half mirrored, or writes lost: {_shares(mixed)}."
        ),
        figures={
            f"{name}, {words}: no single instant": len(found)
            for words, one in torn.items()
            for name, found in one.items()
        }
        | {
            f"drive-migrate, {manager}: half mirrored or lost": len(found) for manager, found in mixed.items()
        },
        cases=(
            *(case for one in torn.values() for found in one.values() for case in found.first),
            *(case for found in mixed.values() for case in found.first),
        ),
    )


def _told(torn: Mapping[str, Mapping[str, Count]]) -> str:
    return "; ".join(f"{words}, {_shares(one)}" for words, one in torn.items())


def _shares(counts: Mapping[str, Count]) -> str:
    return ", ".join(f"{name} {len(found)} of {found.cases} cases" for name, found in counts.items())
