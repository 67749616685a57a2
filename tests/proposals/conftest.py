"""The machines of tests/commands, for the proposals' tests too."""

from tests.commands.conftest import hardened, posted, world

__all__ = ["hardened", "posted", "world"]
