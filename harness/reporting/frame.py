"""Results as a pandas data frame with one number a row, for analyses that the tables do not make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.by_target import read
from harness.errors import UsageError
from harness.protocols.contract import Protocol
from harness.reporting import protocols
from harness.reporting.rows import scores_of
from harness.schema import Record
from harness.store import Store

if TYPE_CHECKING:
    import pandas

Cell: TypeAlias = tuple[Any, ...]
"""Protocol, metric, statistic and value, and T where it has one."""

KEYS = ("task", "method", "scenario", "label", "preset", "budget", "seed", "status")
COLUMNS = (*KEYS, "protocol", "metric", "statistic", "T", "value", "key")
OF_TARGETS = (*KEYS, "protocol", "metric", "target", "value", "key")
OF_RECORDS = ("cost", "model")
"""What stands in the place of a protocol where a number is of the record itself."""


def frame(root: str | Path, *, by_target: bool = False) -> pandas.DataFrame:
    """All numbers of a result folder in tidy form: one row for each protocol, metric and statistic of each record.

    Args:
        root: the folder of a run, such as `results/quick`.
        by_target: give the numbers of each target instead.

    Columns: `task`, `method`, `scenario` and `label` (the method with the options that the user gave), `preset`,
    `budget`, `seed`, `status`, `protocol` (a protocol's name, `cost`, or `model`), `metric` (`sse`, `mse`, `nmse`, or
    missing), `statistic` (such as `mean` or `r_200`), `T` (such as 200, missing where it means nothing), `value`, and
    the record's `key`. A record without scores has the rows of its known costs, and one row without a value where
    there are none.

    With `by_target`, one row is one target: `protocol`, `metric` (or another name, such as
    `believed`), `target` (its number from 0, the same target for all methods of a task) and `value`.

    Raises:
        UsageError: there are no records below the root.
    """
    import pandas

    store, known = Store(root), protocols()
    found = list(store.records())
    if not found:
        raise UsageError(f"There are no records below {str(root)!r}. Give the folder of a run.")
    if by_target:
        parts = [part for record in found for part in _of_targets(record, store.folder(record), known)]
        return pandas.concat(parts, ignore_index=True) if parts else pandas.DataFrame(columns=list(OF_TARGETS))
    rows = [{**_keys(record), **row} for record in found for row in _rows(record, known)]
    table = pandas.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"value": float, "T": "Int64"})


def _of_targets(record: Record, folder: Path, known: Iterable[str]) -> Iterator[pandas.DataFrame]:
    import pandas

    for protocol in known:
        if record.scores.get(protocol) is None:
            continue
        for metric, values in read(folder, protocol).items():
            each = {"protocol": protocol, "metric": metric, "target": range(len(values)), "value": values}
            yield pandas.DataFrame({**_keys(record), **each}, columns=list(OF_TARGETS))


def _keys(record: Record) -> dict[str, Any]:
    return {
        "task": record.label.task,
        "method": record.declared.method.name,
        "scenario": record.label.scenario,
        "label": record.label.method,
        "preset": record.preset,
        "budget": record.declared.budget,
        "seed": record.declared.seed,
        "status": record.status,
        "key": record.key,
    }


def _rows(record: Record, known: dict[str, Protocol]) -> Iterator[dict[str, Any]]:
    nothing: Cell = (None, None, None, None)
    for protocol, metric, statistic, value, *trials in list(_numbers(record, known)) or [nothing]:
        of = {"T": trials[0] if trials else None}
        yield {"protocol": protocol, "metric": metric, "statistic": statistic, **of, "value": value}


def _numbers(record: Record, known: dict[str, Protocol]) -> Iterator[Cell]:
    for name, protocol in known.items():
        scores = scores_of(record, type(protocol))
        if scores is not None:
            yield from ((name, *number) for number in protocol.numbers(scores))
    yield from of_record(record)


def of_record(record: Record) -> Iterator[Cell]:
    """The numbers of a record that no protocol has: what it cost, and its surrogate's error on validation pairs.

    Args:
        record: with or without scores.
    """
    if record.model:
        parameters = record.model.parameters
        for name in ("trainable", "stored", "checkpoint_bytes"):
            yield "cost", None, name, getattr(parameters, name)
        yield "cost", None, "peak_memory_bytes", record.model.peak_memory_bytes
        own = [phase.best for phase in record.model.phases if phase.forward and phase.best is not None]
        yield from (("model", "nmse", "surrogate", least) for least in sorted(own)[:1])
    for name, seconds in record.seconds.items():
        yield "cost", None, f"{name}_seconds", seconds
