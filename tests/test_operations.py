"""The arithmetic of a computation is counted, gradients and those of gradients included."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from harness.operations import Operations

WEIGHT = torch.eye(3)


def counted(computation) -> int:
    with Operations() as operations:
        computation()
    return operations.total


def test_a_product_is_a_multiplication_and_an_addition_for_each_pair_of_entries() -> None:
    assert counted(lambda: torch.ones(5, 3) @ WEIGHT) == 2 * 5 * 3 * 3
    assert counted(lambda: torch.ones(5, 3) + 1.0) == 0


def test_gradients_with_respect_to_an_input_count() -> None:
    def descend() -> None:
        x = torch.ones(5, 3, requires_grad=True)
        (slope,) = torch.autograd.grad((x @ WEIGHT).square().sum(), x, create_graph=True)
        torch.autograd.grad(slope.sum(), x)

    forward = 2 * 5 * 3 * 3
    assert counted(descend) == 4 * forward, "forward, backward, and both of these again"


def test_it_agrees_with_torch_where_torch_counts() -> None:
    network = torch.nn.Sequential(torch.nn.Conv1d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(32, 2))
    x = torch.ones(6, 1, 10)
    with FlopCounterMode(display=False) as counter:
        network(x).sum().backward()
    assert counted(lambda: network(x).sum().backward()) == counter.get_total_flops() > 0
