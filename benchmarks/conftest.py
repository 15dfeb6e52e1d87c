"""Options of the benchmarks, and the clock that all of them read."""

from __future__ import annotations

import pytest
import torch

from harness.timing import clock


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where the methods run: cpu or cuda")
    parser.addoption("--threads", type=int, default=1, help="threads of torch; the tables are made with one")


def pytest_configure(config: pytest.Config) -> None:
    device = config.getoption("--device")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise pytest.UsageError(f"--device {device}: torch sees no GPU here. Allowed: cpu.")
    torch.set_num_threads(config.getoption("--threads"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marks = item.get_closest_marker("benchmark")
        if marks is None or "timer" not in marks.kwargs:
            item.add_marker(pytest.mark.benchmark(timer=clock))


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """Where the methods run."""
    chosen: str = request.config.getoption("--device")
    return chosen
