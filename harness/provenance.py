"""Where a record comes from: versions, commit, hardware. Never a host name, a user name or an absolute path."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

import harness
from harness.cores import usable_cores
from harness.texts import clean

DISTRIBUTIONS = ("torch", "numpy", "scipy", "FrEIA", "nflows", "zuko", "safetensors")


def environment() -> dict[str, Any]:
    """What stays the same during a run: `machine()`, and the state of the checkout."""
    return {**machine(), "git": git_state(Path(harness.__file__).parents[1])}


def machine() -> dict[str, Any]:
    """Versions and hardware of where this process runs. Imports nothing that it describes."""
    own = {"harness": harness.__version__, "python": platform.python_version()}
    return {
        "versions": {**own, **{name: version(name) for name in DISTRIBUTIONS}},
        "platform": " ".join((platform.system(), platform.machine(), *platform.libc_ver())).strip(),
        "cpu": cpu_model(),
        "cores": {"physical": psutil.cpu_count(logical=False), "logical": os.cpu_count(), "usable": usable_cores()},
        "memory_bytes": psutil.virtual_memory().total,
    }


def stamp(
    fixed: Mapping[str, Any], *, device: str, threads: int, started: datetime, details: bool = True
) -> dict[str, Any]:
    """The provenance of one cell: `environment()` with device, threads, load average and times in UTC.

    Without `details` a GPU is not asked for its name, which would create a context on it.
    """
    return {
        **fixed,
        "device": device,
        **(device_details(device, str(fixed.get("cpu"))) if details else {"device_name": None, "gpu": None}),
        "threads": threads,
        "load": load_average(),
        "started": started.isoformat(timespec="seconds"),
        "ended": now().isoformat(timespec="seconds"),
    }


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def version(distribution: str) -> str | None:
    """The installed version, None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def git_state(root: Path) -> dict[str, Any] | None:
    """Commit and whether tracked files differ from it; None where `root` is not the top of a git checkout."""
    top = _git(root, "rev-parse", "--show-toplevel")
    commit = _git(root, "rev-parse", "HEAD")
    if top is None or commit is None or Path(top).resolve() != root.resolve():
        return None
    return {"commit": commit, "dirty": _git(root, "status", "--porcelain", "--untracked-files=no") != ""}


def _git(root: Path, *arguments: str) -> str | None:
    # A git hook that calls us exports GIT_DIR, which would name another repository.
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=20, env=clean, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def cpu_model() -> str:
    """The processor's name, as far as the system tells it."""
    found = re.search(r"^model name\s*: (.+)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    if found:
        return found[1].strip()
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


@cache
def device_kind(device: str) -> str:
    """What a cell's key says of its device: `cpu`, or `cuda` with the model of the GPU, such as `cuda NVIDIA H100`.

    Just `cuda` where there is no GPU to be asked.
    """
    if not device.startswith("cuda"):
        return device
    import torch

    if not torch.cuda.is_available():
        return "cuda"
    return f"cuda {clean(torch.cuda.get_device_name(torch.device(device)))}"


def load_average() -> list[float]:
    """Runnable processes, averaged over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in psutil.getloadavg()]


def device_details(device: str, cpu: str) -> dict[str, Any]:
    """Name of the device and, on a GPU, its memory and CUDA version."""
    if not device.startswith("cuda"):
        return {"device_name": cpu, "gpu": None}
    import torch

    properties = torch.cuda.get_device_properties(torch.device(device))
    return {
        "device_name": properties.name,
        "gpu": {"memory_bytes": properties.total_memory, "cuda": torch.version.cuda},
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _output(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=20, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
