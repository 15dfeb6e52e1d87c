"""The design distribution: periodic Gaussian random fields, symmetrised by a plane group and thresholded."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from tasks.architecture.material import PIXELS

BLOCK = 100  # designs that share a random stream
LENGTHS = (0.8, 4.0)  # pixels: standard deviation of the Gaussian filter, uniform
STRETCH = (-0.5, 0.5)  # logarithm of the filter's anisotropy, uniform
VOLUME = (0.3, 1.0)  # share of solid pixels, uniform
GROUPS = {"p1": (1, False), "p2": (2, False), "pmm": (2, True), "p4": (4, False), "p4m": (4, True)}
"""Plane groups, equally likely: the number of rotations about the centre, and whether there are mirrors."""


def draw(n: int, seed: int) -> np.ndarray:
    """Designs `(n, 1024)` of zeros and ones, uint8; those of a smaller n and the same seed come first.

    Args:
        n: how many.
        seed: a whole number, 0 or more.
    """
    blocks = [block(seed, index) for index in range(-(-n // BLOCK))]
    return np.concatenate([np.empty((0, PIXELS**2), np.uint8), *blocks])[:n]


def block(seed: int, index: int) -> np.ndarray:
    """The designs `(BLOCK, 1024)` number index * BLOCK and following, uint8.

    Args:
        seed: of all designs.
        index: number of the block, from 0.
    """
    random = np.random.default_rng([seed, index])
    fields = smooth_fields(BLOCK, random)
    groups = random.integers(len(GROUPS), size=BLOCK)
    for number, name in enumerate(GROUPS):
        fields[groups == number] = symmetrised(fields[groups == number], name)
    return thresholded(fields, random.uniform(*VOLUME, BLOCK)).reshape(BLOCK, -1)


def smooth_fields(n: int, random: Generator) -> np.ndarray:
    """White noise on the periodic grid under a Gaussian filter of random length and anisotropy, `(n, 32, 32)`.

    Args:
        n: how many.
        random: all randomness comes from it.
    """
    noise = random.standard_normal((n, PIXELS, PIXELS))
    length = random.uniform(*LENGTHS, (n, 1, 1))
    stretch = np.exp(random.uniform(*STRETCH, (n, 1, 1)))
    wave_x, wave_y = np.fft.fftfreq(PIXELS)[:, None], np.fft.rfftfreq(PIXELS)
    decay = np.exp(-2 * (np.pi * length) ** 2 * ((wave_x * stretch) ** 2 + (wave_y / stretch) ** 2))
    return np.fft.irfft2(np.fft.rfft2(noise) * decay, s=(PIXELS, PIXELS))


def symmetrised(fields: np.ndarray, group: str) -> np.ndarray:
    """The sum of the fields' images `(n, 32, 32)` under a plane group.

    Args:
        fields: `(n, 32, 32)`.
        group: a name among `GROUPS`.
    """
    rotations, mirrored = GROUPS[group]
    turned = [np.rot90(fields, 4 // rotations * k, (1, 2)) for k in range(rotations)]
    images = turned + [image[:, ::-1] for image in turned] if mirrored else turned
    # Sorted, because a sum in another order rounds otherwise, and a threshold would tell the images apart.
    return np.sort(images, axis=0).sum(0)


def thresholded(fields: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """The highest pixels of each field as ones `(n, 32, 32)`, uint8, all others as zeros; ties are solid together.

    Args:
        fields: `(n, 32, 32)`.
        volume: the share of solid pixels in each `(n,)`, 0 to 1.
    """
    solid = np.rint(volume * PIXELS**2).astype(int).clip(1, PIXELS**2)
    ordered = np.sort(fields.reshape(len(fields), -1), axis=1)
    level = ordered[np.arange(len(fields)), PIXELS**2 - solid]
    return (fields >= level[:, None, None]).astype(np.uint8)
