"""Numbers as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reporting.numbers import count, deviation, interval, number, printed, share, size


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 2, "–"),
        (0.0, 2, "0"),
        (0.17, 2, "0.17"),
        (0.0012345, 3, "0.00123"),
        (3.449e-6, 2, "3.4e-6"),
        (9.96e-5, 2, "1.0e-4"),
        (12.34, 3, "12.3"),
        (1234.6, 2, "1235"),
        (123456.0, 2, "1.2e5"),
        (-0.5, 2, "-0.50"),
    ],
)
def test_number(value, digits, text):
    assert number(value, digits) == text


@given(st.floats(min_value=1e-300, max_value=1e300), st.integers(2, 4))
def test_a_number_is_right_to_its_digits(value, digits):
    assert math.isclose(float(number(value, digits)), value, rel_tol=0.5 * 10 ** (1 - digits) * 1.001)


def test_intervals_share_a_power_of_ten():
    assert interval(3.44e-6, 2.9e-6, 4.1e-6) == "3.4 (2.9–4.1)e-6"
    assert interval(0.2, 0.1, 0.3) == "0.20 (0.10–0.30)"
    assert interval(0.0, 0.0, 0.0) == "0"
    assert interval(1.04, 1.02, 1.06) == "1.04 (1.02–1.06)"  # and not 1.0 (1.0–1.1)
    assert interval(1.0, 1.0, 1.0) == "1.0 (1.0–1.0)"


def test_deviation_and_printed():
    assert deviation(0.17, 2.3e-4) == "0.170 ± 2.3e-4"
    assert deviation(0.17, None) == "0.170"
    assert [printed(value) for value in (0.024, 2.5e-7, 4.78)] == ["0.024", "2.5e-7", "4.78"]


@given(st.floats(min_value=0, max_value=1))
def test_a_share_is_all_or_nothing_only_where_it_is(value):
    assert (share(value) == "100 %") == (value == 1)
    assert (share(value) == "0 %") == (value == 0)


def test_counts_and_sizes():
    assert [count(value) for value in (90, 150_321, 3_020_000)] == ["90", "150 k", "3.02 M"]
    assert [size(value) for value in (512, 605_128, 4.1e8, 2e9)] == ["512 B", "605 kB", "410 MB", "2 GB"]
