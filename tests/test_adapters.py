"""The examples of methods around another package, which conform and learn; each where its package is installed."""

from importlib.util import find_spec

import pytest
import torch

import harness
from harness.conformance import check_method
from harness.registry import get
from tests import examples

ADAPTERS = {"sbi_density": "sbi", "bayesflow_matching": "bayesflow"}
"""The folder of an example, and the name of its method, which is that of the package."""

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the warnings of others are theirs


@pytest.fixture(params=sorted(ADAPTERS))
def name(request, monkeypatch, tmp_path):
    name = ADAPTERS[request.param]
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install ./docs/examples/{request.param}")
    examples.install(monkeypatch, tmp_path, request.param)
    return name


def test_an_adapter_conforms_and_leaves_gradients_on(name):
    assert [str(finding) for finding in check_method(get("methods", name).load()) if not finding.ok] == []
    assert torch.is_grad_enabled()


def test_an_adapter_learns(name):
    targets = [[1.5, 0.0], [1.2, 0.3], [1.7, -0.5]]
    made, drawn = (
        harness.fit(method, "robotic_arm", preset="smoke", epochs=40).propose(targets, n=100)["nmse"].median()
        for method in (name, "prior")
    )
    assert made < 0.6 * drawn
