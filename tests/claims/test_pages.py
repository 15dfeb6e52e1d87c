"""The pages on claims and ablations name every field, kind and ablation that there is, and print files as they are."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from harness.claims import ablation, judging
from harness.claims.ablation import Ablation
from harness.claims.claim import NEEDED, TAKEN, Check, Claim, Kind

ROOT = Path(__file__).parents[2]
CLAIMS, ABLATIONS = ((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("claims", "ablations"))


def named(page: str, heading: str) -> set[str]:
    """The names in the first column of the table with this heading."""
    body = page.split(f"\n| {heading} |")[1].split("\n\n")[0]
    return {name for cell in re.findall(r"^\| (`.*?) \|", body, re.MULTILINE) for name in re.findall(r"`(.*?)`", cell)}


def test_every_field_and_kind_of_a_claim_is_explained():
    tables = [{*re.findall(r"`(\w+)`", part.split("\n\n")[0])} for part in CLAIMS.split("\n| field |")[1:]]
    assert {item.name for item in fields(Claim)} - {"name", "check"} <= tables[0]
    assert {item.name for item in fields(Check)} <= tables[1]
    assert named(CLAIMS, "kind") == {*get_args(Kind)} == NEEDED.keys() == TAKEN.keys()


def test_every_verdict_is_explained():
    assert re.findall(r"^\| ([a-z ]+) \| ", CLAIMS.split("| verdict | means |")[1], re.MULTILINE)[:5] == [
        *("holds", "does not hold", "holds in part", "not decided", "not tested")
    ]
    assert {*judging.VERDICTS} == {"holds", "does not hold", "holds in part", "not decided", "not tested"}


def test_every_ablation_and_field_is_explained():
    assert named(ABLATIONS, "name") == {*ablation.delivered()}
    assert {item.name for item in fields(Ablation)} - {"name"} <= named(ABLATIONS, "field")


@pytest.mark.parametrize(
    ("page", "path"),
    [(CLAIMS, "methods/claims/ren-na-lowest-r200.toml"), (ABLATIONS, "methods/ablations/couplings.toml")],
    ids=("claim", "ablation"),
)
def test_a_file_is_printed_as_it_is(page, path):
    assert f"```toml\n{(ROOT / path).read_text(encoding='utf-8')}```" in page
