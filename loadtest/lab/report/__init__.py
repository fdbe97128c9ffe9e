"""Pages of the load lab: one HTML file each, which needs nothing else."""
