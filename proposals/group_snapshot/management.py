"""What the group snapshot leaves to management: next to nothing.

The command has cleaned up behind itself when it replies, as far as its profile does.  What is left are
the configuration, stray overlays, and finding out what happened when no answer came.  It can take
nothing back.
"""

from collections.abc import Mapping

from blockops.management.contestant import Inexpressible, Manager, Program
from blockops.management.recovery import believe, go_on
from blockops.management.snapshots_only import ONE_COMMAND

RECOVER: Mapping[Manager, Program] = {Manager.NAIVE: believe, Manager.CAREFUL: go_on}

PROGRAMS: Mapping[Manager, Mapping[str, Program | Inexpressible]] = ONE_COMMAND
