"""The claims about drive-reopen and drive-migrate (Federico Simoncelli)."""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from blockops.commands.profile import Profile
from blockops.qmp.command import Command
from blockops.qmp.dispatch import Server
from blockops.steps import run
from proposals.catalogue import ENTRIES
from proposals.claims.bench import Bench, bench
from proposals.claims.claim import Found
from proposals.claims.trial import ONCE, Count, counted, trials

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
    """F2: four changes of one disk, each tried with every design, and with drive-migrate alone."""
    reached = {entry.id: [shape for shape in SHAPES if _reaches(entry.id, shape)] for entry in PAGE}
    alone = [shape for shape in SHAPES if _alone(shape)]
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
            f"Given the disk's own image as its new one it {_shoehorned(Profile.AS_POSTED)} as posted and "
            f"{_shoehorned(Profile.HARDENED)} hardened."
        ),
        figures={f"{name}: shapes": len(found) for name, found in reached.items()}
        | {"drive-migrate alone: shapes": len(alone)}
        | {f"{name}: most arguments": number for name, number in members.items()},
        cases=("drive-migrate.hardened.careful/migrate-one-1/no-fault",),
    )


def _reaches(design: str, shape: str) -> bool:
    """Whether one of the design's scripts for *shape* is answered with success and shows what is wanted."""
    return any(_shows(design, script, SHAPES[shape]) for script in SCRIPTS[design].get(shape, []))


def _alone(shape: str) -> bool:
    """Whether drive-migrate carries *shape* by itself, given just the arguments that the shape has."""
    names = {
        "snapshot": ["new-source"],
        "reopen": ["new-source"],
        "mirror": ["dest"],
        "snapshot and mirror": ["new-source", "dest"],
    }[shape]
    arguments = {"device": "d0"} | {name: BOTH[1][name] for name in names}
    wanted = "+mirror" if shape == "snapshot and mirror" else NEW if "new-source" in names else SHAPES[shape]
    return _shows("drive-migrate", [("drive-migrate", arguments)], wanted)


def _shows(design: str, script: list[Message], wanted: str) -> bool:
    made = _prepared(Profile.HARDENED)
    if not _carried_out(made, Profile.HARDENED, design, script):
        return False
    shown = made.tops()[0] or ""
    return shown == wanted or (wanted == "+mirror" and shown.endswith(wanted) and not shown.startswith(OLD))


def _carried_out(made: Bench, profile: Profile, design: str, script: list[Message]) -> bool:
    """Send the messages to a design's server; return whether every one was answered with success."""
    entry = next(entry for entry in PAGE if entry.id == design)
    connection = Server(entry.make(made.machine, profile)).connect("client")
    return not any(
        "error" in run(connection.execute({"execute": name, "arguments": arguments}))
        for name, arguments in script
    )


def _shoehorned(profile: Profile) -> str:
    """Name the disk's own image as the new one: tell whether that mirrors, and at what price."""
    made = _prepared(profile)
    if not _carried_out(made, profile, "drive-migrate", SCRIPTS["drive-migrate"]["mirror"][-1]):
        return "is refused"
    if made.tops()[0] != SHAPES["mirror"]:
        return "does not mirror"
    return f"mirrors with that file open {'twice' if OLD in made.clock.doubled else 'once'}"


def _prepared(profile: Profile) -> Bench:
    made = bench(profile, devices=1)
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
AHEAD = r"no-fault|guest-runs@.+"


def one_disk_a_call() -> Found:
    """F3: mirror two disks while a guest runs ahead between the calls; then break every host operation."""
    designs = ("drive-migrate", "transaction", "freeze")
    where = {name: f"{name}.hardened.careful/mirror-many-2" for name in designs}
    torn = {name: counted(trials(where[name], AHEAD), "one-instant") for name in designs}
    mixed = counted(trials(where["drive-migrate"], ONCE), *HALF)
    others = max(len(torn["transaction"]), len(torn["freeze"]))
    return Found(
        confirms=len(torn["drive-migrate"]) > 0 and others == 0,
        refutes=len(torn["drive-migrate"]) == 0,
        sentence=(
            f"With nothing broken, mirrors that no single instant explains: {_shares(torn)}. With one "
            f"failing operation of the host drive-migrate leaves disks half mirrored, or writes lost, in "
            f"{len(mixed)} of {mixed.cases} cases."
        ),
        figures={f"{name}: no single instant": len(found) for name, found in torn.items()}
        | {"drive-migrate: half mirrored or lost": len(mixed)},
        cases=torn["drive-migrate"].first + mixed.first,
    )


def _shares(counts: Mapping[str, Count]) -> str:
    return ", ".join(f"{name} in {len(found)} of {found.cases} cases" for name, found in counts.items())
