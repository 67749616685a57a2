"""What the two commands take: `device`, and no timeout, as the page has none."""

import attrs


@attrs.frozen
class BlockdevFreeze:
    """Arguments of `blockdev-freeze`."""

    device: str


@attrs.frozen
class BlockdevUnfreeze:
    """Arguments of `blockdev-unfreeze`."""

    device: str
