"""The four proposals, what they are compared with, and the command line that compares them."""
