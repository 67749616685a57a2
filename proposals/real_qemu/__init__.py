"""Real QEMU, driven by the programs that drive our models of it."""
