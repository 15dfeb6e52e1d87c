"""Every property is broken on purpose once, and must be the one that is found."""

from __future__ import annotations

import math
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, fields, replace
from types import SimpleNamespace

import pytest
import torch
from torch import Generator, nn

import harness
from harness.conformance import Finding, check, check_here, check_method, check_task
from harness.conformance.imports import forbidden_imports
from harness.conformance.trial import trainable_tensors
from harness.contracts import Kind, Method, Pairs, Phase, Proposals, Task
from harness.registry import discover
from tests.plugins import install, write
from tests.test_execution import alive
from tests.toys import Waves


def broken(findings):
    return {finding.property: finding.message for finding in findings if not finding.ok}


class Line(Task):
    """A task that conforms: y = x0 - x1 in the unit square."""

    x_dim = 2
    y_dim = 1
    fixed_target = (0.5,)
    x_labels = ("a", "b")

    @property
    def bounds(self):
        return torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)

    def sample_prior(self, n, generator):
        return torch.rand(n, 2, generator=generator, dtype=torch.float64)

    def simulate(self, x):
        y = x[:, :1] - x[:, 1:]
        return torch.where(self.in_support(x)[:, None], y, math.nan)


@dataclass
class Thawed:
    """Options that can be changed."""

    sign: int = 1


@dataclass(frozen=True)
class Demanding:
    """Options without defaults."""

    sign: int


class BadLabels(Line):
    x_labels = ("a", "b", "c")


class BadOptions(Line):
    Options = Thawed


class Flat(Line):
    def simulate(self, x):
        return super().simulate(x)[:, 0]


class Single(Line):
    def simulate(self, x):
        return super().simulate(x).float()


class NumberMask(Line):
    def in_support(self, x):
        return torch.isfinite(x).all(-1).double()

    def simulate(self, x):
        return torch.where(self.in_support(x).bool()[:, None], x[:, :1] - x[:, 1:], math.nan)


class Elsewhere(Line):
    def simulate(self, x):
        return super().simulate(x).to("meta")


class Entangled(Line):
    def simulate(self, x):
        return super().simulate(x) * (1 + 1e-6 * len(x))


class GlobalDraws(Line):
    def sample_prior(self, n, generator):
        return torch.rand(n, 2, dtype=torch.float64)


class SameDraws(Line):
    def sample_prior(self, n, generator):
        return super().sample_prior(n, Generator().manual_seed(0))


class Meddling(Line):
    def simulate(self, x):
        y = super().simulate(x)
        x.mul_(15)
        return y


class Forgiving(Line):
    def simulate(self, x):
        return super().simulate(x.nan_to_num())


class Contagious(Line):
    def simulate(self, x):
        return super().simulate(x) if x.isfinite().all() else super().simulate(x) * math.nan


class Welcoming(Line):
    def in_support(self, x):
        return torch.ones(len(x), dtype=torch.bool)

    def simulate(self, x):
        return torch.where(x.isfinite().all(-1)[:, None], x[:, :1] - x[:, 1:], math.nan)


class SmallBox(Line):
    @property
    def bounds(self):
        return torch.tensor([[0.0, 0.0], [1.0, 0.5]], dtype=torch.float64)


class TurnedBox(Line):
    @property
    def bounds(self):
        return super().bounds.flip(0)


class ThinBox(Line):
    @property
    def bounds(self):
        return super().bounds.T[:1]


class LongTarget(Line):
    fixed_target = (0.5, 0.5)


class NoTarget(Line):
    fixed_target = (math.nan,)


class StrictDomain(Line):
    def in_support(self, x):
        return torch.isfinite(x).all(-1) & (x[:, 0] < 0.9)

    def simulate(self, x):
        return torch.where(x.isfinite().all(-1)[:, None], x[:, :1] - x[:, 1:], math.nan)


class Fragile(Line):
    def simulate(self, x):
        return torch.where(x[:, :1] > 0.8, super().simulate(x), math.nan)


class Squared(Line):
    x_shape = (2, 2)


class ShortAxis(Line):
    y_axis = ("wavelength [nm]", (1.0, 2.0))


class Generous(Line):
    def pairs(self, n, generator):
        return self.draw(n + 1, generator)


class Shuffled(Line):
    def pairs(self, n, generator):
        return self.draw(n, Generator().manual_seed(random.randrange(2**31)))


