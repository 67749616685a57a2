"""How fast the lab is on this machine, on one core, beside what else could have been run on it."""
