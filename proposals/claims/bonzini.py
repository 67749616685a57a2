"""The claims about the session transaction (Paolo Bonzini)."""

from collections.abc import Callable, Collection, Mapping

import attrs

from blockops.commands.profile import Profile
from blockops.errors import UndefinedError
from blockops.lab.evidence import Ending
from blockops.qmp.command import Client
from proposals.catalogue import ENTRIES
from proposals.claims import code
from proposals.claims.bench import (
    CLUSTER,
    DESTINATION,
    SIZE,
    Bench,
    bench,
    differing,
    tried,
)
from proposals.claims.claim import Found
from proposals.claims.traced import functions
from proposals.claims.trial import (
    HANDLES,
    IN_WORDS,
    LASTING,
    ONCE,
    PACE,
    Count,
    counted,
    deaths,
    servers_trials,
    trial,
    trials,
    unlawful,
)
from proposals.group_snapshot import GroupSnapshot, SnapshotDev
from proposals.transaction import Transaction
from proposals.transaction.state import TABLE, Move, Session, State

ENTRY = {entry.id: entry for entry in ENTRIES}

# ------------------------------------------------------------------------------------------------- P1


SORTS = {
    "snapshots": "group-snapshot-2",
    "reopens": "switch-many-2",
    "mirrors": "mirror-many-2",
    "one of each": "mixed-3",
}
"""The operations that the page lists inside a transaction, by the use case that is a transaction of them."""


@attrs.frozen
class Matrix:
    """How the transactions of one sort of action ended: *whole* without a fault, half done with one."""

    whole: bool
    half: Count

    @classmethod
    def of(cls, setting: str) -> "Matrix":
        """Run a setting without a fault, then with every operation of the hypervisor's failing."""
        sound = trial(f"{setting}/no-fault")
        whole = sound.evidence.ending is Ending.SUCCEEDED and not sound.breaks("all-or-nothing", "truthful")
        return cls(whole, counted(servers_trials(setting), "all-or-nothing"))


def uniform() -> Found:
    """P1: a transaction of each sort of action, broken at every operation of the hypervisor's.

    The manager stops at the first error: what care adds is management's handling and not the interface's.
    """
    at = {
        words: {sort: Matrix.of(f"transaction.{one.value}.naive/{where}") for sort, where in SORTS.items()}
        for words, one in IN_WORDS.items()
    }
    alike = {words: _alike(found.values()) for words, found in at.items()}
    half = {f"{words}, {sort}": one.half for words, found in at.items() for sort, one in found.items()}
    return Found(
        confirms=all(alike.values()),
        refutes=not any(alike.values()),
        sentence=(
            f"{_told(alike)} After one failure in the hypervisor some disks are changed and others not: "
            f"{_listed(half)}."
        ),
        figures={f"{name}: half done": len(found) for name, found in half.items()},
        cases=(
            *(case for found in half.values() for case in found.first),
            *(f"transaction.hardened.naive/{where}/no-fault" for where in SORTS.values()),
        ),
    )


def _alike(matrices: Collection[Matrix]) -> bool:
    """Whether every sort is taken, and either none ever ends half done or each can."""
    return all(one.whole for one in matrices) and len({len(one.half) > 0 for one in matrices}) == 1


def _told(alike: Mapping[str, bool]) -> str:
    words = [f"{profile} {'yes' if same else 'no'}" for profile, same in alike.items()]
    return f"Whatever a transaction consists of, its failures end alike: {', '.join(words)}."


def _listed(counts: Mapping[str, Count]) -> str:
    """Name those that there are any of; the others ran as well."""
    some = [f"{name} in {len(found)} of {found.cases} cases" for name, found in counts.items() if len(found)]
    rest = sum(found.cases for found in counts.values() if not len(found))
    return f"{', '.join(some) or 'never'}" + (f", in none of the {rest} others" if some else "")


# ------------------------------------------------------------------------------------------------- P2


