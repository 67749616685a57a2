"""The narrow seam to the host: every byte that the core moves goes through it."""
