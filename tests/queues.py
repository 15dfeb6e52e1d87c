"""A queue of this machine: submitit's local executor, with each entry in processes of its own that outlive ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import psutil
import submitit

from harness.execution.entries import Entries, Pace, Shape
from harness.execution.entry import Slice
from harness.execution.ledger import FOLDER
from harness.execution.queue import Queue, Refused


class Keeping(submitit.LocalExecutor):
    """Keeps the handles of its processes: Python warns of one that is dropped while it runs."""

    kept: ClassVar[list[Any]] = []

    def _submit_command(self, command: str) -> Any:
        self.kept.append(super()._submit_command(command)._process)
        return submitit.LocalJob(self.folder, str(self.kept[-1].pid), [0], self.kept[-1])


FAST = Pace(look=0.05, ask=0.2, settle=0.5, retry=0.5)


class LocalQueue(Queue):
    """Processes in place of a cluster's queue. `handed_in` tells how many cells each entry of each array had."""

    def __init__(self, root: Path, refuse: Sequence[str] = ()) -> None:
        super().__init__(root.absolute() / FOLDER)
        self.refuse, self.cancelled = list(refuse), dict[str, str]()
        self.handed_in: list[list[int]] = []

    def executor(self, seconds: float) -> Any:
        return Keeping(self.folder)

    def submit(self, slices: Sequence[Slice], seconds: float) -> list[str]:
        if self.refuse and (message := self.refuse.pop(0)):
            raise Refused(message)
        self.handed_in.append([len(part.jobs) for part in slices])
        return super().submit(slices, seconds)

    def states(self) -> dict[str, str] | None:
        names = [path.name.removesuffix("_submitted.pkl") for path in self.folder.glob("*_submitted.pkl")]
        return {name: "RUNNING" for name in names if runs(int(name))} | self.cancelled

    def cancel(self, names: Iterable[str]) -> None:
        for name in names:
            self.cancelled[name] = "CANCELLED"
            with suppress(psutil.NoSuchProcess):
                controller = psutil.Process(int(name))
                for process in (controller, *controller.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()


def runs(pid: int) -> bool:
    """Whether a process runs, a zombie aside."""
    for process in Keeping.kept:
        process.poll()
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def engine(root: Path, queue: Queue | None = None, *, quiet: bool = True, **shape: Any) -> Entries:
    """The engine on such a queue."""
    return Entries(queue or LocalQueue(root), root, {}, Shape(**shape), FAST, quiet)
