"""What a user gives as numbers - lists, arrays, data frames, tensors - as an array of floats, NaN where not known."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.errors import UsageError

LARGEST = 1e100


def real(name: str, values: Any) -> Any:
    """A numpy array of floats; masked entries are NaN.

    Raises:
        UsageError: complex numbers, dates, what is no number at all, or one beyond 1e100.
    """
    if hasattr(values, "detach"):  # a tensor, with or without a gradient, of whatever device
        values = values.detach().cpu().numpy()
    try:
        array = np.ma.asarray(values) if np.ma.isMaskedArray(values) else np.asarray(values)
        if np.iscomplexobj(array):
            raise UsageError(f"{name} is complex. Give real numbers, such as absolute values.")
        if array.dtype.kind in "mM":
            raise UsageError(f"{name} holds dates or durations. Give numbers, such as seconds since the first of them.")
        found = np.array(np.ma.filled(np.ma.asarray(array).astype(float), np.nan), dtype=float)
    except UsageError:
        raise
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise UsageError(f"{name} holds something that is no number ({error}). Give real numbers.") from error
    most = np.abs(found[np.isfinite(found)]).max(initial=0.0)
    if most > LARGEST:
        raise UsageError(f"{name} holds {most:g}. Allowed: numbers up to {LARGEST:g}; give other units.")
    return found