class Noisy(Line):
    simulated_pairs = True

    def pairs(self, n, generator):
        pairs = self.draw(n, generator)
        return Pairs(pairs.x, pairs.y + 0.01)


class WrongImage(Line):
    def images(self, x):
        return torch.stack([x, x.flip(-1)])


class ImagesAlone(Line):
    def images(self, x):
        return (x + 0.1)[None]


class FlatDiagnosis(Line):
    def diagnose(self, x):
        return {"distance": x.norm()}


class Months(Line):
    kinds = (Kind("integer"), Kind("continuous"))


BROKEN_TASKS = [
    (BadLabels, "declaration", "3 entries"),
    (BadOptions, "declaration", "frozen=True"),
    (Flat, "shapes", "return (32, 1)"),
    (Single, "dtypes", "torch.float64"),
    (NumberMask, "dtypes", "torch.bool"),
    (Elsewhere, "devices", "on the device of x"),
    (Entangled, "batch equals loop", "no row depend"),
    (GlobalDraws, "same seed", "from the generator"),
    (SameDraws, "same seed", "ignores its generator"),
    (Meddling, "arguments", "simulate changes its argument"),
    (Forgiving, "invalid rows", "return NaN"),
    (Contagious, "invalid rows", "changes the y of other designs"),
    (Welcoming, "invalid rows", "return False"),
    (SmallBox, "bounds", "dimension 1"),
    (TurnedBox, "bounds", "low < high"),
    (ThinBox, "bounds", "return (2, 2)"),
    (LongTarget, "fixed target", "give 1 numbers"),
    (NoTarget, "fixed target", "not finite"),
    (StrictDomain, "prior", "outside the hard domain"),
    (Fragile, "prior", "can be simulated"),
    (Squared, "declaration", "x_shape (2, 2)"),
    (ShortAxis, "declaration", "y_axis has 2 values"),
    (Months, "round trip", "whole numbers from the least to the greatest of the bounds"),
    (Generous, "pairs", "33 pairs"),
    (Shuffled, "pairs", "same seed"),
    (Noisy, "pairs", "leave simulated_pairs out"),
    (WrongImage, "images", "another y"),
    (ImagesAlone, "images", "first image"),
    (FlatDiagnosis, "diagnosis", "return (32,)"),
]


def test_a_conforming_task_has_no_findings_against_it():
    findings = check_task(Line())
    assert broken(findings) == {}
    assert {name for _, name, _ in BROKEN_TASKS} == {finding.property for finding in findings}


