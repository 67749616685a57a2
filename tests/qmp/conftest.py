"""The machines of tests/commands, for the dispatcher's tests too."""

from tests.commands.conftest import hardened, posted, world

__all__ = ["hardened", "posted", "world"]
