"""Which method to use where several conditions hold at once, and which trade-off there is where none is good in all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.protocols.evidence import Evidence, Place
from harness.reporting.numbers import number

MEANING = (
    "{}: a method that is the best in each row of the task, or not told apart from the best target by target; of "
    "several, the one whose places in these rows add up to the least; – where there is none. Where errors of single "
    "targets are not kept, only the best itself counts"
)


def recommended(rows: Sequence[Evidence]) -> tuple[str | None, str | None]:
    """The method that leads in all rows, and another one, beside a baseline one that learns; None where there is none.

    Args:
        rows: of one task.
    """
    leading = _leading(rows)
    if not leading:
        return None, None
    best, *others = leading
    if baseline(rows, best):
        others = _leading(_learning(rows))
    return best, others[0] if others else None


def baseline(rows: Sequence[Evidence], method: str) -> bool:
    """Whether a method is one of the baselines.

    Args:
        rows: in all of which it is.
        method: its label.
    """
    return rows[0].by_method[method].baseline


def _learning(rows: Sequence[Evidence]) -> list[Evidence]:
    """The rows without the baselines."""
    every = [[place for place in row.places if not place.baseline] for row in rows]
    learning = [tuple(replace(place, leads=place.leads_learning) for place in places) for places in every]
    return [replace(row, places=places) for row, places in zip(rows, learning, strict=True)]


def _leading(rows: Sequence[Evidence]) -> list[str]:
    """The methods that lead in each row; that whose places add up to the least first."""
    each = [{place.method for place in row.places if place.leads} for row in rows]
    common = [method for method in rows[0].by_method if all(method in methods for methods in each)]
    return sorted(common, key=lambda method: sum(list(row.by_method).index(method) for row in rows))


def explained(rows: Sequence[Evidence]) -> str:
    """In a sentence, how the method that is recommended stands in each row; or the trade-off where there is none.

    Args:
        rows: of one task.
    """
    best, _ = recommended(rows)
    if best is None:
        return _trade_off(rows)
    said = f"{best}: {'; '.join(_stands(rows, best))}"
    others = _learning(rows)
    if baseline(rows, best) and all(row.places for row in others):
        return f"{said}. Without the baselines, {explained(others)}"
    return said


def _trade_off(rows: Sequence[Evidence]) -> str:
    said = ["no method is the best, or not told apart from the best, in all of these"]
    for method in dict.fromkeys(row.places[0].method for row in rows):
        said.append(f"{method}: {'; '.join(_stands(rows, method))}")
    least = _least_off(rows)
    if least:
        method, ratio = least
        said.append(f"The least far off in all of them: {method}, with at most {number(ratio)} times the least error")
    return ". ".join(said)


def _least_off(rows: Sequence[Evidence]) -> tuple[str, float] | None:
    """The method whose largest ratio to the least error of a row is the smallest, with it; of those in all rows."""
    everywhere = [method for method in rows[0].by_method if all(method in row.by_method for row in rows)]
    worst = {method: max(_ratio(row, row.by_method[method]) for row in rows) for method in everywhere}
    return min(worst.items(), key=lambda item: item[1], default=None)


def _stands(rows: Sequence[Evidence], method: str) -> Iterator[str]:
    """How a method stands in each row."""
    for row in rows:
        place, best = row.by_method.get(method), row.places[0]
        if place is None:
            yield f"not among the methods with {row.asked}"
            continue
        what = f"as {place.label} " if place.label != method else ""
        if method == best.method:
            yield f"{what}the best with {row.asked}"
        elif place.leads:
            yield f"{what}not told apart from {best.label} with {row.asked}"
        else:
            yield f"{what}{number(_ratio(row, place))} times the error of {best.label} with {row.asked}"


def _ratio(row: Evidence, place: Place) -> float:
    return max(place.error, row.least) / max(row.places[0].error, row.least)
