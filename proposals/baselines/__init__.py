"""What the four proposals are compared with."""
