"""The engine that runs cells on this machine, each in a process of its own that no other cell can harm."""

from __future__ import annotations

import os
import signal
import sys
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any

import psutil

from harness import provenance
from harness.durable import StorageError, discard
from harness.execution.console import bound
from harness.execution.engine import Done, Engine, Hear, Job, Left, Lost
from harness.execution.failures import describe, expired, late
from harness.execution.orphans import adopt, end_descendants, end_group_with
from harness.execution.server import begin, running_server
from harness.execution.worker import work
from harness.store import CONSOLE, Store

GRACE = 3.0  # seconds between SIGTERM, upon which a cell tells where it was, and SIGKILL


class Processes(Engine):
    """A process for each cell, forked from a server that has torch loaded."""

    def __init__(self) -> None:
        self.running: list[_Running] = []

    def submit(self, job: Job) -> Future[Done]:
        item = _Running(job)
        self.running.append(item)
        item.start()
        return item.future

    def listen(self, hear: Hear, seconds: float) -> None:
        wait([source for item in self.running for source in item.sources], seconds)
        for item in list(self.running):
            item.receive(hear)
            item.mind_the_time()
            item.mind_the_disk()
            if item.ended:
                self.running.remove(item)
                item.release()
                item.settle()

    def stop(self) -> None:
        for item in self.running:
            item.release()
            if item.left.folder is not None:
                discard(item.left.folder)
        self.running.clear()


class _Running:
    """A cell whose process has been started."""

    def __init__(self, job: Job) -> None:
        self.job, self.future = job, Future[Done]()
        self.future.set_running_or_notify_cancel()
        self.left = Left(provenance.now())
        self.clock = time.monotonic()
        self.talking = self.expelled = False
        self.done: Done | None = None
        self.error: Exception | None = None
        self.messages: Connection | None = None
        self.held: Connection | None = None
        """What ends with this process, and then ends the cell's."""
        self.process: BaseProcess | None = None

    def start(self) -> None:
        """Start the process; a server that has just been killed is replaced once."""
        for last in (False, True):
            context = running_server(self.job.cell.threads)
            try:
                return self._start(context)
            except (OSError, EOFError) as error:
                if last:
                    self.error = Lost("failed", describe(error), self.left)

    def _start(self, context: ForkServerContext) -> None:
        reader, writer = context.Pipe(duplex=False)
        lifeline, self.held = context.Pipe(duplex=False)
        with writer, lifeline:
            process = context.Process(target=_main, args=(self.job, writer, lifeline), daemon=False)
            begin(process)
        self.messages, self.process = reader, process

    @property
    def sources(self) -> list[Any]:
        """What to wait for: messages, and the end of the process."""
        sources: list[Any] = [self.messages] if self.messages is not None and not self.messages.closed else []
        if self.process is not None and self.process.exitcode is None:
            sources.append(self.process.sentinel)
        return sources

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come. A cell whose server was killed works on, and is waited for."""
        if self.process is None or self.done is not None or self.error is not None:
            return True
        if self.process.exitcode is None or self.process.pid is None:
            return False
        try:
            return psutil.Process(self.process.pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def receive(self, hear: Hear) -> None:
        """Take in all that the process has sent so far."""
        try:
            while self.messages is not None and not self.messages.closed and self.messages.poll():
                self._take(self.messages.recv(), hear)
        except (EOFError, OSError):
            assert self.messages is not None
            self.messages.close()

    def _take(self, message: tuple[Any, ...], hear: Hear) -> None:
        if not self.talking:  # the time until the server was ready is not the cell's
            self.talking, self.clock = True, time.monotonic()
            self.left.started = provenance.now()
        match message:
            case ("machine", machine):
                self.left.machine = machine
            case ("folder", name):
                self.left.folder = Store(self.job.root).path(self.job.cell).with_name(name)
            case ("known", part):
                self.left.known.update(part)
            case ("progress", *progress):
                hear(self.job.cell, *progress)
            case ("done", done):
                self.done = done
            case ("storage", text):
                self.error = StorageError(text)
            case ("broken", described):
                self.error = Lost("failed", described, self.left)

    def mind_the_time(self) -> None:
        """Ask a process that is too late to end, and later end it."""
        limit = self.job.timeout
        self.left.seconds = time.monotonic() - self.clock
        if limit is None or not self.talking or self.process is None or self.left.seconds < limit:
            return
        if self.left.seconds > limit + GRACE:
            self._kill()
        elif not self.expelled:
            self.expelled = True
            self.process.terminate()

    def mind_the_disk(self) -> None:
        """Bound what the cell prints, which it could not do itself while a method prints without end."""
        if self.left.folder is not None:
            bound(self.left.folder / CONSOLE)

    def release(self) -> None:
        """End the process and those that it has started, and wait for its end."""
        self._kill()
        if self.process is not None:
            self.process.join()
            self.receive(_ignore)
        for connection in (self.messages, self.held):
            if connection is not None:
                connection.close()

    def settle(self) -> None:
        """Set the future."""
        if self.done is not None:
            self.future.set_result(self.done)
        elif self.error is not None:
            self.future.set_exception(self.error)
        elif self.expelled and self.job.timeout is not None:
            self.future.set_exception(Lost("timeout", late(self.job.timeout), self.left))
        else:
            code = self.process.exitcode if self.process is not None else None
            self.future.set_exception(Lost("killed", expired(code), self.left))

    def _kill(self) -> None:
        if self.process is not None and self.process.pid is not None:
            end_descendants(self.process.pid)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            with suppress(ProcessLookupError, PermissionError):  # it may not lead its group yet
                self.process.kill()


def _ignore(*_: Any) -> None:
    pass


def _main(job: Job, messages: Connection, lifeline: Connection) -> None:
    """What the process of a cell does."""
    os.setpgid(0, 0)
    adopt()
    end_group_with(lifeline)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    say = partial(_send, messages)
    say("process")
    try:
        say("done", work(job, say))
    except StorageError as error:
        say("storage", str(error))
    except BaseException as error:
        say("broken", describe(error))
    finally:
        end_descendants()
        # Whatever the interpreter still says while it ends has no reader.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for the rest of this process)


def _send(messages: Connection, *message: Any) -> None:
    """Send a message; end this process at once where nobody is left to read it."""
    try:
        messages.send(message)
    except OSError:
        os._exit(1)
