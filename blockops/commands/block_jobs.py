"""What clients may ask of jobs: `block-job-…` and `query-block-jobs`, in QMP's words."""

import attrs

from blockops.errors import DeviceNotActive
from blockops.jobs.job import Job
from blockops.jobs.state import State
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps


@attrs.frozen
class OfJob:
    """Arguments of a command on the job of one device."""

    device: str


@attrs.frozen
class CancelJob:
    """Arguments of `block-job-cancel`; *force*: end at once, even where the job is ready."""

    device: str
    force: bool = False


def job_of(machine: Machine, device: str) -> Job:
    """Return the job of the device of that name, or raise `DeviceNotActive`."""
    for work in machine.background:
        if work.device == device and isinstance(work, Job):
            return work
    raise DeviceNotActive(device)


def query_block_jobs(machine: Machine) -> Steps[list[dict[str, object]]]:
    """Return one row a job, oldest first; a job that has ended has none, however it ended."""
    yield Step(Phase.CHECK, "jobs")
    return [_row(work) for work in machine.background if isinstance(work, Job)]


def _row(job: Job) -> dict[str, object]:
    resting = job.state in (State.PAUSED, State.STANDBY)
    return job.facts() | {
        "busy": not resting,
        "paused": resting or job.user_paused,
        "io-status": job.io_status,
        "ready": job.ready,
        "status": job.state.value,
    }


def cancel_job(machine: Machine, wanted: CancelJob) -> Steps[None]:
    """Ask a job to end; it ends later, at its own pace, and an event tells how."""
    job_of(machine, wanted.device).cancel(force=wanted.force)
    yield Step(Phase.CHECK, wanted.device)


def pause_job(machine: Machine, wanted: OfJob) -> Steps[None]:
    """Let a job rest from its next pause point on."""
    job_of(machine, wanted.device).pause()
    yield Step(Phase.CHECK, wanted.device)


def resume_job(machine: Machine, wanted: OfJob) -> Steps[None]:
    """Let a job go on that a client or an error has paused."""
    job_of(machine, wanted.device).resume()
    yield Step(Phase.CHECK, wanted.device)
