"""Work that goes on between commands: jobs, their states, and the mirror."""
