"""Commands as QMP sees them: names, JSON arguments, replies."""