def ovirt() -> Found:
    """P2: snapshot and mirror in one transaction, copy, reopen: in order, reversed, and as two commands."""
    straight = {words: _migrated(profile, _snapshot, _mirror) for words, profile in IN_WORDS.items()}
    turned = _migrated(Profile.HARDENED, _mirror, _snapshot)
    apart = _migrated(Profile.HARDENED, _snapshot, _mirror, together=False)
    whole = {words: unlawful(trials(_moving(profile), PACE)) for words, profile in IN_WORDS.items()}
    good = [straight[words] == 0 and not len(whole[words]) for words in IN_WORDS]
    return Found(
        confirms=all(good),
        refutes=not any(good),
        sentence=(
            f"Snapshot before mirror in one transaction, then copy and reopen: the moved disk "
            f"{'lacks some of what' if any(straight.values()) else 'has all that'} the guest wrote (bytes "
            f"that differ: {_differ(straight)}), and moving two disks of a running guest breaks a law in "
            f"{_shares(whole)} cases. The order matters, and no error tells: mirror before snapshot, "
            f"{turned} bytes differ; as two commands with a guest that writes in between, {apart}, and a "
            f"target that the mirror makes stands on {_target_made_apart()}."
        ),
        figures={f"in order, {words}: bytes that differ": number for words, number in straight.items()}
        | {"reversed: bytes that differ": turned, "two commands: bytes that differ": apart}
        | {f"{words}: cases that break a law": len(found) for words, found in whole.items()},
        cases=(
            *(case for found in whole.values() for case in found.first),
            *(f"{_moving(profile)}/no-fault" for profile in Profile),
        ),
    )


def _moving(profile: Profile) -> str:
    return f"transaction.{profile.value}.careful/migrate-many-2"


def _differ(measure: Mapping[str, int]) -> str:
    return ", ".join(f"{words} {number}" for words, number in measure.items())


def _shares(counts: Mapping[str, Count]) -> str:
    return ", ".join(f"{words} {len(found)} of {found.cases}" for words, found in counts.items())


def _snapshot(session: Transaction) -> None:
    session.snapshot("d0", _new("d0"))


def _mirror(session: Transaction) -> None:
    session.mirror("d0", _leaf("d0"))


def _leaf(name: str) -> str:
    return f"{DESTINATION}/{name}-leaf.qcow2"


def _migrated(profile: Profile, *commands: Callable[[Transaction], None], together: bool = True) -> int:
    """Migrate a disk, with these commands in one transaction or, the guest writing after each, in none.

    Return the number of bytes in which the destination differs from what the guest saw.
    """
    made = bench(profile, devices=1)
    made.make(_leaf("d0"), backing=f"{DESTINATION}/d0.qcow2")
    session = Transaction(made.machine, profile)
    if together:
        session.start()
    for number, command in enumerate(commands):
        command(session)
        made.write(b"between", CLUSTER * (4 + number))
    if together:
        session.commit()
    made.write(b"meanwhile", 8192)
    made.machine.flush_all()
    made.copy("/vm/d0.qcow2", f"{DESTINATION}/d0.qcow2")
    seen = made.machine.device("d0").read(0, SIZE)
    session.start()
    session.reopen("d0", _leaf("d0"), "qcow2")
    session.commit()
    made.machine.close()
    return differing(seen, made.content(_leaf("d0")))


def _target_made_apart() -> str:
    made = bench(Profile.HARDENED, devices=1)
    session = Transaction(made.machine)
    _snapshot(session)
    _mirror(session)
    backing = made.backing(_leaf("d0"))
    return "the new overlay, on the source's storage" if backing == _new("d0") else f"{backing}"


def _new(name: str) -> str:
    return f"/vm/{name}-new.qcow2"


# ------------------------------------------------------------------------------------------------- P3


