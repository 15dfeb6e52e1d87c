"""Results as a pandas data frame with one number a row, for analyses that the tables do not make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.errors import UsageError
from harness.reporting.rows import Record
from harness.store import Store

if TYPE_CHECKING:
    import pandas

Number: TypeAlias = tuple[str | None, str | None, str | None, Any]
"""Protocol, metric, statistic and value."""

KEYS = ("task", "method", "label", "preset", "budget", "seed", "status")
COLUMNS = (*KEYS, "protocol", "metric", "statistic", "value", "key")
METRICS = ("sse", "mse", "nmse")


def frame(root: str | Path) -> pandas.DataFrame:
    """All numbers of a result folder in tidy form: one row for each protocol, metric and statistic of each record.

    Columns: `task`, `method` and `label` (the method with the options that the user gave), `preset`, `budget`, `seed`,
    `status`, `protocol` (`multi_target`, `fixed_target`, `r_T`, `surrogate_gap`, `novelty`, `recall`, `cost`), `metric`
    (`sse`, `mse`, `nmse`, or missing), `statistic` (such as `mean` or `r_200`), `value`, and the record's `key`. A
    record without scores has the rows of its known costs, and one row without a value where there are none.

    Raises:
        UsageError: there are no records below the root.
    """
    import pandas

    rows = [{**_keys(record), **row} for record in Store(root).records() for row in _rows(record)]
    if not rows:
        raise UsageError(f"There are no records below {str(root)!r}. Give the folder of a run.")
    table = pandas.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"value": float})


def _keys(record: Record) -> dict[str, Any]:
    declared = record["declared"]
    return {
        "task": record["label"]["task"],
        "method": declared["method"]["name"],
        "label": record["label"]["method"],
        "preset": record["preset"],
        "budget": declared["budget"],
        "seed": declared["seed"],
        "status": record["status"],
        "key": record["key"],
    }


def _rows(record: Record) -> Iterator[dict[str, Any]]:
    nothing: Number = (None, None, None, None)
    for protocol, metric, statistic, value in list(_numbers(record)) or [nothing]:
        yield {"protocol": protocol, "metric": metric, "statistic": statistic, "value": value}


def _numbers(record: Record) -> Iterator[Number]:
    scores = record.get("scores") or {}
    for protocol in ("multi_target", "fixed_target"):
        yield from _errors(protocol, scores.get(protocol) or {})
    yield from _curve(scores.get("r_T") or {})
    for which, values in (scores.get("surrogate_gap") or {}).items():
        yield from (("surrogate_gap", "nmse", f"{which}_{statistic}", value) for statistic, value in values.items())
    yield from (("novelty", None, statistic, value) for statistic, value in (scores.get("novelty") or {}).items())
    found = scores.get("recall") or {"T": (), "found": ()}
    yield from (("recall", None, f"found_{T}", value) for T, value in zip(found["T"], found["found"], strict=True))
    yield from _costs(record)


def _errors(protocol: str, scores: Mapping[str, Any]) -> Iterator[Number]:
    for metric in METRICS:
        yield from ((protocol, metric, statistic, value) for statistic, value in scores.get(metric, {}).items())
    yield from ((protocol, None, share, scores[share]) for share in ("valid", "in_box") if share in scores)


def _curve(scores: Mapping[str, Any]) -> Iterator[Number]:
    for metric in METRICS:
        for place, trials in enumerate(scores.get("T", ())):
            for end, suffix in (("value", ""), ("low", "_low"), ("high", "_high")):
                yield "r_T", metric, f"r_{trials}{suffix}", scores[metric][end][place]


def _costs(record: Record) -> Iterator[Number]:
    parameters, timing = record.get("parameters") or {}, record.get("timing") or {}
    for name in ("trainable", "stored", "checkpoint_bytes"):
        if name in parameters:
            yield "cost", None, name, parameters[name]
    for name, value in timing.items():
        if name == "inference_1000":
            yield "cost", None, "proposals_1000_seconds", value["seconds"]
        else:
            yield "cost", None, name if name.endswith("bytes") else f"{name}_seconds", value
