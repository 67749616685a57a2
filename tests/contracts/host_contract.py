"""What every host must do, whoever implements or wraps it: each sentence of `blockops.host.api`, once.

To check an implementation, subclass `HostContract` in a test module and give it a fixture `host`: a
`Host` whose folder is empty but for the empty sub folder "sub".  A wrapper that makes transfers short
is welcome: nothing here expects more than the seam promises.
"""

from tests.contracts.host_files import FileContract, LockContract
from tests.contracts.host_folders import FolderContract


class HostContract(FileContract, LockContract, FolderContract):
    """All of it."""
