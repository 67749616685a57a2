"""What a change of several disks takes when nothing fails, in numbers; a part of `results`."""

import attrs


@attrs.frozen
class Measured:
    """What a use case takes for a number of *devices* when nothing fails, under the lab's one guest.

    *commands*: different ones; *round_trips*: commands sent, each waits for its answer; *fallible_steps*:
    those and management's own operations on the host, each of which can fail; *bytes_written* by
    management and by the hypervisor for the operation, the guest's own requests left out.
    *stall_steps*, *stall_operations*: the guest's longest standstill, in steps that it could not take and
    in operations of the host that others did meanwhile.
    """

    devices: int
    commands: int
    round_trips: int
    fallible_steps: int
    bytes_written: int
    stall_steps: int
    stall_operations: int


@attrs.frozen
class Cost:
    """What a use case takes a contestant (its full id); *branches*: decisions of the management program."""

    contestant: str
    use_case: str
    branches: int
    at: tuple[Measured, ...]


@attrs.frozen
class Effort:
    """What a design asks of the server, measured on its code.

    *states* and legal *moves* between two commands (null where the design keeps no table), and for each
    operation the *places* in the design's package that carry it.
    """

    design: str
    states: int | None
    moves: int | None
    places: dict[str, int]
