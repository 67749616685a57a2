"""How fast the image core is, beside the raw file and QEMU's own tools, on the same images in the same run.

table → snapshots → rows → ours | raw | peers → site; each knows only what stands to its right.
"""
