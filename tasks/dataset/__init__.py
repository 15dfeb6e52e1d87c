"""Dataset: a user's own pairs (x, y), with a proxy trained on them or a simulator of the user's as forward model."""

from tasks.dataset.options import DatasetOptions
from tasks.dataset.task import DatasetTask

__all__ = ["DatasetOptions", "DatasetTask"]
