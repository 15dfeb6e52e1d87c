"""Computes rows like those here: PBE levels of strained SrTiO3 with GPAW plane waves, about 6 CPU seconds a row.

    pip install gpaw==26.7.0 scipy
    OMP_NUM_THREADS=1 python generate.py FOLDER --first 873 --count 100

Appends to FOLDER/samples.csv and FOLDER/levels.csv and skips the rows that are there. GPAW has to be built with libxc,
BLAS and FFTW. Settings and their errors: README.md.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import qmc

EDGE, STRETCH, SHEAR = 3.94, 0.10, 12.0  # angstrom, share, degrees: the box of the cells
SOBOL = {"d": 6, "scramble": True, "seed": 20240521}
CELLS = 8192
CUT_OFF = 500  # eV
OCCUPIED = 20  # bands: Sr 4s4p, Ti 3s3p, O 2s and O 2p hold 40 electrons
CORE = 11  # of them below O 2p
EMPTY = 3  # bands above that are written: Ti 3d t2g
SITES = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]  # Sr, Ti, O, O, O
TRIM = list(itertools.product((0, 0.5), repeat=3))
SHIFTED = list(itertools.product((1 / 8, 5 / 8), repeat=3))
"""Quarter-shifted 2 x 2 x 2 mesh: cos(2 pi k.R) = 0 for the first shell of lattice vectors that it cannot resolve."""

SAMPLES = ["id", "a", "b", "c", "alpha", "beta", "gamma", "gap_signed_eV", "converged"]
LEVELS = ["id"] + [
    f"k{int(2 * i)}{int(2 * j)}{int(2 * k)}_{band + 1}" for i, j, k in TRIM for band in range(CORE, OCCUPIED + EMPTY)
]


def cells() -> np.ndarray:
    """The Sobol sequence of cells `(CELLS, 6)`: edges in angstrom and angles in degrees."""
    unit = 2 * qmc.Sobol(**SOBOL).random(CELLS) - 1
    return np.round(np.hstack([EDGE * (1 + STRETCH * unit[:, :3]), 90 + SHEAR * unit[:, 3:]]), 6)


def levels(cell: np.ndarray) -> np.ndarray:
    """Kohn-Sham levels `(8, 12)` in eV, O 2p and Ti t2g, at the TRIM points of the density of a converged calculation.

    Args:
        cell: edges in angstrom and angles in degrees `(6,)`.

    Raises:
        Exception: whatever GPAW raises where it does not converge.
    """
    from ase import Atoms  # type: ignore[import-not-found, unused-ignore]
    from ase.geometry import cellpar_to_cell  # type: ignore[import-not-found, unused-ignore]
    from gpaw import GPAW, PW, FermiDirac  # type: ignore[import-not-found, unused-ignore]

    crystal = Atoms("SrTiO3", scaled_positions=SITES, cell=cellpar_to_cell(cell), pbc=True)
    crystal.calc = GPAW(
        mode=PW(CUT_OFF),
        xc="PBE",
        kpts=SHIFTED,
        symmetry="off",
        nbands=OCCUPIED + 2,
        occupations=FermiDirac(0.01),
        maxiter=120,
        convergence={"density": 1e-3, "eigenstates": 1e-6, "energy": 1e-3},
        txt=None,
    )
    crystal.get_potential_energy()
    bands = crystal.calc.fixed_density(
        kpts=TRIM,
        symmetry="off",
        nbands=OCCUPIED + 6,
        convergence={"bands": OCCUPIED + EMPTY, "eigenstates": 1e-6},
        txt=None,
    )
    return np.array([bands.get_eigenvalues(kpt=i)[CORE : OCCUPIED + EMPTY] for i in range(len(TRIM))])


def row(cell: np.ndarray) -> tuple[float, np.ndarray | None]:
    """Gap in eV, negative where bands overlap, and levels; NaN and none where the calculation failed.

    Args:
        cell: edges in angstrom and angles in degrees `(6,)`.
    """
    try:
        energies = levels(cell)
    except Exception as error:  # a cell that fails is a row that says so, not the end of the run
        print(f"failed: {type(error).__name__}: {error}")
        return math.nan, None
    filled = OCCUPIED - CORE
    return float(energies[:, filled].min() - energies[:, filled - 1].max()), energies


def append(path: Path, header: list[str], values: list[Any]) -> None:
    """Add a line to a CSV file, which begins with the header.

    Args:
        path: the file, which need not be there.
        header: names of the columns.
        values: one for each of them.
    """
    begins = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([header, values] if begins else [values])


def done(path: Path) -> set[int]:
    """Ids in a file that `append` wrote.

    Args:
        path: the file, which need not be there.
    """
    if not path.exists():
        return set()
    with path.open(newline="", encoding="utf-8") as file:
        return {int(line["id"]) for line in csv.DictReader(file)}


def main() -> None:
    """Compute the rows asked for that are not there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--first", type=int, default=0, help="first index in the Sobol sequence")
    parser.add_argument("--count", type=int, default=1)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    samples = given.folder / "samples.csv"
    known = done(samples)
    for i, cell in list(enumerate(cells()))[given.first : given.first + given.count]:
        if i not in known:
            gap, energies = row(cell)
            # Levels first: a row of samples promises that its levels are there.
            if energies is not None:
                append(given.folder / "levels.csv", LEVELS, [i, *(f"{value:.4f}" for value in energies.ravel())])
            append(samples, SAMPLES, [i, *cell, f"{gap:.5f}", int(energies is not None)])
            print(f"{i}: gap {gap:.4f} eV", flush=True)


if __name__ == "__main__":
    main()
