"""Interleavings: every order in which the tasks of a case can take their steps, to a stated depth.

order       who steps out of turn, and when: a value with a name
footprint   what a step reads and writes; two that do not meet may change places
search      all orders to a depth, equivalent ones once
"""
