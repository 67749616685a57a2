"""The commands that several proposals share, each once, in both profiles."""
