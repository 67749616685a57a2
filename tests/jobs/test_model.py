"""A mirror under a guest that writes and hosts that fail, against a model: flat bytes for the guest's disk.

Whatever the order of the guest's requests, the job's steps and what clients ask for: the guest sees its own
writes and no error but of its own image; a completed mirror shows the same bytes, and a mirror cancelled at
ready leaves a target that is what the guest saw at one moment.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blockops.commands.profile import Profile
from blockops.device import Operation, Request
from blockops.jobs.mirror import MirrorJob, OnError, Sync
from blockops.jobs.state import State
from tests.jobs.mirrors import CLUSTER, SIZE, Mirrors, mirrors

RANGES = st.tuples(
    st.integers(0, SIZE // 512 - 1), st.integers(1, 2 * CLUSTER // 512), st.sampled_from(b"abc\0")
)


class AMirror(RuleBasedStateMachine):
    """One device, and one mirror of it after the other."""

    here: Mirrors
    model: bytearray
    job: MirrorJob | None = None
    moment: bytes | None = None
    target = ""
    started = 0
    wanted = ""

    @initialize(profile=st.sampled_from(list(Profile)), format=st.sampled_from(["qcow2", "raw"]))
    def begin(self, profile: Profile, format: str) -> None:
        self.here = mirrors(profile)
        self.format = format
        self.model = bytearray(self.here.shown())
        self.in_flight: list[Request] = []

    # -------------------------------------------------------------------------------------- the guest

    @rule(where=RANGES, zeroes=st.booleans())
    def submit(self, where: tuple[int, int, int], zeroes: bool) -> None:
        sector, count, letter = where
        length = min(count * 512, SIZE - sector * 512)
        operation = Operation.WRITE_ZEROES if zeroes else Operation.WRITE
        request = Request(operation, sector * 512, length, bytes([0 if zeroes else letter]) * length)
        self.here.world.device().submit(request)
        self.in_flight.append(request)

    @rule(which=st.integers(0, 9))
    def finish_one(self, which: int) -> None:
        device = self.here.world.device()
        if not device.in_flight:
            return
        request = device.in_flight[which % len(device.in_flight)]
        device.complete(request)
        assert request.error is None
        self.in_flight.remove(request)
        self.model[request.offset : request.offset + request.length] = request.data

    # ---------------------------------------------------------------------------------------- the job

    @precondition(lambda self: self.job is None)
    @rule(sync=st.sampled_from(list(Sync)))
    def start(self, sync: Sync) -> None:
        self._drain()
        self.started += 1
        self.target = f"/vm/dst/t{self.started}.{self.format}"
        raw_over_something = self.format == "raw" and sync is not Sync.FULL
        self.job = self.here.start(
            Sync.FULL if raw_over_something else sync,
            target=self.target,
            format=self.format,
            on_source_error=OnError.IGNORE,
            on_target_error=OnError.STOP,
        )
        self.moment, self.wanted = None, ""

    @precondition(lambda self: self.job is not None)
    @rule(number=st.integers(1, 12))
    def step(self, number: int) -> None:
        for _ in range(number):
            if self.job is not None:
                self._one_step(self.job)

    @precondition(lambda self: self.job is not None and self.job.state is State.READY)
    @rule()
    def complete(self) -> None:
        assert self.job is not None
        if not self.job.cancelling:
            self.here.complete(self.job)
            self.wanted = "complete"

    @precondition(lambda self: self.job is not None and not self.wanted)
    @rule(force=st.booleans())
    def cancel(self, force: bool) -> None:
        assert self.job is not None
        self.wanted = "drop" if force or not self.job.ready else "copy"
        self.job.cancel(force=force)

    @precondition(lambda self: self.job is not None)
    @rule(pause=st.booleans())
    def pause_or_resume(self, pause: bool) -> None:
        assert self.job is not None
        if pause:
            self.job.pause()
        else:
            self.job.resume()

    @precondition(lambda self: self.job is not None)
    @rule(operation=st.sampled_from(["write", "flush", "truncate"]), skip=st.integers(0, 3))
    def trouble_at_the_target(self, operation: str, skip: int) -> None:
        self.here.world.host.fail(operation, self.target, times=1, skip=skip)

    # ------------------------------------------------------------------------------------ what must hold

    def _one_step(self, job: MirrorJob) -> None:
        was_ready = job.ready
        job.step()
        if job.ready and not was_ready:
            assert job.node.dirty.count == 0
            self._assert_the_target_is_what_the_guest_sees()
        if job.state is State.NULL:
            self._ended()

    def _ended(self) -> None:
        self.job = None
        self.here.world.host.faults.clear()
        events = self.here.events()
        top = self.here.world.machine.devices["d0"].top
        assert top is not None
        if self.wanted == "complete":
            assert (events[-1], top.source.path) == ("COMPLETED", self.target)
            self._assert_the_target_is_what_the_guest_sees()
        elif self.wanted == "copy":
            assert events[-1] == "COMPLETED"
            self.moment = bytes(self.model)
            self.here.world.device().flush()  # it may rest on the source, which is not flushed for it
            self._assert_the_target_is_what_the_guest_sees()
        else:
            assert (self.wanted, events[-1]) == ("drop", "CANCELLED")

    def _assert_the_target_is_what_the_guest_sees(self) -> None:
        job = self.job
        if job is not None and job.node.target.backing is None and job.sync is not Sync.FULL:
            return  # what its header names is opened when it completes
        assert self.here.copied(self.target) == bytes(self.model)

    def _drain(self) -> None:
        while self.here.world.device().in_flight:
            self.finish_one(0)

    @invariant()
    def the_guest_sees_its_writes(self) -> None:
        assert self.here.shown() == bytes(self.model)

    @invariant()
    def a_copy_of_one_moment_stays_so(self) -> None:
        if self.moment is not None and not self._rests_on_the_source():
            assert self.here.copied(self.target) == self.moment

    def _rests_on_the_source(self) -> bool:
        """Whether the copy was made over the very image that the guest goes on writing to."""
        recorded = self.here.world.recorded(self.target)
        top = self.here.world.machine.devices["d0"].top
        return recorded is not None and top is not None and recorded[0] == top.source.path


TestAMirror = AMirror.TestCase
TestAMirror.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