@pytest.mark.parametrize(("task", "name", "advice"), BROKEN_TASKS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_property_of_a_task_is_found_broken(task, name, advice):
    found = broken(check_task(task()))
    assert list(found) == [name]
    assert advice in found[name]


def test_an_exception_is_a_finding():
    class Raising(Line):
        def simulate(self, x):
            raise ZeroDivisionError("no ground here")

    assert "ZeroDivisionError: no ground here (in simulate" in broken(check_task(Raising()))["shapes"]


class Spread(Method):
    """A method that conforms: a surrogate ranks noise around the mean design of the target."""

    def build(self, problem, width):
        self.inverse = nn.Sequential(nn.Linear(problem.y_dim, width), nn.Tanh(), nn.Linear(width, problem.x_dim))
        self.forward_model = nn.Sequential(nn.Linear(problem.x_dim, width), nn.Tanh(), nn.Linear(width, problem.y_dim))
        self.bounds = problem.bounds

    def phases(self):
        yield Phase("inverse", self.inverse, lambda x, y, progress: (self.inverse(y) - x).square().mean(), share=0.5)
        yield Phase("forward", self.forward_model, self.loss, share=0.5)

    def loss(self, x, y, progress):
        return (self.forward_model(x) - y).square().mean()

    @torch.no_grad()
    def propose(self, y, n, generator):
        x = self.inverse(y)[:, None] + torch.randn(len(y), n, 3, generator=generator)[..., : self.bounds.shape[1]]
        believed, order = (self.forward_model(x) - y[:, None]).square().mean(-1).sort(1)
        return Proposals(x.gather(1, order[..., None].expand_as(x)), ranked=True, believed=believed)


class NotAMethod:
    pass


class IntegerDtype(Spread):
    dtype = torch.int64


class DemandingOptions(Spread):
    Options = Demanding

    def __init__(self, options=None):
        super().__init__(options or Demanding(1))


class Coarse(Spread):
    def build(self, problem, width):
        super().build(problem, 300 * math.ceil(width / 300))


class FalselyExempt(Spread):
    trainable = False


class Diverging(Spread):
    def loss(self, x, y, progress):
        return super().loss(x, y, progress) * math.nan


class Growing(Spread):
    """Adds a network in `fit`, where it does not count."""

    def fit(self, train, valid, run):
        self.more = nn.Linear(500, 500)
        super().fit(train, valid, run)


class TwoShares(Spread):
    def phases(self):
        for phase in super().phases():
            yield Phase(phase.name, phase.module, phase.loss)


def altered(**changes):
    """The conforming method with its proposals' fields replaced by functions of them."""

    class Altered(Spread):
        def propose(self, y, n, generator):
            found = super().propose(y, n, generator)
            values = {"x": found.x, "ranked": found.ranked, "believed": found.believed}
            return Proposals(**values | {name: change(found) for name, change in changes.items()})

    return Altered


class BareTensor(Spread):
    def propose(self, y, n, generator):
        return super().propose(y, n, generator).x


class WithGraph(Spread):
    def propose(self, y, n, generator):
        return Proposals(self.inverse(y)[:, None].repeat(1, n, 1))


class FewCandidates(Spread):
    def candidates(self, n):
        return 1


class Hidden(Spread):
    """Trains a network that no one counts, kept in a list."""

    def build(self, problem, width):
        super().build(problem, width)
        self.aside = [nn.Linear(problem.x_dim, problem.y_dim)]

    def phases(self):
        yield from super().phases()
        yield Phase("aside", self.aside[0], lambda x, y, progress: (self.aside[0](x) - y).square().mean(), share=0.0)

    def get_extra_state(self):
        return torch.cat([item.flatten() for item in self.aside[0].state_dict().values()])

    def set_extra_state(self, state):
        pass


class Thawing(Spread):
    """Freezes a network while it is counted."""

    def build(self, problem, width):
        super().build(problem, width)
        self.more = nn.Linear(problem.x_dim, 7).requires_grad_(False)

    def fit(self, train, valid, run):
        super().fit(train, valid, run)
        self.more.weight.data += 1


class BestCopy(Spread):
    """Keeps a frozen copy of a network that counts: no second network."""

    def build(self, problem, width):
        super().build(problem, width)
        size = problem.x_dim, width
        self.best = nn.Sequential(nn.Linear(*size), nn.Tanh(), nn.Linear(width, problem.y_dim)).requires_grad_(False)

    def fit(self, train, valid, run):
        super().fit(train, valid, run)
        self.best.load_state_dict(self.forward_model.state_dict())


def half_nan(found):
    return torch.where(torch.arange(found.x.shape[1])[:, None] % 2 == 1, math.nan, found.x)


class GlobalNoise(Spread):
    def propose(self, y, n, generator):
        return super().propose(y, n, Generator().manual_seed(int(torch.randint(99999, ()))))


class Unseeded(Spread):
    def fit(self, train, valid, run):
        super().fit(train, valid, run)
        self.inverse[0].bias.data += random.SystemRandom().random()


class BatchMean(Spread):
    def propose(self, y, n, generator):
        return super().propose(y + y.mean(0), n, generator)


class Forgetful(Spread):
    def build(self, problem, width):
        super().build(problem, width)
        self.shift = 0.0

    def fit(self, train, valid, run):
        super().fit(train, valid, run)
        self.shift = train.x.abs().mean(0)

    def propose(self, y, n, generator):
        found = super().propose(y, n, generator)
        return Proposals(found.x + self.shift, found.ranked, found.believed)


class RandomWiring(Spread):
    """Draws in `build` what its state does not hold."""

    def build(self, problem, width):
        super().build(problem, width)
        self.shift = torch.randn(problem.x_dim)

    def propose(self, y, n, generator):
        return Proposals(super().propose(y, n, generator).x + self.shift)


class InPlace(Spread):
    def propose(self, y, n, generator):
        found = super().propose(y, n, generator)
        y.zero_()
        return found


class InPlaceTraining(Spread):
    def fit(self, train, valid, run):
        super().fit(train, valid, run)
        train.x.clamp_(-1, 1)


class Regularised(Spread):
    """Batch normalisation and dropout: other statistics, and noise, in training than afterwards."""

    def build(self, problem, width):
        super().build(problem, width)
        self.inverse = nn.Sequential(
            nn.Linear(problem.y_dim, width), nn.BatchNorm1d(width), nn.Dropout(0.2), nn.Linear(width, problem.x_dim)
        )


class StillTraining(Spread):
    """Proposes in training mode."""

    def build(self, problem, width):
        super().build(problem, width)
        self.inverse.insert(2, nn.Dropout(0.2))

    def propose(self, y, n, generator):
        self.train()
        return super().propose(y, n, generator)


class ClaimsGaps(Spread):
    handles = frozenset({"gaps"})


class ClaimsPartial(Spread):
    handles = frozenset({"partial"})

    def build(self, problem, width):
        super().build(problem, width)
        self.register_buffer("middle", torch.zeros(()))

    def fit(self, train, valid, run):
        super().fit(train, valid, run)
        self.middle = train.y.mean()

    def propose(self, y, n, generator):
        found = super().propose(y, n, generator)
        return replace(found, x=found.x + 0 * self.middle)


class ClaimsConditions(Spread):
    handles = frozenset({"conditions"})

    def build(self, problem, width):
        super().build(problem, width)
        self.given = problem.condition_dim

    def propose(self, y, n, generator):
        known = y.clone()
        known[:, y.shape[1] - self.given :] = 0
        return super().propose(known, n, generator)


class ClaimsMore(Spread):
    handles = frozenset({"everything"})


BROKEN_METHODS = [
    (NotAMethod, "declaration", "subclass harness.contracts.Method"),
    (IntegerDtype, "declaration", "torch.float32"),
    (DemandingOptions, "declaration", "have no default"),
    (Coarse, "budget", "Let `build` use the width"),
    (FalselyExempt, "budget", "trainable is False"),
    (Diverging, "training", "Diverged"),
    (Growing, "training", "trainable parameters now, more than it was built with"),
    (TwoShares, "training", "add up to one"),
    (BareTensor, "answers", "return Proposals"),
    (altered(x=lambda found: found.x[0]), "answers", "return (8, 16, 3)"),
    (altered(believed=lambda found: found.believed[:, 0]), "answers", "return (8, 16)"),
    (altered(x=lambda found: found.x.double()), "answers", "torch.float32"),
    (WithGraph, "answers", "no_grad"),
    (FewCandidates, "answers", "count every candidate"),
    (altered(x=lambda found: found.x.to("meta")), "devices", "on the device of y"),
    (Hidden, "honest count", "4 trainable numbers are missing"),
    (Thawing, "honest count", "21 trainable numbers are missing"),
    (altered(x=half_nan), "finite", "50% of the proposals"),
    (GlobalNoise, "same seed", "from the generator alone"),
    (Unseeded, "same seed", "two trainings"),
    (StillTraining, "same seed", "from the generator alone"),
    (BatchMean, "other targets", "no target depend"),
    (Forgetful, "state", "registered buffers"),
    (RandomWiring, "state", "registered buffers"),
    (InPlace, "arguments", "changes its arguments y;"),
    (InPlaceTraining, "arguments", "changes its arguments train;"),
    (altered(believed=lambda found: found.believed.flip(1)), "answers", "best first"),
    (altered(believed=lambda found: -found.believed.flip(1), ranked=lambda _: False), "answers", "negative"),
    (ClaimsGaps, "gaps", "only 50% of the proposals are finite where an entry of y is NaN"),
    (ClaimsPartial, "incomplete", "only 0% of the proposals are finite after training"),
    (ClaimsConditions, "conditions", "the same under another one"),
    (ClaimsMore, "declaration", "handles names everything; allowed are conditions, gaps, lone, partial"),
    (altered(rows=lambda found: torch.zeros_like(found.believed).long()), "answers", "x = train.x[rows]"),
]


def test_a_conforming_method_has_no_findings_against_it():
    findings = check_method(Spread)
    assert broken(findings) == {}
    assert {name for _, name, _ in BROKEN_METHODS} == {finding.property for finding in findings}


def test_a_frozen_best_state_is_no_second_network():
    assert broken(check_method(BestCopy)) == {}


@pytest.mark.parametrize(("method", "name", "advice"), BROKEN_METHODS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_property_of_a_method_is_found_broken(method, name, advice):
    found = broken(check_method(method))
    assert list(found) == [name]
    assert advice in found[name]


def test_a_method_with_normalisation_and_dropout_conforms():
    assert broken(check_method(Regularised)) == {}


def test_trainable_tensors_are_found_wherever_they_are_kept():
    first, second, third = (nn.Linear(2, 2) for _ in range(3))
    method = Spread()
    method.first, method.aside = first, {"second": [second], "third": SimpleNamespace(network=(third, third))}
    assert sum(tensor.numel() for tensor in trainable_tensors(method)) == 3 * 6


def plugin(kind, load):
    return SimpleNamespace(kind=kind, name="toy", load=load)


def test_check_reports_only_what_is_to_be_fixed():
    assert check_here(plugin("tasks", lambda: Line)) == []
    assert [str(found) for found in check_here(plugin("tasks", lambda: NoTarget))] == [
        "fixed target: fixed_target (nan,) is not finite."
    ]


def test_a_plugin_that_does_not_load_is_a_finding():
    def load():
        raise ImportError("no module named strange")

    assert check_here(plugin("methods", load)) == [Finding("loading", False, "ImportError: no module named strange")]


def test_a_plain_function_conforms_without_a_state():
    from harness.adapter import from_function

    def nearest(x_train, y_train):
        return lambda y, n, generator: x_train[torch.cdist(y, y_train).topk(n, largest=False).indices]

    assert broken(check_method(from_function(nearest, "nearest"))) == {}


def test_a_plain_function_has_options_and_asks_for_facts():
    from harness.adapter import from_function

    seen = {}

    def nearest(x_train, y_train, *, bounds, x_valid, y_valid, sample_prior, device, neighbours: int = 5):
        seen.update(bounds=bounds, valid=(x_valid, y_valid), drawn=sample_prior(7, torch.Generator()), device=device)
        seen.update(neighbours=neighbours)
        return lambda y, n, generator: x_train[:n].expand(len(y), -1, -1)

    made = from_function(nearest, "nearest")
    assert [(item.name, item.default, item.type) for item in fields(made.Options)] == [("neighbours", 5, int)]
    toy = harness.fit(made, Waves(3, 1), preset="smoke")
    assert torch.equal(
        seen["bounds"], torch.stack([*toy.given.scales[0].apply(toy.given.train.x).aminmax(dim=0)]).float()
    )
    assert len(seen["valid"][0]) == len(toy.given.valid.x) == len(seen["valid"][1]) and seen["drawn"].shape == (7, 3)
    assert seen["neighbours"] == 5 and seen["device"] == torch.device("cpu")
    with pytest.raises(TypeError, match="odd asks for temperature; a function may ask for bounds"):
        from_function(lambda x, y, *, temperature: None, "odd")
    with pytest.raises(TypeError, match="untyped has the option k without a type; write k: int = 5"):
        from_function(lambda x, y, *, k=5: None, "untyped")


@pytest.mark.parametrize("name", sorted(discover("methods")))
def test_every_installed_method_conforms(name):
    assert [str(finding) for finding in check(discover("methods")[name])] == []


@pytest.mark.parametrize("name", sorted(name for name, plugin in discover("tasks").items() if not plugin.required))
def test_every_installed_task_conforms(name):
    assert check(discover("tasks")[name]) == []


STRANGE = """
import os
import torch
from torch import nn
from harness.contracts import Method, Proposals

class Tidy(Method):
    def build(self, problem, width):
        self.net = nn.Sequential(nn.Linear(problem.y_dim, width), nn.Tanh(), nn.Linear(width, problem.x_dim))

    def loss(self, x, y, progress):
        return (self.net(y) - x).square().mean()

    @torch.no_grad()
    def propose(self, y, n, generator):
        return Proposals(self.net(y)[:, None].repeat(1, n, 1))

class Untidy(Tidy):
    def build(self, problem, width):
        torch.set_default_dtype(torch.float64)
        super().build(problem, width)

class Leaving(Tidy):
    def propose(self, y, n, generator):
        os._exit(0)

class Crashing(Tidy):
    def propose(self, y, n, generator):
        os.kill(os.getpid(), 11)
"""


def test_each_plugin_is_checked_in_a_process_of_its_own(monkeypatch, tmp_path):
    names = {"untidy": "Untidy", "tidy": "Tidy", "leaving": "Leaving", "crashing": "Crashing"}
    install(monkeypatch, tmp_path, STRANGE, methods=names)
    found = {name: check(discover("methods")[name]) for name in names}
    assert found["untidy"] == found["tidy"] == []
    assert torch.get_default_dtype() == torch.float32
    (left,), (crashed,) = found["leaving"], found["crashing"]
    assert (left.property, crashed.property) == ("process", "process")
    assert "exited by itself with code 0" in left.message and "raise an exception" in left.message
    assert "signal 11 (SIGSEGV)" in crashed.message


TALKATIVE = """
class Closing(Tidy):
    def build(self, problem, width):
        super().build(problem, width)
        sys.stdout.close()

class Loud(Tidy):
    def build(self, problem, width):
        super().build(problem, width)
        print("\x1b[31mred\x1b[0m" + "x" * 10**6 + "\x1b]0;title\x07", flush=True)

class Twofold(Tidy):
    def build(self, problem, width):
        super().build(problem, width)
        if "FORKED" not in os.environ:
            os.environ["FORKED"] = "yes"
            os.fork()
"""


def test_what_a_plugin_prints_is_shown_clean_and_bounded_and_closed_streams_harm_nothing(monkeypatch, tmp_path, capfd):
    names = {"tidy": "Tidy", "closing": "Closing", "loud": "Loud", "twofold": "Twofold"}
    install(monkeypatch, tmp_path, "import sys\n" + STRANGE + TALKATIVE, methods=names)
    printed = {}
    for name in names:
        assert check(discover("methods")[name]) == []
        printed[name] = capfd.readouterr()
    assert {name: len(each.err) for name, each in printed.items()} == dict.fromkeys(names, 0)
    assert printed["tidy"].out == printed["closing"].out == printed["twofold"].out == ""
    text = printed["loud"].out
    assert text.startswith("loud prints:\n") and "\x1b" not in text
    assert 10_000 < len(text) < 30_000 and text.count("\n") < 10


PATIENCE = 120  # seconds, after which something hangs

CALLER = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores for what runs in the background
sys.path.insert(0, sys.argv[1])
from harness.conformance import check
from harness.registry import discover

if __name__ == "__main__":
    check(discover("methods")["sleeping"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_process_of_the_check_and_what_that_has_forked(monkeypatch, tmp_path, number):
    told = tmp_path / "pid"
    body = f"""
class Sleeping(Tidy):
    def build(self, problem, width):
        import pathlib, time
        here = os.getpid()
        if os.fork() == 0 and os.fork() == 0:
            os.setsid()
            pathlib.Path({str(told)!r}).write_text(f"{{here}} {{os.getpid()}}")
        time.sleep(1000)
"""
    folder = write(tmp_path, STRANGE + body, methods={"sleeping": "Sleeping"})
    (tmp_path / "caller.py").write_text(CALLER)
    caller = subprocess.Popen([sys.executable, tmp_path / "caller.py", folder], stderr=subprocess.DEVNULL)
    pids = wait_for(lambda: [int(pid) for pid in told.read_text().split()] if told.exists() else None)
    caller.send_signal(number)
    assert caller.wait(timeout=PATIENCE) != 0
    assert wait_for(lambda: not any(alive(pid) for pid in pids))


def wait_for(something):
    end = time.monotonic() + PATIENCE
    while not (found := something()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("from tasks.sinewave import Sinewave", "imports tasks.sinewave, the module of the task 'sinewave'"),
        ("from harness.registry import build_task", "imports harness.registry, which builds any task"),
        ("def late():\n    import harness.metrics", "imports harness.metrics, which scores designs"),
        ("from harness.protocols.recall import Recall", "imports harness.protocols.recall, which puts the questions"),
    ],
)
def test_a_method_that_imports_tasks_or_scoring_is_named(monkeypatch, tmp_path, line, what):
    module = install(monkeypatch, tmp_path, f"{STRANGE}\n{line}\n", methods={"knowing": "Tidy"})
    finding = forbidden_imports(discover("methods")["knowing"])
    assert not finding.ok and f"{module} {what}" in finding.message and "leave out the import" in finding.message


def test_no_method_of_the_project_imports_a_task():
    for plugin in discover("methods").values():
        assert str(forbidden_imports(plugin)) == "imports: ok"
