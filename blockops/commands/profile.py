"""Every proposal exists twice: as it was posted, and as good as the same commands allow.

As-posted keeps the weaknesses of 2012.  Hardened removes what an implementation merely got wrong, so
that what still fails is the interface's doing; it adds no command, no argument and no file.
"""

import enum

from blockops.graph.formats import Opening


class Profile(enum.Enum):
    """How faithful or how careful an implementation is."""

    AS_POSTED = "as-posted"
    HARDENED = "hardened"


class Mode(enum.Enum):
    """Whether a command makes the image that it is told: a later, optional argument of all of them.

    On nobody's page signature (an extension: our choice is to accept it).  ABSOLUTE_PATHS: make it;
    EXISTING: open what is there, without looking whether its content fits.
    """

    ABSOLUTE_PATHS = "absolute-paths"
    EXISTING = "existing"


def opening(profile: Profile) -> Opening:
    """Return how a profile opens images: 2012 took no locks and opened a file as often as it was named."""
    careful = profile is Profile.HARDENED
    return Opening(lock=careful, share=careful)
