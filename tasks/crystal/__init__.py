"""Crystal: the band gap of strained SrTiO3, by a tight-binding model fitted to DFT rows of our own."""

from tasks.crystal.task import Crystal, CrystalOptions

__all__ = ["Crystal", "CrystalOptions"]
