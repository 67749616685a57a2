"""Laws about what is left standing: released, sound, tidy, same after reopen, progress."""

from collections.abc import Iterator

from blockops.lab.evidence import Ending, Evidence
from blockops.lab.images import beside, chain_on_disk, image_facts
from blockops.lab.laws.atomicity import members
from blockops.lab.laws.judgement import HELD, NOT_EXERCISED, Judgement, held_unless, violated
from blockops.management.desk import Replied
from blockops.management.use_cases import OwedFile

Problem = tuple[str, str]


def released(evidence: Evidence) -> Judgement:
    """Nothing is held back, reserved, mirrored or kept open when all has come to rest."""
    if evidence.killed or not (evidence.gate_closed or evidence.began):
        return NOT_EXERCISED
    return held_unless(_held(evidence))


def _held(evidence: Evidence) -> Iterator[Problem]:
    for sentence in evidence.rest.held_back:
        yield sentence, "held back"
    for sentence in evidence.rest.reserved:
        yield sentence, "reserved"
    yield from _dangling_mirrors(evidence)
    for sentence in evidence.rest.handles:
        yield sentence, "handle"
    if evidence.ending is Ending.STUCK:
        yield "management waits for an answer that never comes", "stuck"


def _dangling_mirrors(evidence: Evidence) -> Iterator[Problem]:
    """Yield every mirror but those that somebody wants: of a whole new state, or after success.

    Nobody would ever end the others.  A job that ends after success leaves its device alone; that is not
    the doing of those that go on.
    """
    wanted = set(members(evidence)) == {"new"} or evidence.ending is Ending.SUCCEEDED
    for number, (expected, shown) in enumerate(zip(evidence.case.expectations, evidence.live, strict=True)):
        for target in () if evidence.is_gone(number) else shown.mirrors:
            if not (wanted and target == expected.mirrored_onto):
                yield f"d{number} is still mirrored onto {target}", "mirrored"


def sound(evidence: Evidence) -> Judgement:
    """Images that are reachable or owed: no corruption; size, backing and format as intended."""
    return held_unless(_unsound(evidence))


def reachable(evidence: Evidence) -> list[str]:
    """Return the images that a device shows or rests on, by the headers on the disk, each once."""
    tops = [shown.top for shown in evidence.live if shown.top is not None]
    return list(dict.fromkeys(path for top in tops for path in chain_on_disk(evidence.disk, top)))


def _owed(evidence: Evidence) -> list[OwedFile]:
    if evidence.ending is not Ending.SUCCEEDED:
        return []
    return [
        file
        for number, expected in enumerate(evidence.case.expectations)
        for file in expected.owed
        if not evidence.is_gone(number)
    ]


def _tolerated(evidence: Evidence) -> set[str]:
    """Return what may lie there beside the files in use: those owed, or after an error those excused."""
    if evidence.ending is Ending.SUCCEEDED:
        return {file.path for file in _owed(evidence)}
    return {file.path for expected in evidence.case.expectations for file in expected.may_remain_after_error}


def _of_the_gone(evidence: Evidence) -> set[str]:
    """Return the images of devices that are gone: nobody can tell any more which of them hold their data."""
    disks = [disk for number, disk in enumerate(evidence.case.world.disks()) if evidence.is_gone(number)]
    return {path for disk in disks for path in (disk.old.path, disk.overlay, disk.target_base, disk.target)}


def _unsound(evidence: Evidence) -> Iterator[Problem]:
    owed = _owed(evidence)
    for path in dict.fromkeys([*reachable(evidence), *(file.path for file in owed)]):
        facts = image_facts(evidence.disk, path)
        if facts is None:
            yield f"{path} is missing", "missing"
        elif facts.corruptions:
            yield f"{path} is corrupt: {facts.corruptions[0]}", "corrupt"
    for number, expected in enumerate(evidence.case.expectations):
        for file in expected.owed if owed and not evidence.is_gone(number) else ():
            yield from _not_as_intended(evidence, number, file)


