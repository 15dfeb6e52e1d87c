"""Generate transmission spectra with D4-RCWA: `python -m tasks.metamaterial.generate FOLDER --spectra 10000`.

FOLDER receives chunk_XXXX.npz: `x` (100, 8) float32 in um, `T` (100, 300) float32 on the task's frequencies, `tn`
(100, 48) complex64, the transmitted amplitude on the solver's nodes; and params.json. Chunks are seeded by number and
appear whole or not at all; those that exist are kept, so the same command continues after an interruption. Several
processes may share the work by `--first`. A spectrum takes about 0.7 CPU seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch
from tqdm import tqdm

from harness.durable import write_whole
from tasks.metamaterial.interpolation import BAND, FREQUENCIES, NODES, PERIOD, TOLERANCE, interpolate, nodes
from tasks.metamaterial.rcwa import D4RCWA

SEED = 20251120  # chunk c is drawn from numpy.random.default_rng([SEED, c])
SIZE = 100  # spectra of a chunk
HEIGHTS, RADII = (30.0, 55.0), (42.0, 52.0)  # um, uniform (the authors' data: on a grid of 13 values each)
LIMIT = 1.001  # largest T that is no failure: energy bounds it by 1, single precision errs by 1e-5


def designs(chunk: int, size: int = SIZE) -> np.ndarray:
    """The designs `(size, 8)` of a chunk, float32, in um: h1 to h4, r1 to r4.

    Args:
        chunk: its number.
        size: how many.
    """
    stream = np.random.default_rng([SEED, chunk])
    x = np.concatenate([stream.uniform(*HEIGHTS, (size, 4)), stream.uniform(*RADII, (size, 4))], 1)
    return x.astype(np.float32)


def parameters(operator: D4RCWA, size: int) -> dict[str, Any]:
    """What determines the spectra, as params.json holds it.

    Args:
        operator: the solver.
        size: spectra of a chunk.
    """
    axis = [FREQUENCIES[0], round(FREQUENCIES[1] - FREQUENCIES[0], 9), len(FREQUENCIES)]
    return {
        "M": operator.order,
        "P": PERIOD,
        **asdict(operator.material),
        "n_nodes": NODES,
        "dtype": str(operator.dtype).removeprefix("torch."),
        "aaa_rtol": TOLERANCE[operator.dtype],
        "band": list(BAND),
        "f": axis,
        "h": list(HEIGHTS),
        "r": list(RADII),
        "seed": SEED,
        "size": size,
    }


def generate(
    folder: Path, spectra: int, *, first: int = 0, size: int = SIZE, operator: D4RCWA | None = None, quiet: bool = False
) -> list[Path]:
    """Complete the chunks of `folder` from number `first` on until they hold `spectra`; the chunks' paths.

    Raises ValueError where the folder holds spectra of other parameters, RuntimeError where a spectrum is no spectrum.

    Args:
        folder: where the chunks are, or are to be.
        spectra: how many there are to be from `first` on; whole chunks are made.
        first: number of the first chunk.
        size: spectra of a chunk.
        operator: the solver; that of the task where omitted.
        quiet: show no bar.
    """
    operator = D4RCWA() if operator is None else operator
    folder.mkdir(parents=True, exist_ok=True)
    _declare(folder / "params.json", parameters(operator, size))
    paths = [folder / f"chunk_{c:04d}.npz" for c in range(first, first - (-spectra // size))]
    missing = [(c, path) for c, path in enumerate(paths, first) if not path.exists()]
    with tqdm(total=len(missing) * size, unit="spectrum", disable=quiet) as bar:
        for chunk, path in missing:
            _write(path, _spectra(operator, designs(chunk, size), bar))
    return paths


def _spectra(operator: D4RCWA, x: np.ndarray, bar: tqdm[Any]) -> dict[str, np.ndarray]:
    amplitudes = []
    with torch.no_grad():
        for row in torch.from_numpy(x).double():
            amplitudes.append(operator.amplitudes(row[None], nodes())[1])
            bar.update()
    t = torch.cat(amplitudes)
    power = interpolate(t, torch.tensor(FREQUENCIES, dtype=torch.float64)).numpy()
    failed = ~(np.isfinite(power) & (power <= LIMIT)).all(1)
    if failed.any():
        raise RuntimeError(f"T is not finite or above {LIMIT} for x = {x[failed][0].tolist()}; nothing was written.")
    return {"x": x, "T": power.astype(np.float32), "tn": t.to(torch.complex64).numpy()}


def _declare(path: Path, declared: Mapping[str, Any]) -> None:
    """Write params.json, or see that the one which is there says the same."""
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        other = [name for name, value in declared.items() if found.get(name) != value]
        if other:
            raise ValueError(
                f"{path} says {other[0]} = {found.get(other[0])!r}, not {declared[other[0]]!r}: these are other "
                "spectra. Choose another folder."
            )
        return
    versions = {"torch": torch.__version__, "numpy": np.__version__, "scipy": scipy.__version__}
    write_whole(path, json.dumps({**declared, **versions}, indent=1) + "\n")


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    content = BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_whole(path, content.getvalue())


def main() -> None:
    """Read the command line and generate."""
    parser = argparse.ArgumentParser(description="Transmission spectra of D4-RCWA.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--spectra", type=int, required=True, metavar="N", help="how many; whole chunks of 100")
    parser.add_argument("--first", type=int, default=0, metavar="C", help="number of the first chunk (0)")
    parser.add_argument("--threads", type=int, default=1, help="of torch; one is the most efficient (1)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generate(arguments.folder, arguments.spectra, first=arguments.first)


if __name__ == "__main__":
    main()
