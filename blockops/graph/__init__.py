"""Opened images and filters, how they hang together, and how that is changed in one go."""
