"""The two kinds of simulators that a user can name: a Python function, and any other program."""

from __future__ import annotations

import ast
import csv
import math
import re
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import IO

import numpy as np

from harness.cache_folder import digest
from harness.errors import UsageError, unknown
from tasks.workers import Failed, Workers, printed

DYNAMIC = {"globals", "exec", "setattr", "vars"}  # by which a module may get names that its source does not show
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def engine(text: str, x_names: Sequence[str], whole: Sequence[bool], y_dim: int, limit: float) -> Function | Program:
    """What answers a batch, from the text of the option.

    Args:
        text: `module:function`, or a command.
        x_names: names of the columns of x, which a program is given.
        whole: for each column of x, whether it holds whole numbers.
        y_dim: numbers that an answer must have for each design.
        limit: seconds that a batch may take.

    Raises:
        UsageError: no such module, function in it, or program.
    """
    if FUNCTION.fullmatch(text):
        _require_function(text)
        return Function(text, y_dim, limit)
    return Program(_words(text), x_names, whole, y_dim, limit)


def identity(text: str) -> str:
    """SHA-256 of a simulator as far as it can be seen, wherever it is.

    That is `module:function` and the contents of the module's file; or the command, in which a file goes by its name
    without folders, and the contents of the files that it names.

    Args:
        text: `module:function`, or a command.
    """
    if FUNCTION.fullmatch(text):
        return digest(text.encode(), _source(text).read_bytes())
    words = _words(text)
    files = {word: Path(word) for word in words if Path(word).is_file()}
    command = shlex.join(files[word].name if word in files else word for word in words)
    return digest(command.encode(), *(files[word].read_bytes() for word in words if word in files))


class Program:
    """A program that is started for each batch: designs as CSV on its standard input, targets as CSV on its output.

    The input begins with the names of the columns; numbers have all their digits, and those of a column of whole
    numbers no point. The output has a row for each design, in the same order, and may begin with names; `nan` stands
    for what cannot be simulated.

    Args:
        words: the command and its arguments.
        names: of the columns of x.
        whole: for each of them, whether it holds whole numbers.
        y_dim: numbers in a row of the output.
        limit: seconds that a batch may take.
    """

    def __init__(
        self, words: Sequence[str], names: Sequence[str], whole: Sequence[bool], y_dim: int, limit: float
    ) -> None:
        self.words, self.names, self.whole, self.y_dim, self.limit = list(words), list(names), whole, y_dim, limit

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Targets `(n, y_dim)` of designs, float64.

        Args:
            x: designs `(n, x_dim)`, physical.

        Raises:
            Failed: the program ended with an error or too late, or its output is no such table.
        """
        # Files rather than pipes: a pipe stays open until the last process that the program has left behind ends.
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as questions,
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace", newline="") as answers,
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        ):
            csv.writer(questions).writerows([self.names, *map(self._written, x.tolist())])
            questions.seek(0)
            try:
                self._run(questions, answers, errors)
                answers.seek(0)
                return _table(answers.read(), len(x), self.y_dim)
            except (Failed, OSError) as failure:
                raise Failed(f"{failure} {printed(errors)}") from failure

    def _written(self, row: Sequence[float]) -> list[float]:
        """A design with whole numbers as such: a program may not read 3.0 as one."""
        pairs = zip(row, self.whole, strict=True)
        return [int(value) if whole and value.is_integer() else value for value, whole in pairs]

    def _run(self, questions: IO[str], answers: IO[str], errors: IO[str]) -> None:
        process = Popen(self.words, stdin=questions, stdout=answers, stderr=errors)
        try:
            status = process.wait(self.limit)
        except TimeoutExpired:
            raise Failed(f"It took longer than {self.limit:g} s.") from None
        finally:
            process.kill()
            process.wait()
        if status:
            raise Failed(f"It ended with status {status}.")


class Function(Workers):
    """A Python function `(n, x_dim)` to `(n, y_dim)`, in processes of its own that can be ended when it is too slow.

    Args:
        name: `module:function`.
        y_dim: numbers for each design.
        limit: seconds that a batch may take.
    """

    def __init__(self, name: str, y_dim: int, limit: float) -> None:
        super().__init__(name, limit)
        self.y_dim = y_dim

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Targets `(n, y_dim)` of designs, float64.

        Args:
            x: designs `(n, x_dim)`, physical.

        Raises:
            Failed: the function raised or took too long, its process died, or what it returned has another shape.
        """
        y = super().__call__(x)
        if self.y_dim == 1 and y.shape == (len(x),):
            y = y[:, None]
        if y.shape != (len(x), self.y_dim):
            raise Failed(f"It returned shape {y.shape} for {len(x)} designs; return {(len(x), self.y_dim)}.")
        return y


def _table(text: str, rows: int, columns: int) -> np.ndarray:
    """The targets that a program wrote.

    Raises:
        Failed: they are not so many rows and columns of numbers.
    """
    lines = [line for line in csv.reader(StringIO(text)) if line]
    if lines and not any(_number(cell) is not None for cell in lines[0]):
        del lines[0]
    if len(lines) != rows:
        raise Failed(f"It wrote {len(lines)} rows for {rows} designs; it must write one for each.")
    for line in lines:
        if len(line) != columns or any(_number(cell) is None for cell in line):
            raise Failed(f"It wrote {','.join(line)[:80]!r}; a row must be {columns} numbers with commas between them.")
    return np.array([[_number(cell) for cell in line] for line in lines], dtype=np.float64)


def _number(cell: str) -> float | None:
    """The number in a cell, NaN in an empty one, None where there is something else."""
    try:
        return float(cell) if cell.strip() else math.nan
    except ValueError:
        return None


def _source(text: str) -> Path:
    """The file of the module of `module:function`."""
    module = text.partition(":")[0]
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise UsageError(
            f"simulator={text}: there is no module {module!r} in the current folder or among the installed ones. "
            "Write module:function, or a command such as ./program."
        )
    return Path(spec.origin)


def _require_function(text: str) -> None:
    """Refuse a function that its module does not have, as far as its source tells; nothing of the user's is run.

    Raises:
        UsageError: with the names that the module has.
    """
    path, (module, _, function) = _source(text), text.partition(":")
    try:
        found = _defined(ast.parse(path.read_bytes())) if path.suffix == ".py" else None
    except (SyntaxError, ValueError):  # which the module's process shows with the line
        return
    name = function.partition(".")[0]
    if found is not None and name not in found:
        error = unknown(f"function of {module}", name, [known for known in found if not known.startswith("_")])
        raise UsageError(f"simulator={text}: {error} Write module:function, with a function of {path}.")


def _defined(tree: ast.Module) -> set[str] | None:
    """The names that a module has once it is imported; None where its source does not tell."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Name) and node.id in DYNAMIC:
            return None
        waiting.extend(ast.iter_child_nodes(node))
    return None if "*" in found or "__getattr__" in found else found


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"simulator={text} is not a command: {error}.") from error
    if not words or shutil.which(words[0]) is None:
        raise UsageError(
            f"simulator={text}: there is no program {(words or [''])[0]!r} that can be executed. Write module:function "
            "for a Python function, ./program for a program in the current folder."
        )
    return words
