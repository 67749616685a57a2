"""What clients may ask of jobs (QEMU's QAPI schema: `block-job-…`, `query-block-jobs`)."""

from collections.abc import Callable

import pytest

from blockops.commands.block_jobs import (
    CancelJob,
    OfJob,
    cancel_job,
    pause_job,
    query_block_jobs,
    resume_job,
)
from blockops.errors import DeviceNotActive
from blockops.machine import Machine
from blockops.steps import Steps, run
from tests.jobs.mirrors import SIZE, Mirrors, mirrors


@pytest.fixture
def here() -> Mirrors:
    return mirrors()


ON_A_JOB: list[Callable[[Machine], Steps[None]]] = [
    lambda machine: cancel_job(machine, CancelJob("d0")),
    lambda machine: pause_job(machine, OfJob("d0")),
    lambda machine: resume_job(machine, OfJob("d0")),
]


@pytest.mark.parametrize("command", ON_A_JOB)
def test_a_device_without_a_job_has_none_to_be_asked(
    here: Mirrors, command: Callable[[Machine], Steps[None]]
) -> None:
    with pytest.raises(DeviceNotActive):
        run(command(here.world.machine))


def test_a_row_says_how_far_a_job_is(here: Mirrors) -> None:
    here.start()
    assert run(query_block_jobs(here.world.machine)) == [
        {
            "type": "mirror",
            "device": "d0",
            "len": 0,
            "offset": 0,
            "speed": 0,
            "busy": True,
            "paused": False,
            "io-status": "ok",
            "ready": False,
            "status": "running",
        }
    ]
    here.rest()
    (row,) = run(query_block_jobs(here.world.machine))
    assert (row["len"], row["offset"], row["ready"], row["status"]) == (SIZE, SIZE, True, "ready")


def test_what_clients_ask_takes_effect_at_the_job_s_own_pace(here: Mirrors) -> None:
    machine = here.world.machine
    job = here.start()
    run(pause_job(machine, OfJob("d0")))
    here.rest()
    assert run(query_block_jobs(machine))[0]["status"] == "paused"
    run(resume_job(machine, OfJob("d0")))
    here.rest()
    run(cancel_job(machine, CancelJob("d0", force=True)))
    assert here.events() == ["READY"]
    here.rest()
    assert here.events() == ["READY", "CANCELLED"]
    assert job not in machine.background
