"""Numbers as a reader wants them: few significant digits, and never rounded to a claim that is not true."""

from __future__ import annotations

import math

from harness.errors import numbered as numbered

MISSING = "–"


def number(value: float | None, digits: int = 2) -> str:
    """A number with some significant digits, as `0.17` or `3.4e-6`; a missing or infinite one as a dash.

    Args:
        value: what is written.
        digits: significant ones.

    >>> number(0.1712), number(3.44e-6), number(None)
    ('0.17', '3.4e-6', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -3 <= power < 4:
        return f"{float(f'{mantissa}e{power}'):.{max(0, digits - 1 - power)}f}" if power < digits else f"{value:.0f}"
    return f"{mantissa}e{power}"


def printed(value: float | None) -> str:
    """A published number with as many digits as it was printed with, six at most.

    Args:
        value: as it is published.

    >>> printed(0.0125), number(0.0125)
    ('0.0125', '0.013')
    """
    if value is None:
        return MISSING
    return next((text for digits in range(1, 6) if float(text := number(value, digits)) == value), number(value, 6))


def deviation(value: float | None, spread: float | None, digits: int = 3) -> str:
    """Mean ± deviation; the deviation has two significant digits.

    Args:
        value: the mean.
        spread: its deviation; the mean stands alone where it is None.
        digits: significant ones of the mean.

    >>> deviation(1.2345, 0.0123)
    '1.23 ± 0.012'
    """
    if value is None or spread is None:
        return number(value, digits)
    rounding = abs(spread) <= 1e-12 * abs(value)
    return f"{number(value, digits)} ± {number(0.0 if rounding else spread)}"


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval, all three on the value's power of ten: `3.4 (2.9–4.1)e-6`.

    They have two significant digits, or as many more as tell an end from the value: `1.04 (1.02–1.06)`.

    Args:
        value: what is written first.
        low: the lower end.
        high: the upper end.

    >>> interval(3.4e-6, 2.9e-6, 4.1e-6)
    '3.4 (2.9–4.1)e-6'
    """
    if not value or low is None or high is None:
        return number(value)
    power = math.floor(math.log10(abs(value)))
    scale, unit = (1.0, "") if -2 <= power < 3 else (10.0**power, f"e{power}")
    for digits in range(2, 5):
        middle, *ends = (number(each / scale, digits) for each in (value, low, high))
        if middle not in ends or low == high:
            break
    return f"{middle} ({ends[0]}–{ends[1]}){unit}"


def share(value: float | None) -> str:
    """A fraction in per cent; anything short of all or above nothing never reads as 100 % or 0 %.

    Args:
        value: from 0 to 1.

    >>> share(0.99999), share(1.0)
    ('99.9 %', '100 %')
    """
    if value is None:
        return MISSING
    if value in (0.0, 1.0):
        return f"{100 * value:.0f} %"
    return f"{min(max(100 * value, 0.1), 99.9):.1f} %"


def count(value: float | None) -> str:
    """A count in thousands or millions, as `150 k` or `3.02 M`.

    Args:
        value: how many.

    >>> count(150_000)
    '150 k'
    """
    if value is None:
        return MISSING
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def size(value: float | None) -> str:
    """Bytes in kB, MB or GB (powers of 1000).

    Args:
        value: how many bytes.

    >>> size(3.02e6)
    '3.02 MB'
    """
    if value is None:
        return MISSING
    for unit_size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit_size:
            return f"{value / unit_size:.3g} {unit}"
    return f"{value:.0f} B"
