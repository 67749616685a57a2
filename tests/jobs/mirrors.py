"""A machine with a mirror on d0, and what was told of it."""

import errno
from collections.abc import Iterator

import attrs

from blockops.commands.block_jobs import query_block_jobs
from blockops.commands.mirror_job import DriveMirrorJob, complete_mirror, start_mirror
from blockops.commands.profile import Mode, Profile
from blockops.jobs.job import run_jobs
from blockops.jobs.mirror import MirrorJob, OnError, Sync
from blockops.steps import run
from tests.commands.worlds import CLUSTER, SIZE, World, make_world

TARGET = "/vm/dst/t0.qcow2"


@attrs.define(eq=False)
class Mirrors:
    """A world, and the events of its jobs in order."""

    world: World
    told: list[tuple[str, dict[str, object]]] = attrs.field(factory=list)

    def start(
        self,
        sync: Sync = Sync.FULL,
        *,
        device: str = "d0",
        target: str = TARGET,
        format: str | None = None,
        mode: Mode | None = None,
        on_source_error: OnError = OnError.REPORT,
        on_target_error: OnError = OnError.REPORT,
    ) -> MirrorJob:
        """Start a mirror as the command does, and return its job."""
        wanted = DriveMirrorJob(device, target, sync, format, mode, on_source_error, on_target_error)
        run(start_mirror(self.world.machine, self.world.profile, wanted, self.tell))
        return self.job(device)

    def job(self, device: str = "d0") -> MirrorJob:
        (found,) = [one for one in self.world.machine.background if one.device == device]
        assert isinstance(found, MirrorJob)
        return found

    def tell(self, name: str, data: object) -> None:
        self.told.append((name, dict(data)))  # type: ignore[call-overload]

    def events(self) -> list[str]:
        return [name.removeprefix("BLOCK_JOB_") for name, _ in self.told]

    def complete(self, job: MirrorJob) -> None:
        run(complete_mirror(self.world.machine, self.world.profile, job))

    def rest(self) -> None:
        """Step the jobs until each is ready, paused or gone."""
        run_jobs(self.world.machine)

    def steps(self, number: int) -> None:
        """Take so many steps of every job."""
        for _ in range(number):
            for job in tuple(self.world.machine.background):
                job.step()

    def copied(self, target: str = TARGET) -> bytes:
        """What the target reads as from its header alone."""
        return self.world.content(target, SIZE)

    def shown(self, device: str = "d0") -> bytes:
        top = self.world.machine.devices[device].top
        assert top is not None
        return top.read(0, SIZE)

    def steps_of(self, job: MirrorJob) -> Iterator[object]:
        """Step one job until it has ended."""
        while job in self.world.machine.background:
            yield job.step()


def mirrors(profile: Profile = Profile.AS_POSTED, devices: int = 1) -> Mirrors:
    """Return a machine whose d0 has something in the first, third and last of its clusters."""
    world = make_world(profile, devices)
    for cluster in (2, SIZE // CLUSTER - 1):
        world.device().write(cluster * CLUSTER, b"%d" % cluster * 100)
    world.host.log.clear()
    return Mirrors(world)


def break_it(here: Mirrors, operation: str, path: str, code: int = errno.EIO, times: int | None = 1) -> None:
    here.world.host.fail(operation, path, code=code, times=times)


def query(here: Mirrors) -> list[dict[str, object]]:
    return run(query_block_jobs(here.world.machine))


__all__ = [
    "CLUSTER",
    "SIZE",
    "TARGET",
    "Mirrors",
    "Mode",
    "OnError",
    "Profile",
    "Sync",
    "break_it",
    "mirrors",
    "query",
]
