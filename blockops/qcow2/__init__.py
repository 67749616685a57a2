"""The qcow2 format: images of versions 2 and 3, read and written.

image → writing | compressed → mapping → refcounts → table_cache → durable | header | entries → geometry;
each knows only what stands to its right.  `check` is a second reader of the format that shares nothing but
the codec.  Sections are those of QEMU's docs/interop/qcow2.txt.
"""
