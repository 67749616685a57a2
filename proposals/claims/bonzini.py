"""The claims about the session transaction (Paolo Bonzini)."""

from collections.abc import Callable

import attrs

from blockops.commands.profile import Profile
from blockops.errors import UndefinedError
from blockops.qmp.command import Client
from proposals.catalogue import ENTRIES
from proposals.claims import code
from proposals.claims.bench import (
    DESTINATION,
    SIZE,
    Bench,
    bench,
    broken_everywhere,
    differing,
    tried,
)
from proposals.claims.claim import Found
from proposals.claims.trial import HANDLES, LASTING, ONCE, deaths, trial, trials
from proposals.transaction import Transaction
from proposals.transaction.state import TABLE, Move, Session, State

ENTRY = {entry.id: entry for entry in ENTRIES}

# ------------------------------------------------------------------------------------------------- P1


@attrs.frozen
class Sort:
    """One sort of action: *prepare* what it needs beforehand, *queue* it, and tell how devices *look*."""

    prepare: Callable[[Bench, str], None]
    queue: Callable[[Transaction, str], None]
    look: Callable[[Bench], tuple[object, ...]]


def _nothing(made: Bench, name: str) -> None:
    """Nothing is needed beforehand."""


def _new(name: str) -> str:
    return f"/vm/{name}-new.qcow2"


SORTS = {
    "snapshot": Sort(_nothing, lambda t, name: t.snapshot(name, _new(name)), Bench.tops),
    "reopen": Sort(
        lambda made, name: made.make(_new(name), backing=f"/vm/{name}.qcow2"),
        lambda t, name: t.reopen(name, _new(name), "qcow2"),
        Bench.tops,
    ),
    "mirror": Sort(
        lambda made, name: made.make(_new(name), backing=f"/vm/{name}.qcow2"),
        lambda t, name: t.mirror(name, _new(name), "qcow2"),
        Bench.tops,
    ),
}
"""The three operations that the page lists inside a transaction."""


@attrs.frozen
class Matrix:
    """How the broken transactions of one sort of action ended."""

    cases: int
    mixed: int
    accepted: bool


def uniform() -> Found:
    """P1: a transaction of two actions of each sort, broken at every host operation."""
    hardened = {name: _matrix(sort, Profile.HARDENED) for name, sort in SORTS.items()}
    posted = {name: _matrix(sort, Profile.AS_POSTED) for name, sort in SORTS.items()}
    accepted = [name for name, found in hardened.items() if found.accepted]
    mixed = {name: found.mixed for name, found in hardened.items()}
    return Found(
        confirms=len(accepted) == len(SORTS) and len(set(mixed.values())) == 1,
        refutes=len(accepted) < len(SORTS) or len({bool(number) for number in mixed.values()}) > 1,
        sentence=(
            f"A transaction takes {len(accepted)} of {len(SORTS)} sorts of action; with one operation of the "
            f"host failing it ends with one disk changed and one not, hardened: {_told(hardened)}; as "
            f"posted: "
            f"{_told(posted)}."
        ),
        figures={f"hardened, {name}: half done": found.mixed for name, found in hardened.items()}
        | {f"as posted, {name}: half done": found.mixed for name, found in posted.items()},
        cases=(
            "transaction.hardened.careful/group-snapshot-2/no-fault",
            "transaction.hardened.careful/switch-many-2/no-fault",
        ),
    )


def _told(matrices: dict[str, Matrix]) -> str:
    return ", ".join(f"{name} {one.mixed} of {one.cases}" for name, one in matrices.items())


def _matrix(sort: Sort, profile: Profile) -> Matrix:
    def arrange(made: Bench) -> None:
        for name in made.names:
            sort.prepare(made, name)

    def attempt(made: Bench) -> None:
        session = Transaction(made.machine, profile)
        session.start()
        try:
            for name in made.names:
                sort.queue(session, name)
            session.commit()
        finally:
            tried(session.abort)  # refused where the commit has ended the transaction already

    sound = bench(profile)
    before = sort.look(sound)
    arrange(sound)
    accepted = tried(lambda: attempt(sound)) is None
    after = sort.look(sound)
    ends = [sort.look(broken) for broken in broken_everywhere(profile, attempt, arrange)]
    return Matrix(len(ends), sum(end not in (before, after) for end in ends), accepted and before != after)


# ------------------------------------------------------------------------------------------------- P2


def ovirt() -> Found:
    """P2: snapshot and mirror in one transaction, copy, reopen: in order, reversed, and as two commands."""
    straight = _migrated(_snapshot, _mirror)
    turned = _migrated(_mirror, _snapshot)
    apart = _target_made_apart()
    end = trial("transaction.hardened.careful/migrate-many-2/no-fault")
    whole = not end.breaks(*end.judgements)
    return Found(
        confirms=straight == 0 and whole,
        refutes=straight != 0 or not whole,
        sentence=(
            f"Snapshot then mirror, committed together, then copy and reopen: {straight} bytes of the moved "
            f"disk differ from what the guest wrote. The order matters: mirror then snapshot, {turned} bytes "
            f"differ. As two commands a target that the mirror makes stands on {apart}."
        ),
        figures={"in order: bytes that differ": straight, "reversed: bytes that differ": turned},
        cases=(end.case,),
    )


def _snapshot(session: Transaction) -> None:
    session.snapshot("d0", _new("d0"))


def _mirror(session: Transaction) -> None:
    session.mirror("d0", _leaf("d0"))


def _leaf(name: str) -> str:
    return f"{DESTINATION}/{name}-leaf.qcow2"


def _migrated(*queued: Callable[[Transaction], None]) -> int:
    """Migrate a disk, with these commands in one transaction.

    Return the number of bytes in which the destination differs from what the guest saw.
    """
    made = bench(Profile.HARDENED, devices=1)
    made.make(_leaf("d0"), backing=f"{DESTINATION}/d0.qcow2")
    session = Transaction(made.machine)
    session.start()
    for queue in queued:
        queue(session)
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
    """P5: what the session adds, every pair of state and move tried, and what it reuses."""
    group, session = (ENTRY["group-snapshot"], ENTRY["transaction"])
    added = (code.states(session) or 0) - (code.states(group) or 0)
    own, shared = code.shared_with(group, session)
    legal, refused = _pairs()
    return Found(
        confirms=added > 0 and 2 * len(shared) >= len(own),
        refutes=added <= 0 or 2 * len(shared) < len(own),
        sentence=(
            f"The session adds {added} states between commands; of its pairs of state and move {legal} are "
            f"legal and {refused} are refused and change nothing. {len(shared)} of the {len(own)} shared "
            f"pieces "
            f"that the group snapshot is made of serve the session unchanged."
        ),
        figures={
            "states added": added,
            "legal moves": legal,
            "refused moves": refused,
            "pieces of the group": len(own),
            "reused": len(shared),
        },
        cases=("transaction.hardened.careful/give-up-2/no-fault",),
    )


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
