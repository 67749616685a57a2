"""`python -m proposals`: the same program as `blockops`."""

import sys

from proposals.cli import main

sys.exit(main())
