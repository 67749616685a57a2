"""Scenarios from the wild: what people have reported of multi-disk operations, reproduced by name."""
