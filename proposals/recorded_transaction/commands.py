"""The recorded transaction: a list of actions, one drain, one durable decision, one reply.

Source: our choice throughout, built on what the proposals' patches had: the pivot of the group snapshot,
the prepare and commit of the session transaction, the list form that was merged in QEMU 1.1, and the
witness file of drive-reopen's RHEL variant.

    intent durable → create, open → drain, flush → decision durable → switch in memory → reply

Up to the decision everything can be taken back, and is, before the reply; after it nothing can fail.
"""

import errno
from collections.abc import Mapping, Sequence

import attrs

from blockops.commands.action import Action, abort_all, prepare_all, switch_all
from blockops.commands.images import naming
from blockops.commands.mirror import DriveMirror, MirrorAction, mirror_action
from blockops.commands.profile import Mode, Profile
from blockops.commands.reopen import ReopenAction
from blockops.commands.snapshot import SnapshotSync, snapshot_action
from blockops.device import Device, drain, resume
from blockops.errors import DeviceInUse, HostError, InvalidRequest, Leftover, UndefinedError
from blockops.graph.blkmirror import MirrorNode
from blockops.graph.change import Replace
from blockops.graph.node import ImageNode
from blockops.machine import Machine, in_order
from blockops.management.wish import ImageRef
from blockops.qmp.command import Client, Command, Event, by_name
from blockops.qmp.shared import plain_snapshot, query_command
from blockops.steps import Phase, Step, Steps, run
from proposals.recorded_transaction.arguments import (
    ActionType,
    ActionWanted,
    Ends,
    Finish,
    QueryTransaction,
    StopMirror,
    Transaction,
)
from proposals.recorded_transaction.record import Decision, Intent, Outcome, Record, RecordFailed, read_record
from proposals.recorded_transaction.state import Memory, Mirroring

TOGETHER = (
    (ActionType.SNAPSHOT,),
    (ActionType.MIRROR,),
    (ActionType.SNAPSHOT, ActionType.MIRROR),
    (ActionType.REOPEN,),
    (ActionType.SWITCH,),
)
"""What one transaction may do to one device: in the other order the mirror's target would get nothing."""


@attrs.define(eq=False)
class SwitchAction(ReopenAction):
    """Show a mirror's target: refused where the device does not mirror to that very file.

    So nobody is taken to an image that the guest's writes did not reach.
    """

    def _open(self, device: Device) -> ImageNode:
        path = self.machine.host.resolve(self.filename)
        target = device.top.target if isinstance(device.top, MirrorNode) else None
        if not isinstance(target, ImageNode) or target.path != path:
            raise InvalidRequest(path, f"device '{self.device}' does not mirror to it")
        return super()._open(device)


@attrs.define(eq=False)
class AtOnce:
    """An action whose switch lets nobody in between: all devices switch in one step.

    Otherwise a device could be unplugged between two switches of its own, half way.
    """

    inner: Action

    @property
    def device(self) -> str:
        return self.inner.device

    def prepare(self) -> Steps[None]:
        yield from self.inner.prepare()

    def secure(self) -> Steps[None]:
        yield from self.inner.secure()

    def commit(self) -> Steps[None]:
        run(self.inner.commit())
        yield from ()

    def revert(self) -> Steps[None]:
        run(self.inner.revert())
        yield from ()

    def abort(self) -> Steps[tuple[Leftover, ...]]:
        return (yield from self.inner.abort())

    def finish(self) -> None:
        self.inner.finish()