def reaches_the_single_command() -> Found:
    """P3: the same single faults on the bare command and on one in a session, as posted."""
    bare = deaths(trials("naive-loop.as-posted.naive/group-snapshot-1", ONCE, LASTING, HANDLES))
    wrapped = deaths(trials("transaction.as-posted.naive/group-snapshot-1", ONCE, LASTING, HANDLES))
    return Found(
        confirms=len(bare) > 0 and len(wrapped) == 0,
        refutes=len(wrapped) > 0,
        sentence=(
            f"As posted, blockdev-snapshot-sync by itself leaves the disk without an image in {len(bare)} of "
            f"{bare.cases} cases, inside a transaction in {len(wrapped)} of {wrapped.cases}."
        ),
        figures={"bare: dead": len(bare), "in a transaction: dead": len(wrapped), "cases": bare.cases},
        cases=(*bare.first, "transaction.as-posted.naive/group-snapshot-1/no-fault"),
    )


# --------------------------------------------------------------------------------------------- P4 to P6


def changes_to_the_group() -> Found:
    """P4: history; the proxy counts what of the group's machinery the session calls as it is."""
    own, shared = code.shared_with(ENTRY["group-snapshot"], ENTRY["transaction"])
    return Found(
        None,
        None,
        f"About patches of 2012. Here the session calls {len(shared)} of the {len(own)} shared pieces "
        f"that the "
        f"group snapshot is made of as they are ({', '.join(sorted(shared))}), the drain moved to the "
        f"commit.",
        {"pieces of the group": len(own), "called by the session": len(shared)},
    )


def core_changes() -> Found:
    """P5: what the session adds, every pair of state and move tried, and what it runs of the group's code."""
    group, session = (ENTRY["group-snapshot"], ENTRY["transaction"])
    added = (code.states(session) or 0) - (code.states(group) or 0)
    needed = functions(_in_a_session, "blockops.commands", "proposals.transaction")
    there = needed & functions(_in_a_group, "blockops.commands")
    legal, refused = _pairs()
    return Found(
        confirms=added > 0 and 2 * len(there) > len(needed),
        refutes=added <= 0 or 2 * len(there) <= len(needed),
        sentence=(
            f"The session adds {added} states between commands; of its pairs of state and move {legal} are "
            f"legal and {refused} are refused and change nothing. Of {len(needed)} functions that a session "
            f"of snapshots runs through, failing anywhere, {len(there)} are the group snapshot's as well."
        ),
        figures={
            "states added": added,
            "legal moves": legal,
            "refused moves": refused,
            "functions of a session of snapshots": len(needed),
            "of them the group's": len(there),
        },
        cases=("transaction.hardened.careful/give-up-2/no-fault",),
    )


def _in_a_session(made: Bench) -> None:
    session = Transaction(made.machine)
    session.start()
    try:
        for name in made.names:
            session.snapshot(name, _new(name))
        session.commit()
    finally:
        tried(session.abort)  # refused where the commit has ended the transaction already


def _in_a_group(made: Bench) -> None:
    GroupSnapshot(made.machine).group_snapshot([SnapshotDev(name, _new(name)) for name in made.names])


def _pairs() -> tuple[int, int]:
    """Try every move in every state of a session; return how many were made and how many refused."""
    legal = refused = 0
    for state in State:
        for move in Move:
            client = Client("one")
            session = Session(state, None if state is State.IDLE else client)
            try:
                session.move(move, client)
                legal += session.state is TABLE[state, move]
            except UndefinedError:
                refused += session.state is state
    return legal, refused


def single_command_must_change() -> Found:
    """P6: history; the proxy runs the same command in and out of a session."""
    outside, inside = bench(Profile.HARDENED), bench(Profile.HARDENED)
    Transaction(outside.machine).snapshot("d0", _new("d0"))
    session = Transaction(inside.machine)
    session.start()
    session.snapshot("d0", _new("d0"))
    moved = [made.tops()[0] == _new("d0") for made in (outside, inside)]
    made_there = [made.disk.exists(_new("d0")) for made in (outside, inside)]
    busy = [made.machine.device("d0").user is not None for made in (outside, inside)]
    return Found(
        None,
        None,
        f"About the code of 2012. Here the command, with the same arguments, outside and inside: makes the "
        f"overlay {_words(made_there)}, switches the disk {_words(moved)}, reserves it {_words(busy)}.",
        {"differences": sum(one != other for one, other in (moved, made_there, busy))},
    )


def _words(both: list[bool]) -> str:
    return "/".join("yes" if one else "no" for one in both)
