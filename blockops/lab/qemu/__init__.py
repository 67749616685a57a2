"""A real QEMU in the place of our hypervisor: its own code, its own files, the same guest, faults and laws.

    preload.c   loaded into QEMU: numbers its host operations, and fails the one that is asked for
    clock       what QEMU and the lab's clock share
    process     one running QEMU: its monitor, its disks by NBD
    hypervisor  what the scheduler of a case steps instead of ours

QEMU works on real files in memory (/dev/shm); after each of its turns what it has changed is taken over into
the disk of the case, so that laws and management see one disk, whoever wrote to it.
"""
