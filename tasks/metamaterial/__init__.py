"""Metamaterial: transmission spectra of four silicon cylinders, with operator, proxy and what made them."""

from tasks.metamaterial.task import Metamaterial

__all__ = ["Metamaterial"]