def _not_as_intended(evidence: Evidence, number: int, file: OwedFile) -> Iterator[Problem]:
    facts = image_facts(evidence.disk, file.path)
    if facts is None:
        return
    compared = [("format", facts.format, file.format), ("size", facts.size, evidence.sizes[number])]
    if not file.layered_freely:
        backing = None if facts.backing_file is None else beside(file.path, facts.backing_file)
        recorded = facts.backing_format or file.backing_format
        compared += [("backing", backing, file.backing), ("backing format", recorded, file.backing_format)]
    for what, found, intended in compared:
        if found != intended:
            yield f"{file.path}: its {what} is {found} instead of {intended}", what


def tidy(evidence: Evidence) -> Judgement:
    """The files are those from before and those owed; nobody's file was overwritten."""
    if not evidence.replied or evidence.killed:
        return NOT_EXERCISED
    return held_unless(_untidy(evidence))


def _untidy(evidence: Evidence) -> Iterator[Problem]:
    before, after = evidence.digests_before, evidence.digests_after
    used = {*reachable(evidence), *evidence.opened}
    expected, volumes = evidence.case.expectations, evidence.case.world.volume_names()
    files_of_devices = {path for one in expected for path in (*one.old_tops, *one.new_tops)}
    for path in before:
        if path in files_of_devices and path not in _foreign(evidence) and path not in volumes:
            continue
        if path not in after:
            yield f"{path}, which was there before, is gone", "gone"
        elif path in volumes:  # management's to fill
            continue
        elif before[path] != after[path] and path not in used:
            yield f"{path}, which was there before, was overwritten", "overwritten"
        elif path in _foreign(evidence) and before[path] != after[path]:
            yield f"{path}, somebody else's file, was overwritten", "overwritten"
    yield from _leftovers(evidence, used)


def _foreign(evidence: Evidence) -> set[str]:
    """Return the files that were in the way of a new image."""
    overlays = {disk.overlay for disk in evidence.case.world.disks()}
    return overlays.intersection(evidence.digests_before) - evidence.case.world.volume_names()


def _leftovers(evidence: Evidence, used: set[str]) -> Iterator[Problem]:
    done = evidence.ending is Ending.SUCCEEDED
    for expected in evidence.case.expectations:
        for path in expected.removed if done else ():
            if path in evidence.digests_after and path not in _of_the_gone(evidence):
                yield f"{path} was to be removed and is still there", "not removed"
    allowed = used | set(evidence.digests_before) | _tolerated(evidence) | _of_the_gone(evidence)
    for path in evidence.digests_after:
        if path not in allowed and not _removal_failed(evidence, path):
            yield f"{path} was left behind", "left behind"


def _removal_failed(evidence: Evidence, path: str) -> bool:
    """Whether its removal was what failed, and an error that management saw says so."""
    tried = any(hit.operation == "unlink" and hit.path == path for hit in evidence.hits)
    answers = [exchange.answer for exchange in evidence.exchanges]
    replies = [answer.desc or "" for answer in answers if isinstance(answer, Replied)]
    return tried and any(path in text for text in [evidence.failure, *replies])


def same_after_reopen(evidence: Evidence) -> Judgement:
    """The chain that a reopen from the disk gives equals the live one, filters aside."""
    if evidence.killed:
        return NOT_EXERCISED
    return held_unless(_different_chains(evidence))


def _different_chains(evidence: Evidence) -> Iterator[Problem]:
    for number, (live, again) in enumerate(zip(evidence.live, evidence.reopened, strict=True)):
        if live.top is not None and again.problem is not None:
            yield f"d{number} shows {live.top}, which does not open again: {again.problem}", "does not open"
        elif live.top is not None and live.chain != again.chain:
            yield (
                f"d{number} rests on {' → '.join(live.chain)}, after a reopen on {' → '.join(again.chain)}",
                "other chain",
            )


def progress(evidence: Evidence) -> Judgement:
    """Once the trouble is over, the next operation on every device succeeds."""
    if evidence.stuck is None:
        return NOT_EXERCISED
    if not evidence.stuck:
        return HELD
    sentences, sorts = zip(*evidence.stuck, strict=True)
    return violated("; ".join(sentences), ", ".join(sorted(set(sorts))))
