"""The lab: run contestants through faults, judge every case by the laws, count what was found."""
