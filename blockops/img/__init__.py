"""What people shell out to qemu-img for, as functions: an image's facts, its map, and how to change it.

info       what an image says of itself           checking   a check's verdict and figures
opening    an image, its chain and their files    sizes      numbers with suffixes, both ways
directory  snapshots and bitmaps by name          clusters   the tables of a qcow2 image, walked in order

Every function takes a folder of the real host, against which names are resolved, and returns values; those
that qemu-img has in JSON have the same keys there (`as_json`).  Nothing is printed and no clock is read.
"""
