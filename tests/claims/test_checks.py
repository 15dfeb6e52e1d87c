"""Checks say what is so by construction, and nothing where records do not tell it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.claims.checks import find_out
from harness.claims.claim import Check
from harness.claims.judging import judge
from harness.claims.rows import by_task, within
from harness.reporting import grouped
from tests import results
from tests.claims import made
from tests.claims.made import TASK, checked, claimed, errors, groups


@pytest.fixture
def two(tmp_path):
    """`one` has a tenth of the errors of `other`, and `twin` the same as `one` but for chance."""
    for label, ratio in (("one", 0.1), ("other", 1.0), ("twin", 0.1)):
        made.write(tmp_path, label, *(errors(hash_of(label) + seed, ratio) for seed in range(3)))
    return tmp_path


def hash_of(text):
    return sum(map(ord, text)) * 10


def says(root, **fields):
    (finding,) = find_out(checked(**fields), groups(root))
    return finding.says


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"than": "other"}, "yes"),
        ({"method": "other", "than": "one"}, "no"),
        ({"than": "twin"}, "not told apart"),
        ({"than": ["other", "twin"]}, "not told apart"),
        ({"method": "other", "than": ["one", "twin"]}, "no"),
        ({"than": "other", "factor": 0.2}, "yes"),
        ({"than": "other", "factor": 0.05}, "no"),
        ({"than": "other", "factor": 0.1}, "not told apart"),
        ({"kind": "higher", "method": "other", "than": "one", "factor": 5}, "yes"),
        ({"kind": "higher", "method": "other", "than": "one", "factor": 20}, "no"),
        ({"kind": "within", "than": "other", "least": 0.05, "most": 0.2}, "yes"),
        ({"kind": "within", "than": "other", "least": 0.5, "most": 2}, "no"),
        ({"kind": "within", "than": "twin", "least": 0.5, "most": 2}, "yes"),
        ({"method": ["one", "other"], "than": "twin"}, "no"),
        ({"method": ["one", "other"], "than": "twin", "enough": "any"}, "not told apart"),
        ({"method": ["one", "twin"], "than": "other", "enough": "any"}, "yes"),
    ],
)
def test_what_is_so_by_construction_is_found(two, fields, said):
    assert says(two, **fields) == said


def test_the_ratio_is_the_one_that_was_made_and_lies_in_its_interval(two):
    (finding,) = find_out(checked(than="other"), groups(two))
    (pair,) = finding.pairs
    for value, low, high in (pair.mean, pair.ratio):
        assert value == pytest.approx(0.1, rel=0.1) and low < value < high
    assert pair.seeds == 3 and not pair.of_targets_only


def test_few_targets_can_carry_the_mean_and_then_nothing_is_said(tmp_path):
    """`one` is better on most targets, but 40 of them are far worse."""
    own = errors(1, 0.1)
    own[np.argsort(own)[-40:]] *= 1000
    made.write(tmp_path, "one", own)
    made.write(tmp_path, "other", errors(2))
    found = {by: says(tmp_path, than="other", by=by) for by in ("both", "mean", "ratio")}
    assert found == {"both": "not told apart", "mean": "no", "ratio": "yes"}
    (finding,) = find_out(checked(than="other"), groups(tmp_path))
    assert finding.pairs[0].apart


def test_less_than_ten_targets_tell_nothing_of_their_own(tmp_path):
    for label, ratio in (("one", 0.1), ("other", 1.0)):
        made.write(tmp_path, label, errors(3, ratio, targets=9))
    (finding,) = find_out(checked(than="other"), groups(tmp_path))
    assert all(pair.ratio is None for pair in finding.pairs)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("at_least", 0.8, "yes"),
        ("at_least", 0.95, "no"),
        ("at_least", 0.9, "not told apart"),
        ("at_most", 0.95, "yes"),
        ("at_most", 0.8, "no"),
    ],
)
def test_a_number_is_compared_with_a_value_by_its_seeds(tmp_path, kind, value, said):
    for seed, valid in enumerate((0.899, 0.9, 0.901)):
        made.put(tmp_path, results.erring(made.of("one", seed), 1.0, valid))
    assert says(tmp_path, kind=kind, statistic="multi-target/valid", value=value) == said


def test_one_training_without_a_spread_tells_nothing(tmp_path):
    made.put(tmp_path, results.erring(made.of("one", 0), 1.0, 0.9))
    assert says(tmp_path, kind="at_least", statistic="multi-target/valid", value=0.5) == "not told apart"


def test_no_count_is_drawn_beyond_all_and_no_share_beyond_one(tmp_path):
    for seed, valid in enumerate((0.8, 0.99, 1.0)):
        made.put(tmp_path, results.erring(made.of("one", seed), 1.0, valid))
    (finding,) = find_out(checked(kind="at_least", statistic="multi-target/valid", value=0.5), groups(tmp_path))
    low, high = finding.pairs[0].mean[1:]
    assert low < 0.8 and high == 1
    (_, tasks), *_ = by_task(grouped(made.REFERENCE, tasks=[made.TASK]))
    wanted = Check("at_least", "solutions/found_200", ("inn",), (made.TASK,), value=1.0)
    (finding,) = find_out(wanted, tasks)
    assert finding.pairs[0].mean[2] <= 9


def test_a_posterior_of_one_training_has_the_spread_of_its_repeats():
    (_, tasks), *_ = by_task(grouped(made.REFERENCE, tasks=[made.TASK]))
    group = tasks[made.TASK]
    rows = tuple(replace(row, records=row.records[:1]) for row in group.rows)
    wanted = Check("lower", "posterior/mmd", ("mdn",), (made.TASK,), than=("tandem",))
    (finding,) = find_out(wanted, {made.TASK: replace(group, rows=rows)})
    assert finding.says == "yes" and finding.pairs[0].mean[1] > 0


def test_a_number_without_targets_has_the_spread_of_its_repeats(tmp_path):
    for label, mean in (("one", 1.0), ("other", 10.0)):
        made.put(tmp_path, results.erring(made.of(label, 0), mean, protocol="fixed-target"))
    std = made.base().scores["fixed-target"].values["errors"]["sse"]["std"]
    assert 0 < std < 1
    assert says(tmp_path, statistic="fixed-target/sse/mean", than="other") == "yes"


def test_another_order_is_one_that_turns_for_sure(tmp_path):
    for label, early, late in (("one", 1.0, 1.0), ("other", 0.1, 10.0), ("third", 0.05, 0.02)):
        numbers = {"mse r_1": errors(hash_of(label), early), "mse r_200": errors(hash_of(label), late)}
        made.put(tmp_path, made.of(label, 0), numbers)
    order = {"kind": "order", "statistic": "r_T/mse/r_1", "against": "r_T/mse/r_200"}
    assert says(tmp_path, **order, method=["one", "other", "third"]) == "yes"
    assert says(tmp_path, **order, method=["one", "third"]) == "no"


def test_what_is_missing_is_named_and_is_not_tested(two):
    (finding,) = find_out(checked(than=["other", "nobody"]), groups(two))
    assert (finding.says, finding.missing) == ("not tested", (f"nobody on {TASK}",))
    (finding,) = find_out(checked(than="other", tasks="elsewhere"), groups(two))
    assert finding.missing == ("one on elsewhere", "other on elsewhere")
    (finding,) = find_out(checked(than="other", statistic="nothing/mse/here"), groups(two))
    assert finding.missing == tuple(f"nothing/mse/here of {label} on {TASK}" for label in ("one", "other"))


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ([{"than": "other"}], "holds"),
        ([{"than": "other"}, {"than": "other", "factor": 0.5}], "holds"),
        ([{"than": "other"}, {"method": "other", "than": "one"}], "holds in part"),
        ([{"than": "other"}, {"than": "twin"}], "holds in part"),
        ([{"method": "other", "than": "one"}], "does not hold"),
        ([{"method": "other", "than": "one"}, {"than": "twin"}], "does not hold"),
        ([{"than": "twin"}], "not decided"),
        ([{"than": "other"}, {"than": "nobody"}], "not tested"),
        ([{"than": "other", "tasks": [TASK, "elsewhere"]}], "not tested"),
    ],
)
def test_the_verdict_is_that_of_all_checks_on_all_tasks(two, checks, verdict):
    assert judge(claimed(checks), groups(two)).verdict == verdict


def test_a_label_means_the_row_of_the_same_cell(tmp_path):
    """`steps=20` is what the preset gives, so that the plain row is the same cell."""
    made.write(tmp_path, "one", errors(1, 0.1))
    made.write(tmp_path, "one[steps=50]", errors(2, 1.0))
    assert says(tmp_path, method="one[steps=20]", than="one[steps=50]") == "yes"
    (finding,) = find_out(checked(method="one[steps=5]", than="one"), groups(tmp_path))
    assert finding.missing == (f"one[steps=5] on {TASK}",)


def test_a_method_may_be_looked_at_in_a_scenario():
    """Beside itself without it, or beside another there; what is missing there is named with it."""
    (_, tasks), *_ = by_task(grouped(made.REFERENCE, tasks=[made.TASK]))
    within = {**tasks, f"{made.TASK} @ pairs[n=300]": tasks[made.TASK]}
    check = Check(
        "within", "multi-target/nmse/mean", ("mdn @ pairs[n=300]",), (made.TASK,), ("mdn",), least=0.9, most=1.1
    )
    assert [finding.says for finding in find_out(check, within)] == ["yes"]
    assert find_out(check, tasks)[0].missing == (f"mdn @ pairs[n=300] on {made.TASK}",)


def test_a_scenario_may_be_named_with_its_usual_options(tmp_path_factory):
    """Its record has the label without them."""
    (_, tasks), *_ = by_task(grouped(results.shared(tmp_path_factory)))
    found = {name: group for name, group in tasks.items() if name.startswith("robotic_arm @ gaps")}
    assert within(tasks, "robotic_arm", "gaps[share=0.3]") is found["robotic_arm @ gaps"]
    assert within(tasks, "robotic_arm", "gaps[fill=native,hide=window]") is found["robotic_arm @ gaps[fill=native]"]
    assert within(tasks, "robotic_arm", "gaps[share=0.30]") is found["robotic_arm @ gaps"], "another spelling"
    assert within(tasks, "robotic_arm", "gaps[share=0.4]") is None
    assert within(tasks, "robotic_arm", "") is tasks["robotic_arm"]
