"""Whatever encoding the terminal or the locale has, every verb prints something that can be read, and no traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.texts import legible
from tests.plugins import write

ROOT = Path(__file__).parents[1]
LOCALES = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
}


def harness(*arguments: str, folder: Path, paths: tuple[Path, ...] = (), **environment: str) -> tuple[int, str]:
    """Call the command line in a process of its own; its exit code and all that it printed."""
    found = os.pathsep.join([*map(str, paths), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": found, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout.decode("latin-1")


def test_what_an_encoding_does_not_have_is_written_otherwise() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "ascii")
    legible([stream])
    stream.write("2 × 3 ± 1 – ‖x‖² ≤ 5 µm, 雪, \udcff\n")
    stream.flush()
    assert raw.getvalue() == b"2 x 3 +- 1 - ||x||^2 <= 5 um, ?, ?\n"


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES)
def test_every_verb_prints_whatever_the_locale(tmp_path: Path, locale: str) -> None:
    out = ("--out", str(ROOT / "results" / "reference"))
    verbs = [
        ("--help",),
        ("list",),
        ("list", "results", *out),
        ("table", "all", *out),
        ("show", "sinewave/mdn", *out),
        ("verify", *out),
        ("show-task", "sinewave"),
        ("check", "prior"),
        ("new", "method", "mine"),
        ("run", "--dry-run", "--preset", "smoke", "--methods", "prior", "--tasks", "sinewave"),
        ("export", "copied", *out),
    ]
    for arguments in verbs:
        code, text = harness(*arguments, folder=tmp_path, **LOCALES[locale])
        assert code == 0 and "Traceback" not in text and len(text) > 10, (arguments, text)
        assert locale == "latin-1" or text.isascii(), arguments


MUTTERS = """
def mutters(x_train, y_train):
    print("µ = 3 × λ")
    return lambda y, n, generator: x_train[:n].expand(len(y), -1, -1)
"""
BOWL = "print('µ')\ndef bowl(x):\n    print('λ')\n    return x.sum(1)\n"


@pytest.mark.slow
def test_a_run_with_texts_of_all_kinds_ends_well_in_the_locale_c(tmp_path: Path) -> None:
    installed = write(tmp_path / "installed", MUTTERS, methods={"mutters": "mutters"})
    rows = "".join(f"{i % 7},{i * i % 61},{i % 7 + i * i % 61}\n" for i in range(120))
    (tmp_path / "gréen.csv").write_text("µ,x [°],y\n" + rows, encoding="utf-8")
    (tmp_path / "bowl.py").write_text(BOWL, encoding="utf-8")
    task = "dataset[path=gréen.csv,x=µ+x*,simulator=bowl:bowl]"
    run = ("run", "--preset", "smoke", "--methods", "mutters,prior", "--tasks", task, "--jobs", "1", "--out", "out")
    environment = {**LOCALES["C"], "INVERSE_HARNESS_CACHE": str(tmp_path / "cache")}
    code, text = harness(*run, folder=tmp_path, paths=(installed,), **environment)
    assert code == 0 and "Traceback" not in text, text
    (console,) = (tmp_path / "out").rglob("console.txt")
    assert console.read_text(encoding="utf-8") == "µ = 3 × λ\n"
    code, text = harness("rescore", "--out", "out", folder=tmp_path, paths=(installed,), **environment)
    assert code == 0 and "left as it is" not in text, text


@pytest.mark.parametrize("pairs", ["gréen.csv", "gréen.csv[decimal=point]"])
def test_arguments_are_read_as_they_are_written_whatever_the_locale(tmp_path: Path, pairs: str) -> None:
    rows = "".join(f"{i % 7},{i * i % 61},{i % 7 + i * i % 61}\n" for i in range(120))
    (tmp_path / "gréen.csv").write_text("µ,x,y\n" + rows, encoding="utf-8")
    for columns, status in (("ö", 2), ("µ+x", 0)):
        new = ("new", "task", "mine", "--from", pairs, "--x", columns, "--y", "y")
        code, text = harness(*new, folder=tmp_path, **LOCALES["C"])
        assert code == status and "Traceback" not in text and "udc" not in text, text
    assert "µ" in (tmp_path / "mine" / "mine" / "__init__.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise MemoryError", "MemoryError: it needs more memory than there is, so end other programs and call again"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
    ],
)
def test_a_plug_in_that_does_not_let_itself_be_imported_is_one_line(tmp_path: Path, code: str, said: str) -> None:
    installed = write(tmp_path / "installed", code, methods={"broken": "Broken"})
    status, text = harness("run", "--methods", "broken", "--tasks", "sinewave", folder=tmp_path, paths=(installed,))
    assert status == 2 and said in text and text.count("\n") == 1
    status, text = harness("list", "methods", folder=tmp_path, paths=(installed,))
    assert status == 0 and "broken  BROKEN" in text and "mdn  (version" in text


SWALLOWS = """
import os
import signal

try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    pass
raise ImportError("cannot load module more than once per process")
"""
LISTENS_NO_MORE = """
import atexit
import os
import signal

atexit.register(os.kill, os.getpid(), signal.SIGINT)
raise KeyboardInterrupt
"""


@pytest.mark.parametrize("code", ["raise KeyboardInterrupt", SWALLOWS, LISTENS_NO_MORE])
@pytest.mark.parametrize(
    "verb",
    [("list", "methods"), ("run", "--preset", "smoke", "--methods", "broken", "--dry-run")],
    ids=lambda verb: verb[0],
)
def test_ctrl_c_during_an_import_is_one_line(tmp_path: Path, verb: tuple[str, ...], code: str) -> None:
    installed = write(tmp_path / "installed", code, methods={"broken": "Broken"})
    status, text = harness(*verb, folder=tmp_path, paths=(installed,))
    assert (status, text) == (130, "Interrupted. The same command continues.\n")
