"""From a case at rest to evidence: what there is (`aftermath`), held against what was wanted and promised.

Nothing breaks any more.
"""

from collections.abc import Iterator, Mapping

import attrs

from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.jobs.job import run_jobs
from blockops.lab.aftermath import Aftermaths, look, remembered_aftermath
from blockops.lab.case import Case
from blockops.lab.crossroads import crossroads_after_crash
from blockops.lab.evidence import Ending, Evidence, Shown
from blockops.lab.execution import JOBS_END, Execution
from blockops.lab.faults.pace import NoFault
from blockops.lab.hypervisor import Hypervisor
from blockops.lab.images import image_facts
from blockops.lab.instants import Instant
from blockops.lab.interleaving.ordered import execution_of
from blockops.lab.probing import probe
from blockops.lab.reading import digests, read_image
from blockops.management.careful import attempt
from blockops.management.desk import Answer, Channel, Desk, local_channel
from blockops.management.wish import DiskWish
from blockops.steps import Steps, run


def gather(execution: Execution, remembered: Aftermaths | None = None) -> Evidence:
    """Fill in the evidence of a case that has come to rest, and return it.

    *remembered*: what came of equal disks in cases of the same setting that were killed, too; added to.
    """
    evidence, hypervisor = execution.evidence, execution.hypervisor
    evidence.books, evidence.manager_steps = _books(execution), execution.manager_steps
    if hypervisor is None:
        _at_the_crash(execution)
        found = remembered_aftermath(execution, {} if remembered is None else remembered)
        evidence.unsteady = found.unsteady
    else:
        found = look(execution, hypervisor)
    evidence.live, evidence.reopened = found.live, found.reopened
    evidence.rest, evidence.told = found.rest, found.told
    evidence.disk, evidence.digests_after = found.disk, found.digests
    if any(exchange.error is not None and exchange.hits for exchange in evidence.exchanges):
        evidence.errors_anyway = _errors_anyway(execution.case)
    if hypervisor is not None:
        evidence.tops, evidence.opened = hypervisor.tops(), hypervisor.opened()
    evidence.targets = _targets(evidence)
    evidence.instants, evidence.switches = _instants(evidence), _switches(evidence)
    if not execution.case.contestant.entry.real:  # what a real QEMU breaks is a finding, not our core's doing
        evidence.broken = (*found.unwritten, *_misread(evidence), *_corrupted(evidence))
    if hypervisor is not None:
        if _to_be_probed(evidence):
            evidence.stuck = probe(hypervisor)
        evidence.unsteady = evidence.unsteady or _recovered_again(execution, hypervisor)
        hypervisor.folder.close_all()
    return evidence


def _at_the_crash(execution: Execution) -> None:
    """Note what there is before anybody recovers."""
    evidence, disk = execution.evidence, execution.disk
    if evidence.power_lost:
        evidence.kept = dict(_switched_to(evidence, disk))
    evidence.crossroads = crossroads_after_crash(evidence, disk)


def _errors_anyway(case: Case) -> frozenset[str]:
    """Return what the error replies say that come without any fault: the action "abort" of a list has one."""
    setting = f"{case.contestant.id}/{case.setting}/{case.order}"
    if setting not in _known_errors:
        execution = execution_of(attrs.evolve(case, fault=NoFault()))
        execution.go()
        exchanges = execution.evidence.exchanges
        _known_errors[setting] = frozenset(one.error for one in exchanges if one.error is not None)
    return _known_errors[setting]


_known_errors: dict[str, frozenset[str]] = {}


def _books(execution: Execution) -> dict[str, str]:
    """Read from the disk which image management's configuration names for each device, as it stands now."""
    desk = execution.desk()
    return {device: image.path for device, image in desk.configuration().items()}


def _to_be_probed(evidence: Evidence) -> bool:
    """Whether there was trouble that is over now."""
    fault = evidence.case.fault
    struck = bool(evidence.hits) or not fault.armed_from
    return fault.passes and struck


def _misread(evidence: Evidence) -> Iterator[str]:
    """Yield the reads that one node answered wrongly although one handle alone wrote its images."""
    for sentence, images in evidence.history.same_node:
        if not any(path in evidence.doubled for path in images):
            yield sentence


