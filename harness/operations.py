"""How much arithmetic a computation is, whatever the machine: the operations that torch has formulas for."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Operations(TorchDispatchMode):
    """Counts floating-point operations while it is entered: of matrix products, convolutions and attention.

    torch's own `FlopCounterMode` does so too, but follows modules, which `torch.autograd.grad` with respect to an
    input, as gradient searches use it, does not allow.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += int(formula(*args, **(kwargs or {}), out_val=result))
        return result
