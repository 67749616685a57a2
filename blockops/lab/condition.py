"""A device that is not as a wish takes it to be, and what each law makes of it."""

import enum


class Condition(enum.Enum):
    """What is out of the ordinary with one device, and how the laws take it.  Its own guest may fail on it.

    ABSENT     the machine did not have it when management began: it is old, and stays so
    EMPTY      it had no medium then: it is old as long as it has none, and holds no data
    READ_ONLY  its guest may only read: old and new are as ever
    BUSY       a job had reserved it then: old and new are as ever
    GONE       unplugged since management began.  It counts by what it showed when it went, read from the
               disk: what was promised on it must be there (content, nothing-lost, sound), and success means
               that it was new by then (truthful).  But it is no member any more: all-or-nothing, released
               and tidy (which lets its images stay) leave it out, and so does truthful after an error.
    """

    ABSENT = "absent"
    EMPTY = "empty"
    READ_ONLY = "read-only"
    BUSY = "busy"
    GONE = "gone"
