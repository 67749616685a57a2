"""Running one case: a deterministic scheduler over management, the hypervisor and the guest.

Two sides take turns as the world's schedule says.  The *operation* side is the command that the
hypervisor is carrying out or else, while no command runs, the management program.  The *guest* side is
its lanes, one step each in turn.  After each step of the operation each job takes one, and at the end the
jobs go on until none has anything to do.  Nothing else decides who runs: no clock, no chance.

    before     the guest works alone; nothing is counted yet
    operation  management begins; host operations and steps are counted, the fault is armed
    after      management has ended; the guest goes on for a while, then lets its requests end
    at rest    nothing breaks any more; what there is becomes evidence (`gathering`)
"""

import itertools
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from blockops.errors import BlockError
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.case import Case
from blockops.lab.condition import Condition
from blockops.lab.evidence import Ending, Evidence, Exchange
from blockops.lab.guest import Lane, Runner
from blockops.lab.history import History
from blockops.lab.hosts import Clock, FaultyFolder, ProcessKilled
from blockops.lab.hypervisor import Hypervisor
from blockops.lab.mirrors import MirrorWatch
from blockops.lab.results import Event
from blockops.lab.timeline import Timeline
from blockops.lab.world import MANAGEMENT, initial_disk
from blockops.machine import Background
from blockops.management.contestant import Inexpressible
from blockops.management.desk import Answer, Desk, Lost, Replied
from blockops.steps import Phase, Step, Steps


def digests(disk: MemoryDisk) -> dict[str, bytes]:
    """Return the hash of every file but management's own."""
    names = (name for name in disk.names("/vm") if not name.startswith(MANAGEMENT))
    return {name: disk.content("read", name).digest() for name in names}


PATIENCE = 40
"""Turns without progress after which everybody waits for somebody: the case has come to rest."""

JOBS_END = 400
"""Steps that each job has at the end: one that tries again and again without success is left alone then."""

Tops: TypeAlias = tuple[str | None, ...]

Moment: TypeAlias = tuple[int, int, int, int, int, int, int, Tops]
"""What a kill leaves behind: two kills at equal moments of one run are the same case."""


