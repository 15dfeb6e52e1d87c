"""A SLURM of one node on this machine: controller, node and their authentication, all of it in one folder.

Nothing outside the folder is read or written, and no rights are needed beyond those of the user.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol")
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmdPort={work}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
MaxArraySize=4
KillWait=5
SlurmdTimeout=10
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
"""A small `MaxArraySize`, so that an array of more entries is refused; quick to kill, and to notice a node's end."""


class Node:
    """The cluster. `SLURM_CONF` leads all commands to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all daemons, and wait until jobs can run."""
        for name in ("state", "spool", "log"):
            (self.folder / name).mkdir()
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o600)
        host, user = socket.gethostname().partition(".")[0], getpass.getuser()
        ports = {"control": free_port(), "work": free_port()}
        path = self.folder / "slurm.conf"
        path.write_text(CONFIGURATION.format(host=host, user=user, folder=self.folder, **ports))
        os.environ["SLURM_CONF"] = str(path)
        own = [f"--{name}={self.folder}/munge.{name.partition('-')[0]}" for name in ("socket", "key-file", "pid-file")]
        own += [f"--seed-file={self.folder}/munge.seed", f"--log-file={self.folder}/log/munged"]
        self._launch("munged", "--foreground", "--force", *own)
        wait_until(lambda: (self.folder / "munge.socket").exists(), "munged")
        self._launch("slurmctld", "-D")
        self.start_node()

    def start_node(self) -> None:
        """Start the node's own daemon, and wait until it is idle."""
        self._launch("slurmd", "-D")
        wait_until(lambda: "idle" in said("sinfo", "--noheader", "--format=%t"), "the node")

    def kill_node(self) -> None:
        """What a power failure does: the node's daemon and all of its jobs end without a word."""
        daemon = psutil.Process(self.daemons["slurmd"].pid)
        steps = [process for process in psutil.process_iter(["name"]) if process.info["name"] == "slurmstepd"]
        own = [process for process in steps if process.uids().real == os.getuid()]
        doomed = [daemon, *own, *(child for step in own for child in step.children(recursive=True))]
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.daemons.pop("slurmd").wait()

    def stop(self) -> None:
        """End all jobs and daemons."""
        with suppress(OSError):
            subprocess.run(["scancel", "--me", "--signal=KILL"], check=False, capture_output=True)
            subprocess.run(["scancel", "--me"], check=False, capture_output=True)
            with suppress(AssertionError):
                wait_until(lambda: not said("squeue", "--me", "--noheader").strip(), "the queue to be empty")
        for process in reversed(self.daemons.values()):
            process.send_signal(signal.SIGTERM)
            process.wait()
        os.environ.pop("SLURM_CONF", None)

    def _launch(self, name: str, *arguments: str) -> None:
        path = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]))
        assert path is not None, f"{name} is not installed"
        with (self.folder / "log" / f"{name}.txt").open("ab") as log:
            self.daemons[name] = subprocess.Popen([path, *arguments], stdout=log, stderr=log)


def said(*command: str) -> str:
    """What a command prints; nothing where it fails, as it does while daemons start."""
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition, what: str, seconds: float = 120.0) -> None:
    """Wait until something is true, and fail where it never is."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.2)