@attrs.define(eq=False)
class RecordedTransactionCommands:
    """The design over one machine; *profile* must be hardened: there never was another."""

    machine: Machine
    profile: Profile = attrs.field(
        default=Profile.HARDENED, validator=attrs.validators.in_([Profile.HARDENED])
    )
    memory: Memory = attrs.field(factory=Memory)
    events: list[Event] = attrs.field(factory=list)

    @property
    def commands(self) -> Mapping[str, Command]:
        return by_name(
            Command(
                "transaction",
                Transaction,
                self.transaction,
                "Carry out all actions at one instant, or none, and record which of the two it was.",
                "our choice",
            ),
            Command(
                "query-transaction",
                QueryTransaction,
                self.query_transaction,
                "Tell whether a transaction was done.",
                "our choice",
            ),
            Command(
                "stop-mirror",
                StopMirror,
                self.stop_mirror,
                "Stay on the source of a mirror; harmless where there is none.",
                "our choice",
            ),
            plain_snapshot(self.machine, self.profile),
            query_command(self.machine),
        )

    def transaction(self, client: Client, wanted: Transaction) -> Steps[dict[str, object]]:
        """Carry out every action or none; an error means that nothing has changed.

        An id that was done is not done again.  The record stays until management removes it.
        """
        if self.memory.was_done(wanted) or (yield from self._was_recorded(wanted)):
            return _ended(wanted, "done")
        devices = in_order(self.machine, (one.data.device for one in wanted.actions))
        self._refuse_contradictions(wanted)
        intent = Intent(self.machine.host, wanted.record, self._record(wanted))
        actions: list[Action] = [
            intent,
            *(AtOnce(self._action(one)) for one in wanted.actions),
            Decision(intent),
        ]
        yield from prepare_all(actions)
        if wanted.finish is Finish.ABORT:
            yield from self._abandon(wanted, actions)
            return _ended(wanted, "aborted")
        yield from switch_all(self.machine, devices, actions)
        self._remember(client, wanted, devices)
        return _ended(wanted, "done")

    def query_transaction(self, client: Client, wanted: QueryTransaction) -> Steps[dict[str, object]]:
        """Tell "done", or "none": it never arrived, or it failed; either way nothing has changed."""
        yield Step(Phase.CHECK, "transactions")
        return {"id": wanted.id, "state": "done" if wanted.id in self.memory.done else "none"}

    def stop_mirror(self, client: Client, wanted: StopMirror) -> Steps[None]:
        """Take the mirror off a device, which goes on on its source; no file is touched."""
        yield from self._stop([self.machine.device(wanted.device)])

    def disconnected(self, client: Client) -> Steps[None]:
        """Take off the mirrors of *client*: nobody is left to switch to their targets."""
        mine = [name for name, mirror in self.memory.mirrors.items() if mirror.owner is client]
        there = (name for name in mine if name in self.machine.devices)
        yield from self._stop(in_order(self.machine, there))

    def _stop(self, devices: Sequence[Device]) -> Steps[None]:
        plan = self.machine.graph.plan()
        try:
            yield from drain(devices)
            for device in devices:
                mirror = self.memory.mirrors.pop(device.name, None)
                if mirror is not None and device.top is mirror.node:
                    plan.add(Replace(device.name, mirror.node.upper))
            for change in plan.commit():
                yield Step(Phase.PIVOT, change.device)
        finally:
            plan.settle()
            resume(devices)
        self.machine.graph.collect()

    def _was_recorded(self, wanted: Transaction) -> Steps[bool]:
        """Whether the record says that this transaction was done; raises where it is somebody else's.

        One of this very id that does not say so is what a failed attempt could not remove, or what one
        left that died: nothing came of it, so it goes now, with what was made for it.
        """
        try:
            record = read_record(self.machine.host, wanted.record)
            yield Step(Phase.CHECK, wanted.record)
            if record is None:
                return False
            if record.id == wanted.id:
                if record.outcome is not Outcome.DONE:
                    yield from self._sweep(record, wanted.record)
                return record.outcome is Outcome.DONE
        except HostError as error:
            raise RecordFailed(wanted.record, error) from error
        raise RecordFailed(wanted.record, InvalidRequest("it", f"is that of transaction '{record.id}'"))

    def _sweep(self, record: Record, filename: str) -> Steps[None]:
        host = self.machine.host
        for path in (*record.made, filename):
            if host.exists(path) and self.machine.graph.opened(path) is None:
                host.unlink(path)
            yield Step(Phase.UNLINK, path)

    def _record(self, wanted: Transaction) -> Record:
        """Return what is intended; raises where a file that would be made is there already."""
        images: dict[str, ImageRef] = {}
        made: list[str] = []
        for one in wanted.actions:
            path = self.machine.host.resolve(one.data.file)
            if one.type is not ActionType.MIRROR:
                images[one.data.device] = ImageRef(path, one.data.format)
            if one.type in (ActionType.SNAPSHOT, ActionType.MIRROR) and self._is_new(one):
                made.append(path)
        return Record(wanted.id, images, tuple(made))

    def _is_new(self, one: ActionWanted) -> bool:
        there = self.machine.host.exists(one.data.file)
        if there and one.type is ActionType.SNAPSHOT:
            with naming(one.data.file, one.data.device):
                raise HostError("create", self.machine.host.resolve(one.data.file), errno.EEXIST)
        return not there

    def _action(self, one: ActionWanted) -> Action:
        machine, profile = self.machine, self.profile
        device, file, format = one.data.device, one.data.file, one.data.format
        match one.type:
            case ActionType.SNAPSHOT:
                return snapshot_action(machine, profile, SnapshotSync(device, file, format))
            case ActionType.REOPEN:
                return ReopenAction(machine, profile, device, file, format)
            case ActionType.MIRROR:
                return self._mirror(one)
            case ActionType.SWITCH:
                return SwitchAction(machine, profile, device, file, format)

    def _mirror(self, one: ActionWanted) -> MirrorAction:
        mode = Mode.ABSOLUTE_PATHS if self._is_new(one) else Mode.EXISTING
        wanted = DriveMirror(one.data.device, one.data.file, one.data.format, mode)
        return mirror_action(self.machine, self.profile, wanted)

    def _abandon(self, wanted: Transaction, actions: Sequence[Action]) -> Steps[None]:
        leftovers = yield from abort_all(actions)
        if leftovers:
            raise UndefinedError(f"Transaction '{wanted.id}' is aborted", leftovers=leftovers)

    def _remember(self, client: Client, wanted: Transaction, devices: Sequence[Device]) -> None:
        self.memory.done[wanted.id] = wanted
        for device in devices:
            self.memory.mirrors.pop(device.name, None)
        for one in wanted.actions:
            top = self.machine.graph.tops.get(one.data.device)  # it may be gone since the pivot
            if isinstance(top, MirrorNode):
                owner = client if one.data.ends is Ends.DISCONNECTED else None
                self.memory.mirrors[one.data.device] = Mirroring(top, owner)

    def _refuse_contradictions(self, wanted: Transaction) -> None:
        """Raise where the list would leave memory and disk at odds, or a mirror without its writes."""
        by_device: dict[str, list[ActionType]] = {}
        for one in wanted.actions:
            by_device.setdefault(one.data.device, []).append(one.type)
        for device, types in by_device.items():
            if tuple(types) not in TOGETHER:
                found = ", ".join(one.value for one in types)
                raise UndefinedError(f"Device '{device}' cannot have these actions together: {found}")
            if device in self.memory.mirrors and types != [ActionType.SWITCH]:
                raise DeviceInUse(device, "its mirror")


def _ended(wanted: Transaction, state: str) -> dict[str, object]:
    return {"id": wanted.id, "state": state}