@attrs.define(eq=False)
class Execution:
    """One case on its way.  *recording* keeps the list of host operations, *watched* the timeline."""

    case: Case
    recording: bool = False
    watched: bool = False
    clock: Clock = attrs.field(init=False)
    disk: MemoryDisk = attrs.field(init=False)
    evidence: Evidence = attrs.field(init=False)
    _told: Timeline = attrs.field(init=False)
    steps: int = 0
    manager_steps: int = 0
    operation_steps: int = 0
    moments: list[tuple[int, Moment]] = attrs.field(factory=list)
    jobs: list[tuple[int, str]] = attrs.field(factory=list)
    hypervisor: Hypervisor | None = attrs.field(init=False)
    _management: Steps[None] | None = None
    _command: Steps[dict[str, object]] | None = None
    _exchange: Exchange | None = None
    _mirrors: MirrorWatch = attrs.field(init=False)
    _rotation: list[Runner] = attrs.field(init=False)
    _turn: int = 0
    _idle: int = 0
    _stall: int = 0
    _moved_at: int = 0

    def __attrs_post_init__(self) -> None:
        self.clock = Clock(self.case.fault, self.recording)
        self._told = Timeline(self.case.fault, self.clock, self.watched)
        self.disk = initial_disk(self.case.world).fork()
        self.evidence = Evidence(self.case, History())
        self.hypervisor = Hypervisor.start(
            self.case,
            self.disk,
            self.clock,
            self.case.world.images(),
            self.evidence.history,
            self._guest_says,
        )
        self._mirrors = MirrorWatch(self.hypervisor.machine.graph, self.evidence.mirrored, self.evidence.left)
        self._rotation = self.hypervisor.guest.rotation()
        self.case.fault.arrange(self)
        self.evidence.digests_before = digests(self.disk)

    # ------------------------------------------------------------------------------- the four phases

    def go(self) -> None:
        """Run the case until it is at rest."""
        self._before()
        self._operation()
        self._after()
        self.case.fault.relent(self)
        self.clock.running = False
        self.clock.actor = "management"
        self.clock.disarm()
        self.evidence.hits = tuple(self.clock.hits)
        self.evidence.troubles, self.evidence.looked = self.clock.troubles, self.clock.looked
        self.evidence.way = tuple(self.clock.way)
        orphaned = () if self.clock.pages is None else self.clock.pages.orphaned
        self.evidence.doubled = (*self.clock.doubled, *orphaned)

    def _before(self) -> None:
        for _ in range(self.case.world.workload.before):
            self._step_guest()

    def _operation(self) -> None:
        wish = self.case.use_case.wish(self.case.world.disks())
        program = self.case.contestant.program(self.case.use_case.id)
        assert not isinstance(program, Inexpressible), "an inexpressible use case has no cases"
        self._management = program(self.desk(), wish)
        self.clock.running = True
        for guest_steps in itertools.cycle(self.case.world.schedule):
            if not self._busy() or self._idle > PATIENCE:
                break
            self._step_operation()
            self._step_jobs()
            self.operation_steps += 1
            self._note_jobs()
            fault, idle = self.case.fault, self._idle > 0
            for _ in range(fault.guest_steps(self.operation_steps, guest_steps, idle=idle)):
                self._step_guest()
            fault.befall(self, self.operation_steps)

    def _after(self) -> None:
        for _ in range(self.case.world.workload.after):
            self._step_jobs()
            self._step_guest()
        if self.hypervisor is not None:
            self.hypervisor.guest.active = False
        self._idle = 0
        while self._idle <= PATIENCE and not all(runner.ended for runner in self._rotation):
            self._step_jobs()
            self._step_guest()
        for _ in range(JOBS_END):
            if not self._step_jobs():
                break

    def _busy(self) -> bool:
        return self._management is not None or self._command is not None

    # ------------------------------------------------------------------------------------- one step

    def _step_operation(self) -> None:
        if self._command is not None:
            self._step_command(self._command)
        elif self._management is not None:
            self._step_management(self._management)

    def _step_command(self, command: Steps[dict[str, object]]) -> None:
        if not self._alive():
            return
        self.clock.actor = "hypervisor"
        try:
            step = next(command)
        except StopIteration as stop:
            self._answered(stop.value)
        except ProcessKilled:
            self.kill()
        else:
            self._idle = self._idle + 1 if step.waits_for is not None else 0
            if not self.evidence.gate_closed and self.hypervisor is not None:
                self.evidence.gate_closed = self.hypervisor.gate_closed()
            self.say("hypervisor", step)
        self._mirrors.look(self.evidence.history.time)

    def _step_jobs(self) -> bool:
        """Let each job take one step; return whether one of them did anything."""
        jobs = () if self.hypervisor is None else tuple(self.hypervisor.machine.background)
        stepped = [self._alive() and self._step_job(job) for job in jobs]
        return any(stepped)

    def _step_job(self, job: Background) -> bool:
        assert self.hypervisor is not None
        self.clock.actor = "job"
        before = self.hypervisor.faces()
        try:
            step = job.step()
        except ProcessKilled:
            self.kill()
            return True
        self._mirrors.look(self.evidence.history.time)
        if self._exchange is not None:
            self._leave_out(self._exchange, before, self.hypervisor.faces())
        if step is None:
            return False
        if step.waits_for is None:
            self._idle = 0
        self.say("job", step)
        return True

    def _note_jobs(self) -> None:
        if self.recording and self.hypervisor is not None:
            self.jobs += [(self.operation_steps, job.device) for job in self.hypervisor.machine.background]

    def _leave_out(self, exchange: Exchange, before: Tops, after: Tops) -> None:
        """What a job has done to a device while a command ran, the command has not done."""
        if before != after:
            exchange.before = tuple(
                new if new != old else known
                for known, old, new in zip(exchange.before, before, after, strict=True)
            )

    def _step_management(self, program: Steps[None]) -> None:
        self.manager_steps += 1
        self.steps += 1
        if self.case.fault.kills_management(self.manager_steps):
            self._bury_management()
            return
        self.clock.actor = "management"
        self._idle = 0
        try:
            step = next(program)
        except StopIteration:
            self._ended(Ending.SUCCEEDED, "")
        except BlockError as error:
            self._ended(Ending.CUT_OFF if self.hypervisor is None else Ending.FAILED, str(error))
        else:
            self.say("management", step)

    def _step_guest(self) -> None:
        """Let the next lane that can run take one step."""
        if self._stall:
            standing = self.clock.number - self._moved_at
            self.evidence.stall_operations = max(self.evidence.stall_operations, standing)
        for _ in range(len(self._rotation)):
            runner = self._rotation[self._turn % len(self._rotation)]
            self._turn += 1
            if not runner.blocked and (not self._alive() or self._step_lane(runner)):
                return
        self._idle += 1
        self._stall += 1
        self.evidence.longest_stall = max(self.evidence.longest_stall, self._stall)

    def _step_lane(self, runner: Runner) -> bool:
        """Let one lane take a step; return whether that was progress."""
        self.clock.actor = "guest"
        hits = len(self.clock.hits)
        try:
            progress = runner.step()
        except ProcessKilled:
            self.kill()
            return True
        if len(self.clock.hits) > hits:
            self._note_own_hits(hits)
        if progress:
            self._idle = self._stall = 0
            self._moved_at = self.clock.number
        return progress

    def _note_own_hits(self, since: int) -> None:
        """Count what struck images that the guest reads from, not a mirror's target."""
        assert self.hypervisor is not None
        needed = self.hypervisor.read_paths()
        self.evidence.own_hits += sum(hit.path in needed for hit in self.clock.hits[since:])

    def _alive(self) -> bool:
        """Count a step of the hypervisor or the guest in it; kill it where the fault says so."""
        self.evidence.history.time += 1
        if self.clock.running:
            self.steps += 1
            if self.recording:
                self.moments.append((self.steps, self._moment()))
            if self.hypervisor is not None and self.case.fault.kills_hypervisor(self.steps):
                self.kill()
        return self.hypervisor is not None

    def _moment(self) -> Moment:
        """Return all that a kill at this moment can leave behind: what is on the disk, what was promised."""
        writes, exchanges = self.evidence.history.writes, self.evidence.exchanges
        return (
            self.clock.mutations,
            sum(written.acknowledged is not None or written.failed is not None for written in writes),
            sum(written.durable is not None for written in writes),
            self.manager_steps,
            sum(exchange.answer is not None for exchange in exchanges),
            len(self.evidence.history.misread),
            len(self.evidence.mirrored),
            self.hypervisor.tops() if self.hypervisor is not None else (),
        )

    # ------------------------------------------------------------------------------------ the channel

    def desk(self) -> Desk:
        """Return management's desk: its own process on the host, and the channel to the hypervisor."""
        host = FaultyFolder(MemoryFolder(self.disk), self.clock)
        return Desk(host, self._send, volumes=self.case.world.volume_names())

    def _send(self, command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
        self.clock.clear()
        hypervisor = self.hypervisor
        if hypervisor is None:
            yield Step(Phase.SEND, command)
            return Lost()
        exchange = Exchange(command, arguments, hypervisor.faces(), first_hit=len(self.clock.hits))
        exchange.tops = hypervisor.tops()
        self.evidence.exchanges.append(exchange)
        self._exchange = exchange
        self._command = hypervisor.connection.execute({"execute": command, "arguments": arguments})
        yield Step(Phase.SEND, command)
        answer = exchange.answer if exchange.answer is not None else Lost()
        self.say("management", command, ": ", answer)
        return answer

    def _answered(self, reply: dict[str, object] | None) -> None:
        self._command = None
        self.clock.clear()
        exchange, self._exchange = self._exchange, None
        if exchange is None or reply is None or self.hypervisor is None:
            return
        exchange.answer = Replied.from_reply(reply)
        exchange.after = self.hypervisor.faces()
        exchange.hits = tuple(
            hit for hit in self.clock.hits[exchange.first_hit :] if hit.actor == "hypervisor"
        )

    # -------------------------------------------------------------------------------- what befalls it

    def unplug(self, device: str, condition: Condition) -> None:
        """Take a device away from the living hypervisor, whatever goes on; *condition* says since when."""
        hypervisor = self.hypervisor
        if hypervisor is not None:
            number = hypervisor.names.index(device)
            hypervisor.unplug(device, None if self._exchange is None else self._exchange.tops[number])
            self.evidence.conditions[number] = condition
            self.say("fault", device, " is unplugged")

    # -------------------------------------------------------------------------------------- endings

    def kill(self) -> None:
        """End the hypervisor abruptly, the guest and the command that runs with it."""
        hypervisor, self.hypervisor = self.hypervisor, None
        assert hypervisor is not None
        self.say("fault", "the hypervisor is killed")
        self.evidence.tops, self.evidence.opened = hypervisor.tops(), hypervisor.opened()
        self.evidence.killed = True
        self.clock.dead = True
        self._close_all([self._command, *(runner.lane for runner in self._rotation)])
        hypervisor.folder.close_all()
        self._command, self._exchange, self._rotation = None, None, []

    def _close_all(self, generators: list[Steps[dict[str, object]] | Lane[None] | None]) -> None:
        """Drop what was running; whatever its clean-up tries on the disk dies too."""
        for generator in generators:
            try:
                if generator is not None:
                    generator.close()
            except (ProcessKilled, BlockError):
                continue

    def _bury_management(self) -> None:
        self.say("fault", "management dies")
        self._ended(Ending.DIED, "")

    def _disconnect(self, hypervisor: Hypervisor) -> Steps[dict[str, object]]:
        yield from hypervisor.connection.disconnect()
        return {}

    def _ended(self, ending: Ending, why: str) -> None:
        """Management is over, one way or another: its connection closes."""
        self._management = None
        if self.hypervisor is not None:
            self._command = self._disconnect(self.hypervisor)
        self.evidence.ending, self.evidence.failure = ending, why
        self.say("management", ending.value, ": " if why else "", why)

    # ------------------------------------------------------------------------------------- timeline

    @property
    def timeline(self) -> list[Event]:
        """What happened, where it is watched."""
        return self._told.events

    def say(self, actor: str, *words: object) -> None:
        """Put into the timeline what *actor* does now."""
        self._told.say(self.steps, actor, *words)

    def _guest_says(self, *words: object) -> None:
        self.say("guest", *words)
