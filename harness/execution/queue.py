"""The queue of a cluster: array entries are handed to it through submitit, and it is asked what became of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from typing import Any

from harness.cluster import MOST, Resources
from harness.errors import UsageError
from harness.execution import entry
from harness.execution.entry import Slice

ENDED = {
    *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "PREEMPTED"),
    *("DEADLINE", "REVOKED"),
}
"""SLURM's states in which an entry runs no more, unless it is requeued."""
PATIENCE = 60.0  # seconds for a command of SLURM, whose controller may be busy
LATER = re.compile(
    r"submit limit|temporarily|timed out|unable to contact|MaxSubmit|too many|try again|slurm_receive_msg",
    re.IGNORECASE,
)
"""How SLURM says that it takes no more for now; in all other refusals, waiting changes nothing."""
AWAY = re.compile(r"unable to contact|connect(ion)? (failure|refused)|configuration source", re.IGNORECASE)
"""How it says that its controller is not there."""
SMALLER = re.compile(r"array specification|submit limit|MaxSubmit", re.IGNORECASE)
"""How it says that an array has too many entries."""


class Refused(Exception):
    """The queue did not take an array."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.later, self.smaller = bool(LATER.search(message)), bool(SMALLER.search(message))
        self.away = bool(AWAY.search(message))
        """Whether the controller does not answer."""


class Queue(ABC):
    """Where array entries wait and run; `folder` is submitit's, on a file system that all nodes see."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def executor(self, seconds: float) -> Any:
        """The executor of submitit, for entries that may take so long."""

    @abstractmethod
    def states(self) -> dict[str, str] | None:
        """The state of each entry that is known, in SLURM's words; None where the queue does not answer."""

    @abstractmethod
    def cancel(self, names: Iterable[str]) -> None:
        """End entries, whether they wait or run."""

    def submit(self, slices: Sequence[Slice], seconds: float) -> list[str]:
        """Hand in an array with an entry for each slice; returns the ids of the entries.

        Raises:
            Refused: the queue does not take it.
        """
        try:
            with redirect_stderr(StringIO()):  # submitit prints what it then raises
                return [str(job.job_id) for job in self.executor(seconds).map_array(entry.run, slices)]
        except Exception as error:
            for path in (*self.folder.glob("*.pkl"), *self.folder.glob(".submission_file_*")):
                if re.fullmatch(r"[0-9a-f]{32}", path.stem.removeprefix(".submission_file_")):
                    path.unlink(missing_ok=True)  # of an array that has no id
            raise Refused(_words(error)) from error

    def log(self, name: str) -> Path:
        """The file of what an entry prints."""
        return self.folder / f"{name}_0_log.err"


class Slurm(Queue):
    """SLURM, of which this machine has the commands `sbatch`, `squeue` and `scancel`.

    Raises:
        UsageError: submitit or SLURM is missing here.
    """

    def __init__(self, folder: Path, resources: Resources, cpus: int, mem: str, gres: str | None) -> None:
        super().__init__(folder)
        self.given = {
            "partition": resources.partition,
            "account": resources.account,
            "qos": resources.qos,
            "constraint": resources.constraint,
            "gres": gres,
            "mem": mem,
            "cpus_per_task": cpus,
            "srun_args": [f"--cpus-per-task={cpus}"],  # since SLURM 22.05 a step does not inherit it
        }
        if _submitit() is None:
            raise UsageError("--engine slurm needs submitit. Install it: pip install 'inverse-harness[slurm]'.")
        missing = [name for name in ("sbatch", "srun", "squeue", "scancel") if shutil.which(name) is None]
        if missing:
            raise UsageError(
                f"--engine slurm needs SLURM's {missing[0]}, which is not on this machine's PATH. Run it where jobs "
                "are submitted, such as a login node; or leave out --engine to run the cells on this machine."
            )

    def executor(self, seconds: float) -> Any:
        made = _submitit().SlurmExecutor(self.folder)
        given = {name: value for name, value in self.given.items() if value is not None}
        # A requeued entry goes on where it was. SIGCONT, which does nothing, takes the place of submitit's own warning,
        # which would end the cells.
        more = {"requeue": True, "signal": "CONT@10"}
        made.update_parameters(
            **given,
            job_name="harness",
            time=max(1, round(seconds / 60)),
            nodes=1,
            ntasks_per_node=1,
            array_parallelism=MOST,
            additional_parameters=more,
        )
        return made

    def states(self) -> dict[str, str] | None:
        command = ["squeue", "--me", "--array", "--states=all", "--noheader", "--format=%i %T"]
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
            return {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line.strip()}
        return None

    def cancel(self, names: Iterable[str]) -> None:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["scancel", *names], capture_output=True, check=False, timeout=PATIENCE)


def _words(error: Exception) -> str:
    """What was said, in one line."""
    lines = [re.sub(r"^sbatch: (error: )?", "", line.strip()) for line in str(error).splitlines()]
    return "; ".join(line.rstrip(".") for line in lines if line) or type(error).__name__


def _submitit() -> Any:
    try:
        import submitit
    except ImportError:
        return None
    return submitit
