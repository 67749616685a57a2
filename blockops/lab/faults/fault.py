"""A fault: one way to break a case, printable, and asked through hooks at every point where it may strike.

A *family* is a module that knows faults of one sort: which groups they form, how their names are read,
and which of them a setting has.  Everything that a fault does, it does in its hooks; those that it does
not have leave the case alone.
"""

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from blockops.lab.case import Case
    from blockops.lab.execution import Execution
    from blockops.lab.faults.host import HostFault
    from blockops.lab.power.journal import Journal


@attrs.frozen
class HostOperation:
    """One call through the host seam: its number, who made it, and on what.  Offsets in bytes.

    *code* is the errno with which it was made to fail, 0 where it was not.
    """

    number: int
    actor: str
    operation: str
    path: str
    offset: int = 0
    length: int = 0
    code: int = 0


class Mishap(enum.Enum):
    """What befalls a command on its way to the hypervisor, or its answer on the way back."""

    NONE = "it arrives, and so does its answer"
    LOST = "it is lost"
    UNANSWERED = "its answer is lost"
    DROPPED = "the connection drops while it is carried out"
    LATE = "management gives up waiting while it is carried out"
    TWICE = "it is delivered twice"

    @property
    def silent(self) -> bool:
        """Whether management gets no answer."""
        return self not in (Mishap.NONE, Mishap.TWICE)


class Fault(ABC):
    """What breaks in a case; `str` is its name in case ids.  The hooks here break nothing."""

    @property
    @abstractmethod
    def group(self) -> str:
        """The key of `faults.GROUPS` that it belongs to."""

    @property
    def armed_from(self) -> int:
        """The first host operation that it may strike (`hosts.Clock`); 0: none."""
        return 0

    @property
    def host_faults(self) -> "tuple[HostFault, ...]":
        """The host operations that it makes fail, in the order in which they do; none for most faults."""
        return ()

    def journal(self) -> "Journal | None":
        """Return a journal to be kept of what is not durable yet; None where nobody will ask."""
        return None

    @property
    def first(self) -> "Fault":
        """What a recording must be made under to find it: of a pair the first one, else itself."""
        return self

    @property
    def kill_step(self) -> int | None:
        """The step of the scheduler before which the hypervisor is killed, if it is."""
        return None

    @property
    def is_variant(self) -> bool:
        """Whether it varies another one that is tried everywhere, so that the default run samples it."""
        return False

    @property
    def spares_guest(self) -> bool:
        """Whether it strikes the operation alone, so that no guest request has a reason to fail.

        What a failed host operation strikes is known only afterwards (`Evidence.own_hits`).
        """
        return False

    @property
    def changes_membership(self) -> bool:
        """Whether devices come or go meanwhile: the use case that is about this meets nothing else."""
        return False

    @property
    def passes(self) -> bool:
        """Whether it is trouble that is over when the case has come to rest: the machine must go on then."""
        return False

    @property
    def lasts(self) -> bool:
        """Whether it goes on after it has struck, so that another attempt may meet it again."""
        return False

    @property
    def stays(self) -> bool:
        """Whether it is in the way of a second attempt as it was of the first."""
        return False

    def arrange(self, execution: "Execution") -> None:  # noqa: B027  # a hook: most faults arrange nothing
        """Prepare the world, just before management begins."""

    def befall(self, execution: "Execution", step: int) -> None:  # noqa: B027  # a hook, as above
        """Do what happens by itself after step *step* of the operation."""

    def relent(self, execution: "Execution") -> None:  # noqa: B027  # a hook, as above
        """Take back what only the fault itself holds on to, as the case comes to rest."""

    def guest_steps(self, now: int, usual: int, *, idle: bool) -> int:
        """Return how many steps the guest takes after step *now* of the operation.

        *idle*: the operation waits, perhaps for the guest.
        """
        return usual

    def kills_hypervisor(self, step: int) -> bool:
        """Whether the hypervisor dies before step *step* of the scheduler, if it has not yet."""
        return self.kill_step is not None and step >= self.kill_step

    def has_ended(self, manager_steps: int) -> bool:
        """Whether it has done all that it is to do to management, which has taken so many steps in all."""
        return True

    def kills_management(self, step: int) -> bool:
        """Whether management dies before its step *step*; the steps of a new process go on counting."""
        return False

    @property
    def restarts_management(self) -> bool:
        """Whether a new process takes the place of management when it has died, and recovers."""
        return False

    @property
    def forgets_notes(self) -> bool:
        """Whether the notes are gone then."""
        return False

    def befalls(self, command: int) -> Mishap:
        """Return what befalls management's command number *command*, counted from 1."""
        return Mishap.NONE


@attrs.frozen
class Recording:
    """The fault-free run of a setting: its host operations, and its steps.

    *steps* are all that a kill may come before, *manager_steps* those of management, *operation_steps*
    those of management and its commands together; *commands* is how many management sent.  *moments* say
    what a kill before a step leaves behind, *at_operations* what one before an operation that changes the
    disk does: equal moments, equal remains.  *jobs* has, for each step of the
    operation after which a device has a job, that step and the device.
    """

    operations: tuple[HostOperation, ...]
    steps: int
    manager_steps: int
    operation_steps: int
    commands: int
    moments: tuple[tuple[int, Hashable], ...]
    jobs: tuple[tuple[int, str], ...] = ()
    at_operations: tuple[tuple[int, Hashable], ...] = ()


Lister = Callable[["Case", Recording, Sequence[HostOperation]], Iterator[Fault]]
"""From a setting, its recording and the host operations to be broken: every fault of the family."""


@attrs.frozen
class Family:
    """Faults of one sort.

    *groups* are what `--fault` may choose, each with a sentence; *parse* returns the fault that prints as
    a text, or None where it is not of this family; *listed* yields all that a setting has.  *noun* is
    what the report counts its cases as, in the plural; without one it counts each group by its name.
    *by_name*: a setting has them only where one of their groups is asked for.  *ours*: they befall our own
    hypervisor alone, no real QEMU.
    """

    groups: Mapping[str, str]
    parse: Callable[[str], Fault | None]
    listed: Lister
    noun: str = ""
    by_name: bool = False
    ours: bool = False


def numbered(text: str, prefix: str) -> int | None:
    """Return the number behind *prefix* in *text*, or None where it does not read so."""
    number = text.removeprefix(prefix)
    if number == text or not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    return int(number)
