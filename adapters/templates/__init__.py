"""Templates of sites, rendered in processes that can do nothing else."""