def _corrupted(evidence: Evidence) -> tuple[str, ...]:
    """Return the images that are corrupt although one handle alone wrote them: the core's own doing."""
    suspects = [path for path in evidence.opened if path not in evidence.doubled]
    facts = ((path, image_facts(evidence.disk, path)) for path in suspects)
    return tuple(
        f"{path} is corrupt: {found.corruptions[0]}" for path, found in facts if found and found.corruptions
    )


def _switched_to(evidence: Evidence, disk: MemoryDisk) -> Iterator[tuple[int, Shown]]:
    """Yield each device that shows what a command switched it to with success, and how that reads now."""
    for number, top in enumerate(evidence.tops):
        done = [
            one.after[number]
            for one in evidence.exchanges
            if one.succeeded and one.after[number] != one.before[number]
        ]
        if top is not None and done and done[-1] is not None and done[-1].split(" mirrored onto ")[0] == top:
            yield number, read_image(disk, top, evidence.case.world.size)


def _recovered_again(execution: Execution, hypervisor: Hypervisor) -> str | None:
    """Recover once more where that has been done; return what has changed by it, None if nothing."""
    evidence, books = execution.evidence, execution.desk().configuration()
    if evidence.ending is not Ending.RECOVERED:
        return None
    evidence.booked = {device: image.path for device, image in books.items()}
    before = hypervisor.faces(), digests(execution.disk), books
    desk = Desk(
        MemoryFolder(execution.disk), _channel_to(hypervisor), volumes=execution.case.world.volume_names()
    )
    failure = run(attempt(execution.case.contestant.recover(desk, execution.case.wish)))
    after = hypervisor.faces(), digests(execution.disk), desk.configuration()
    names = ("what is shown", "the files", "the configuration")
    changed = [name for name, one, two in zip(names, before, after, strict=True) if one != two]
    return ", ".join([*changed, *([str(failure)] if failure else [])]) or None


def _channel_to(hypervisor: Hypervisor) -> Channel:
    """Return a channel to a hypervisor at rest, whose jobs go on as far as they can after each command."""
    send = local_channel(hypervisor.connection.server.connect("management"))

    def stepping(command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
        answer = yield from send(command, arguments)
        run_jobs(hypervisor.machine, JOBS_END)
        return answer

    return stepping


def _targets(evidence: Evidence) -> dict[int, Shown]:
    """Read from the disk what each device is mirrored onto as wanted; with a device its mirror is gone."""
    world = evidence.case.world
    expected = evidence.case.expectations
    return {
        number: read_image(evidence.disk, path, world.size)
        for number, (one, shown) in enumerate(zip(expected, evidence.live, strict=True))
        if (path := one.mirrored_onto) is not None and path in shown.mirrors and not evidence.is_gone(number)
    }


def _instants(evidence: Evidence) -> dict[int, Instant]:
    """Return the point-in-time images: what was left behind of each device that moved on.

    Of a device that is to be mirrored it is what it showed when that began.
    """
    found: dict[int, Instant] = {}
    world = evidence.case.world
    expected = evidence.case.expectations
    for number, (disk, wanted) in enumerate(zip(world.disks(), expected, strict=True)):
        if wanted.mirrored_onto is not None:
            began = evidence.mirrored.get((disk.device, wanted.mirrored_onto))
            instant: Instant | None = began
        else:
            instant = _left_behind(evidence, disk, evidence.tops[number])
        if instant is not None:
            found[number] = instant
    return found


def _left_behind(evidence: Evidence, disk: DiskWish, top: str | None) -> bytes | None:
    """Read the old image, or its copy, of a device that shows something else by now."""
    if top is None or top == disk.old.path:
        return None
    path = next((path for path in (disk.old.path, disk.target_base) if evidence.disk.exists(path)), None)
    image = None if path is None else read_image(evidence.disk, path, evidence.case.world.size)
    return None if image is None or image.problem is not None else image.data


def _switches(evidence: Evidence) -> dict[int, Instant]:
    """Return when each device came to show the image that it had been mirrored onto."""
    shown = enumerate(zip(evidence.case.world.disks(), evidence.tops, strict=True))
    return {
        number: evidence.left[disk.device, top]
        for number, (disk, top) in shown
        if top is not None and (disk.device, top) in evidence.left
    }
