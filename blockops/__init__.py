"""blockops: four ways to change several disks at once, on real qcow2 overlays, and what breaks them."""
