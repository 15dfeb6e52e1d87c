"""Records with less in them say the same in every table."""

from __future__ import annotations

import pytest

from harness.protocols.contract import Protocol
from harness.protocols.solutions import Solutions
from harness.reporting import lean, protocols, render, tables
from harness.reporting.report import page
from harness.reporting.rows import scores_of
from harness.store import Store


@pytest.mark.parametrize("form", ["markdown", "json"])
def test_the_tables_of_lean_records_are_those_of_the_records(ran, monkeypatch, form):
    found = render("all", ran, format=form)
    monkeypatch.setattr(lean, "records", lambda store, skipped=(), **_: store.records())
    assert render("all", ran, format=form) == found


def test_scores_are_read_when_a_protocol_asks_for_them(ran):
    for one, other in zip(Store(ran).records(), lean.records(Store(ran)), strict=True):
        assert one.key == other.key and one.declared == other.declared and one.data == other.data
        for protocol in protocols().values():
            assert scores_of(one, type(protocol)) == scores_of(other, type(protocol))
        assert all(isinstance(score.values, bytes | None) for score in other.scores.values())


def test_what_is_equal_is_kept_once(ran):
    found = list(lean.records(Store(ran)))
    for name in ("data", "sizes", "groups"):
        kept = {id(getattr(record, name)) for record in found}
        assert len(kept) == len({str(getattr(record, name)) for record in found})


def test_what_is_drawn_alone_is_not_kept_for_tables(ran, monkeypatch):
    monkeypatch.setattr(Solutions, "numbers", Protocol.numbers)
    found = []
    read = lean.records
    monkeypatch.setattr(lean, "records", lambda store, skipped=(), **_: found.append(skipped) or read(store, skipped))
    render("advice", ran)
    (skipped,) = found
    assert "solutions" in skipped and not {"multi-target", "r_T", "recall", "inference-time"} & {*skipped}
    assert not any(name in record.scores for record in read(Store(ran), skipped) for name in skipped)


def test_a_page_reads_nothing_that_only_figures_of_their_own_files_show(ran, monkeypatch):
    found = []
    read = lean.records
    monkeypatch.setattr(
        lean, "records", lambda store, skipped=(), **how: found.append(skipped) or read(store, skipped, **how)
    )
    text = page(ran)
    assert found == [["posterior-figures"]] and any("posterior-figures" in each.scores for each in Store(ran).records())
    monkeypatch.setattr(lean, "records", lambda store, skipped=(), **how: read(store, **how))
    assert page(ran) == text


@pytest.mark.parametrize("name", [name for name, (_, shown) in tables().items() if shown.reads is not None])
def test_a_table_is_the_same_where_only_what_it_reads_is_kept(ran, monkeypatch, name):
    found = []
    read = lean.records
    monkeypatch.setattr(lean, "records", lambda store, skipped=(), **_: found.append(skipped) or read(store, skipped))
    text = render(name, ran)
    monkeypatch.setattr(lean, "records", lambda store, skipped=(), **_: store.records())
    assert render(name, ran) == text and {*found[0]} >= {"posterior", "solutions", "recall"} - {name}
