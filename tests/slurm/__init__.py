"""Tests on a real SLURM; `make test-slurm` runs them."""
