"""Architecture: 32 x 32 pixels of a periodic solid-void cell to its effective Young's modulus along x."""

from tasks.architecture.task import Architecture

__all__ = ["Architecture"]
