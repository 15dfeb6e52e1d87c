"""The command line: flags and verbs. What a verb does is in `harness.verbs`."""

from __future__ import annotations

import argparse
import errno
import os
import re
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from typing import NoReturn

from harness import __version__, verbs
from harness.config import SELECTIONS, Settings, flag
from harness.ctrl_c import INTERRUPTED, SAID
from harness.durable import STORAGE_ERRNOS
from harness.errors import TRAINING, UsageError, not_installed, unknown
from harness.metrics import METRICS
from harness.options import text_of
from harness.texts import legible, spelt

EXAMPLES = {
    "show": "sinewave/na",
    "show-task": "robotic_arm[convention=kruse]",
    "propose": "results/quick/sinewave/na --target 0.8 --n 10",
    "check": "my-method",
    "new": "method my-method",
    "table": "summary",
    "export": "published-results",
}
"""How the verbs that need an argument are written."""
NEGATIVE = re.compile(r"-(\d|\.\d|inf|nan)")
TARGETS = (
    "file of wanted y: its columns are named as y; read as the file of pairs is, or with options as in "
    "wanted.csv[sep=tab,decimal=comma]"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 all ok, 1 some cells failed, 2 wrong usage, 3 nothing ran."""
    given = list(sys.argv[1:] if argv is None else argv)
    legible((sys.stdout, sys.stderr))
    try:
        code = _dispatch(given)
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"error: {spelt(str(error))}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name not in TRAINING:
            raise
        print(f"error: {not_installed(error.name)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(SAID, file=sys.stderr)
        return INTERRUPTED
    except MemoryError:
        print("error: There is not enough memory. End other programs, or give `run` fewer --jobs.", file=sys.stderr)
        return 3
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # a name that was given: those of the harness are short
            print(f"error: {str(error.filename)!r} is too long a name. Give a shorter one.", file=sys.stderr)
            return 2
        if error.errno not in STORAGE_ERRNOS or error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"error: What is printed cannot be written: {error.strerror}.", file=sys.stderr)
        return 2


def _dispatch(given: list[str]) -> int:
    parser, each = build_parser()
    if given and not given[0].startswith("-") and given[0] not in each:
        raise unknown("verb", given[0], each)
    arguments, extra = parser.parse_known_args(joined(given))
    if "verb" not in vars(arguments):
        parser.print_help()
        return 2
    if extra:
        flags = [flag for flag in each[given[0]]._option_string_actions if flag.startswith("--")]
        raise unknown(f"argument of {given[0]}", extra[0].partition("=")[0], flags)
    code: int = arguments.verb(arguments)
    return code


def joined(given: Sequence[str]) -> list[str]:
    """The arguments with each value that begins with a minus behind its flag: `--target=-0.2,1.5`.

    As a word of its own, argparse takes it for a flag.
    """
    found: list[str] = []
    for word in given:
        if NEGATIVE.match(word) and found and found[-1].startswith("--") and "=" not in found[-1]:
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are those of the harness: what is wrong, and how the verb is written."""

    def error(self, message: str) -> NoReturn:
        verb = self.prog.split()[-1]
        text = re.sub(r"^argument (\S+): ", r"\1: ", message)
        text = re.sub(r"^the following arguments are required: (.*)$", r"it needs \1", text)
        example = f" Write for example: {self.prog} {EXAMPLES[verb]}" if verb in EXAMPLES else ""
        raise UsageError(f"{verb}: {text.rstrip('.')}.{example}")


def _whole(least: int) -> Callable[[str], int]:
    """What reads a whole number from a flag's text."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[-+]?\d+", text.strip()) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed. Allowed: a whole number, {least} or more")
        return int(text)

    return read


def build_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of its verbs by name."""
    parser = _Parser(prog="python -m harness", description="Benchmark of inverse methods.")
    parser.add_argument("--version", action="version", version=f"inverse-harness {__version__}")
    group = parser.add_subparsers(metavar="VERB")
    each: dict[str, argparse.ArgumentParser] = {}
    for name, function in verbs.VERBS.items():
        text = (function.__doc__ or "").splitlines()[0]
        each[name] = group.add_parser(name, help=text, description=text, allow_abbrev=False)
        each[name].set_defaults(verb=function)
    _add_run(each["run"])
    _add_others(each)
    _add_judging(each)
    return parser, each


def _add_judging(each: dict[str, argparse.ArgumentParser]) -> None:
    each["claims"].add_argument("names", nargs="*", help="claims, of which all evidence is shown", metavar="NAME")
    each["ablation"].add_argument("name", nargs="?", help="an ablation (default: list them)", metavar="NAME")
    for name in ("claims", "ablation"):
        what = "an ablation" if name == "ablation" else "a claim"
        text = f"a file of {what} of your own, beside those that are installed; may be given several times"
        each[name].add_argument("--from", dest="own", action="append", default=[], metavar="FILE.toml", help=text)
        each[name].add_argument("--tasks", dest="only", default=None, help="only these tasks (default: all)")
        text = "markdown, latex, csv or json (default: markdown)"
        each[name].add_argument("--format", default="markdown", help=text)
        text = "first run what is missing, with the flags below"
        each[name].add_argument("--run", dest="go", action="store_true", help=text)
        _add_run(each[name], without=SELECTIONS)
    folder = "where the figure is drawn (default: figures, in --out)"
    each["ablation"].add_argument("--folder", default=None, metavar="DIR", help=folder)


def _add_run(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Flags are kept as text, absent where not given: `harness.config` converts them and puts them over the file."""
    for item in fields(Settings):
        if item.name in without:
            continue
        name, text = flag(item.name), item.metadata["help"].replace("%", "%%")
        if isinstance(item.default, bool):
            parser.add_argument(name, help=text, default=argparse.SUPPRESS, action="store_true")
            continue
        if item.default is not None:
            text += f" (default: {text_of(item.default)})"
        nargs = "+" if item.name in SELECTIONS else None
        parser.add_argument(name, help=text, default=argparse.SUPPRESS, metavar=item.name.upper(), nargs=nargs)
    parser.add_argument("--config", help="a TOML run file that holds any of these flags", metavar="FILE")


def _add_others(each: dict[str, argparse.ArgumentParser]) -> None:
    each["list"].add_argument(
        "what", nargs="?", help=f"one of {', '.join(verbs.LISTS)} (default: all but the last two)"
    )
    each["show"].add_argument("what", help="a key or its beginning, the path of a record, or TASK/METHOD")
    each["show-task"].add_argument("task", help="a task, with options as in robotic_arm[convention=kruse]")
    each["show-task"].add_argument("--picture", metavar="FILE", help="PNG file to draw (default: NAME.png)")
    ask = each["propose"]
    ask.add_argument("cell", help="a trained method: RUN/TASK/METHOD, such as results/quick/sinewave/na, or .../KEY")
    ask.add_argument("--target", default=None, help="the wanted y, a number for each of its entries: 1.2 or 0.5,0.1")
    ask.add_argument("--targets", default=None, metavar="FILE", help=TARGETS)
    ask.add_argument("--n", type=_whole(1), default=10, help="designs for each target (default: 10)")
    ask.add_argument("--seed", type=_whole(0), default=0, help="of the method's random numbers (default: 0)")
    ask.add_argument("--out", default=None, metavar="FILE", help="CSV file to write all columns to")
    made = each["new"]
    made.add_argument("kind", help="task or method")
    made.add_argument("name", help="the plug-in's name, such as my-task")
    made.add_argument(
        "--from", dest="pairs", metavar="FILE", help="file of the task's pairs, also as in pairs.csv[decimal=comma]"
    )
    made.add_argument("--x", help="columns of the design, such as a, a:f, r* or a+c:f")
    made.add_argument("--y", help="columns of the target, written alike")
    made.add_argument("--folder", metavar="DIR", help="the folder to write, which must not exist (default: NAME)")
    each["check"].add_argument("names", nargs="+", help="plug-ins: names, groups, globs or all")
    table = each["table"]
    table.add_argument("name", help="a table, or all; or compare, for two methods on the same targets", metavar="NAME")
    table.add_argument(
        "pair", nargs="*", default=[], help="with compare: the two methods, by their labels", metavar="METHOD"
    )
    table.add_argument("--format", default="markdown", help="markdown, latex, csv or json (default: markdown)")
    table.add_argument("--metric", default=None, help=f"{', '.join(METRICS)} (default: the table's own)")
    beside = "show the papers' values beside ours, or leave them out (default: show)"
    table.add_argument("--published", action=argparse.BooleanOptionalAction, default=True, help=beside)
    table.add_argument("--methods", default=None, help="only these methods: names, labels, groups or globs")
    table.add_argument("--tasks", default=None, help="only these tasks")
    within = "only these scenarios, base for none, or all (default: all, but none in tables that hold for any task)"
    table.add_argument("--scenarios", default=None, help=within)
    told = each["advise"]
    told.add_argument("--tasks", default=None, help="only these tasks")
    told.add_argument("--seconds", default=None, help="budgets of time for a design (default: 0.001,0.01,0.1,1)")
    told.add_argument("--simulations", default=None, help="budgets of simulations for a target (default: 1,10,200)")
    told.add_argument("--pairs", default=None, metavar="N", help="pairs that you have to learn from")
    told.add_argument("--calls", default=None, metavar="C", help="calls of the true simulator for each target")
    told.add_argument("--gaps", default=None, metavar="SHARE", help="share of y that is not known in your targets")
    told.add_argument("--noise", default=None, metavar="SD", help="noise on your y: its deviation, in that of each y")
    told.add_argument("--metric", default="nmse", help=f"{', '.join(METRICS)} (default: nmse)")
    papers = each["compare"]
    papers.add_argument("--to", default="all", metavar="PAPERS", help="such as ren2020,ipage2023 (default: all)")
    papers.add_argument("--tasks", default=None, help="only these tasks (default: all)")
    papers.add_argument("--format", default="markdown", help="markdown, latex, csv or json (default: markdown)")
    drawn = each["figures"]
    drawn.add_argument("names", nargs="*", help="figures (default: all)", metavar="NAME")
    drawn.add_argument("--format", default="pdf,svg,png", help="pdf, svg and png, a comma list (default: all three)")
    drawn.add_argument("--metric", default=None, help=f"{', '.join(METRICS)} (default: the figure's own)")
    drawn.add_argument("--methods", default=None, help="only these methods: names, labels, groups or globs")
    drawn.add_argument("--tasks", default=None, help="only these tasks")
    drawn.add_argument("--scenarios", default=None, help=within.replace("tables", "figures"))
    drawn.add_argument("--folder", default=None, metavar="DIR", help="where to write (default: figures, in --out)")
    each["export"].add_argument("target", help="the folder to copy to")
    each["export"].add_argument(
        "--largest", type=_whole(0), default=64, metavar="KB", help="leave out files above (64 KB)"
    )
    only = "score these only, with options as in operators[operator=full,designs=25] (default: as it was scored)"
    each["rescore"].add_argument("--protocols", default=None, help=only)
    for name in (
        "list",
        "show",
        "table",
        "figures",
        "report",
        "advise",
        "compare",
        "verify",
        "rescore",
        "export",
        "time",
    ):
        default = "results" if name == "list" else str(verbs.DEFAULT_OUT)
        each[name].add_argument("--out", default=default, metavar="DIR", help=f"result folder (default: {default})")
