"""Power loss: what of the host's files survives when everything that was not flushed may be lost."""
