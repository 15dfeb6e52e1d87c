"""Sectors: a symmetric design space falls into sectors, and a method finds as many as its accurate proposals reach."""

from itertools import combinations

import pytest
import torch
from torch import Generator

from harness import sectors as recall
from tasks.architecture import Architecture
from tasks.crystal import Crystal
from tasks.metamaterial import Metamaterial

TASKS = [Crystal(), Metamaterial(), Architecture()]


def draws(task, n=40):
    x = task.sample_prior(n, Generator().manual_seed(0))
    return torch.rand(x.shape, generator=Generator().manual_seed(1)).double() if isinstance(task, Architecture) else x


def sectors(task, x):
    low, high = task.bounds
    return recall.sectors(x, task.images, high - low)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_every_design_lies_in_one_sector_and_its_images_in_all_of_them(task):
    x = draws(task)
    assert (sectors(task, x).sum(1) == 1).all()
    images = task.images(x)
    of_images = torch.stack([sectors(task, image) for image in images])
    assert (of_images.sum(0) == 1).all(), "no two images of a design lie in one sector"
    rounded = sectors(task, images.flatten(0, 1).float().double())
    assert torch.equal(rounded, of_images.flatten(0, 1))


def test_a_design_that_is_its_own_image_lies_in_several_sectors():
    cubic = torch.tensor([[3.9, 3.9, 3.9, 90.0, 90.0, 90.0], [3.9, 3.9, 4.0, 90.0, 90.0, 90.0]]).double()
    assert sectors(Crystal(), cubic).sum(1).tolist() == [24, 8]


def test_the_expected_share_is_the_mean_over_all_subsets():
    reached = torch.tensor([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]).bool()
    found = recall.expected_share(reached, range(1, 6))
    for size, share in zip(range(1, 6), found, strict=True):
        subsets = [reached[list(chosen)].any(0).double().mean() for chosen in combinations(range(5), size)]
        assert share == pytest.approx(float(torch.stack(subsets).mean()))
    assert recall.expected_share(reached[3:], [1, 2]) == [0, 0]
