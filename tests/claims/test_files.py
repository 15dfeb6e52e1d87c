"""Files of claims and ablations: what is delivered names what there is, and a broken file says what is wrong."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.metadata import EntryPoint

import pytest

from harness import frame
from harness.claiming import with_own
from harness.claims import ablation, claim
from harness.claims.statistic import statistic
from harness.cli import main
from harness.errors import UsageError
from harness.registry import discover
from harness.reporting import figures
from harness.selection import placed, select
from harness.store import Store
from tests.claims import made

AWAITED = {"posterior"} - {name for record in Store(made.REFERENCE).records() for name in record.scores}
"""Protocols that claims refer to and that the reference was not scored by yet: then it must have their statistics."""
CLAIMS, ABLATIONS = claim.delivered(), ablation.delivered()
GOOD = """
claim = "A is better than B"
source = "a paper, Table 1"
tasks = "sinewave"

[[check]]
kind = "lower"
statistic = "r_T/mse/r_200"
method = "na"
than = ["inn", "mdn"]
"""
BOTH = {"settings": ["na", "inn"]}


@cache
def numbers():
    """Protocol, metric and statistic of all numbers in the reference."""
    table = frame(made.REFERENCE)
    table = table.assign(metric=table["metric"].astype(object).where(table["metric"].notna(), None))
    return set(table[["protocol", "metric", "statistic"]].itertuples(index=False, name=None))


def exists(text):
    wanted = statistic(text, "statistic")
    if wanted.protocol in AWAITED:
        return True
    known = wanted.protocol in discover("protocols") or wanted.protocol == "model"
    return known and (wanted.protocol, wanted.metric, wanted.name) in numbers()


def test_the_folders_have_what_is_delivered():
    assert len(CLAIMS) > 20 and len(ABLATIONS) >= 6


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_names_methods_tasks_and_statistics_that_there_are(name):
    one = CLAIMS[name]
    assert one.claim and not one.claim.endswith(".") and one.source and bool(one.check) != bool(one.untested)
    for task, labels in one.needs().items():
        assert [item.label for item in select("tasks", task)] == [task]
        for method, scenario in map(placed, labels):
            assert [item.label for item in select("methods", method)] == [method]
            assert not scenario or [item.label for item in select("scenarios", scenario)] == [scenario]
    for check in one.check:
        assert exists(check.statistic) and (not check.against or exists(check.against))


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_names_methods_tasks_statistics_and_a_figure_that_there_are(name):
    one = ABLATIONS[name]
    assert one.question.endswith("?") and one.source and one.figure in figures() and one.beside in one.settings
    assert [item.label for item in select("methods", ",".join(one.settings))] == list(one.settings)
    assert [item.label for item in select("tasks", ",".join(one.tasks))] == list(one.tasks)
    assert all(exists(text) for text in one.statistics)


def test_published_numbers_stand_in_the_tables_of_the_papers():
    """Each number that a claim of a paper prints is one that the paper prints, or a number of methods and proposals."""
    from harness.reporting.published import every

    printed = {f"{value.value:.3g}" for value in every()} | {f"{float(value.value):g}" for value in every()}
    for one in CLAIMS.values():
        bare = re.sub(r"\(.*?\)|r_\d+|1000 proposals|E\d", "", one.published)
        for text in re.findall(r"(?<![\w.])\d[\d.]*(?:e-?\d+)?", bare):
            assert f"{float(text):.3g}" in printed, (one.name, text)


ABLATION = """
question = "Is it so?"
source = "me"
statistics = "r_T/mse/r_1"
tasks = "sinewave"
settings = ["na", "na[steps=3]"]
"""


def test_a_good_file_is_read():
    (check,) = claim.made("own", tomllib.loads(GOOD), "own.toml").check
    assert (check.method, check.than, check.tasks) == (("na",), ("inn", "mdn"), ("sinewave",))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('claim = "A is better than B"\n', "", "own.toml has no field 'claim'. Fields: name, claim, source"),
        ("source =", "sorce =", "Unknown field of own.toml: 'sorce'. Did you mean source? Allowed: "),
        ('"lower"', '"lowr"', "own.toml, check 1: kind 'lowr'. Did you mean lower? Allowed: at_least, at_most, higher"),
        ("than =", "then =", "Unknown field of own.toml, check 1: 'then'. Did you mean than?"),
        ('than = ["inn", "mdn"]', "", "own.toml, check 1 has no field 'than'. A check of kind 'lower' needs it."),
        (
            'than = ["inn", "mdn"]',
            "than = 3",
            "check 1: than = 3 is not allowed. Allowed: a text, or a list of texts.",
        ),
        ('"r_T/mse/r_200"', '"r_200"', "own.toml, check 1: statistic = 'r_200' is not allowed. Allowed: PROTOCOL/"),
        ('"r_T/mse/r_200"', '"r_T/rmse/r_200"', "'r_T/rmse/r_200' is not allowed. Allowed: PROTOCOL/METRIC/STATISTIC"),
        ("than =", "factor = 0\nthan =", "own.toml, check 1: factor = 0 is not allowed. Allowed: more than 0"),
        ("than =", "value = 3\nthan =", "field of own.toml, check 1, kind 'lower': 'value'. Allowed: against, by,"),
        ('tasks = "sinewave"\n', "", "own.toml, check 1 has no field 'tasks'."),
        ("[[check]]", "[check]", "own.toml: check = {"),
        ('tasks = "sinewave"', 'untested = "why"', "own.toml has both a [[check]] and 'untested'. Give one of them."),
        ('"lower"', '"within"', "own.toml, check 1 has no field 'least'. A check of kind 'within' needs it."),
        ("tasks =", "tasks ", "own.toml is no TOML: "),
        ("tasks =", f"note = {'[' * 5000}\ntasks =", "own.toml is no TOML: "),
        ("than =", f"factor = {'9' * 400}\nthan =", "own.toml, check 1: factor is a number too large"),
        (
            "than =",
            "factor = true\nthan =",
            "check 1: factor = true is not allowed. Allowed: a finite number",
        ),
        ("than =", "factor = nan\nthan =", "own.toml, check 1: factor = nan is not allowed. Allowed: a finite number"),
        ('"A is better than B"', "3", "own.toml: claim = 3 is not allowed. Allowed: a text in quotes."),
        ('"lower"', '"within"\nleast = 3\nmost = 1', "nothing lies within least = 3 and most = 1"),
        ('"na"', '["na", "inn"]', "own.toml, check 1 compares 'inn' with itself."),
        ('["inn", "mdn"]', '["inn", "inn"]', "own.toml, check 1: than names 'inn' twice."),
        ('"A is better than B"', '" "', "own.toml: claim = '' is not allowed."),
    ],
)
def test_a_broken_file_says_which_field_and_what_is_allowed(tmp_path, old, new, told):
    from harness.claims import files

    assert GOOD.count(old) == 1
    path = tmp_path / "own.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as error:
        files.own(path, claim.made)
    assert told in str(error.value).replace(str(path), "own.toml")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"settings": ["na"]}, "own.toml has na as its only setting. Give two or more"),
        ({**BOTH, "tasks": []}, "own.toml: tasks = [] is not allowed. Name one or more."),
        ({**BOTH, "beside": "mdn"}, "own.toml: beside = 'mdn' is not allowed. Allowed: na, inn."),
        ({"vary": {"na": {"steps": 3}}}, "own.toml: vary = {'na': {'steps': 3}} is not allowed. Allowed: [vary."),
        ({**BOTH, "metric": "mae"}, "own.toml: metric = 'mae' is not allowed. Allowed: sse, mse, nmse"),
        ({**BOTH, "statistics": "r_1"}, "own.toml: statistics = 'r_1' is not allowed."),
    ],
)
def test_a_broken_ablation_says_what_is_allowed(content, told):
    usual = {"question": "Is it so?", "source": "me", "statistics": "r_T/mse/r_1", "tasks": "sinewave"}
    with pytest.raises(UsageError, match=re.escape(told)):
        ablation.made("own", {**usual, **content}, "own.toml")


def test_a_grid_has_all_combinations_in_their_order():
    content = {"question": "Is it so?", "source": "me", "statistics": "r_T/mse/r_1", "tasks": "sinewave"}
    grid = {"na": {"starts": ["prior", "uniform"], "boundary_loss": [True, False]}, "inn": {"blocks": [4]}}
    found = ablation.made("own", {**content, "vary": grid}, "own.toml")
    assert found.settings == (
        "na[boundary_loss=on,starts=prior]",
        "na[boundary_loss=off,starts=prior]",
        "na[boundary_loss=on,starts=uniform]",
        "na[boundary_loss=off,starts=uniform]",
        "inn[blocks=4]",
    )
    assert found.beside == found.settings[0] and found.needs() == {"sinewave": found.settings}


def test_a_strangers_broken_file_is_left_out_with_a_warning(tmp_path, monkeypatch, caplog):
    folder = tmp_path / "strange_claims"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "good.toml").write_text(GOOD, encoding="utf-8")
    (folder / "broken.toml").write_text(GOOD.replace('"na"', "3"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("own", "strange_claims", claim.GROUP)
    monkeypatch.setattr("harness.claims.files.entry_points", lambda group: [entry])
    assert list(claim.delivered()) == ["good"]
    assert (
        "broken.toml of strange_claims, check 1: method = 3 is not allowed. Allowed: a text, or a list of texts. It is "
        "left out." in caplog.text
    )


@pytest.mark.parametrize("verb", ["claims", "ablation"])
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"na"', '"nna"', "Unknown method 'nna'. Did you mean na"),
        ('"na"', '"na*"', "Unknown method 'na*'"),
        ('"sinewave"', '"sinewav"', "Unknown task 'sinewav'. Did you mean sinewave?"),
        ('"na"', '"na[steps="', "'na[steps='"),
        ('"na"', '"na[stepz=3]"', "Unknown option of na 'stepz'. Did you mean steps"),
        ('"r_T/', '"r_TT/', "Unknown protocol 'r_TT'. Did you mean r_T?"),
    ],
)
def test_a_name_that_nobody_has_registered_is_no_cell_that_is_missing(tmp_path, capsys, verb, old, new, told):
    text = GOOD if verb == "claims" else ABLATION
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert main([verb, "own", "--from", str(path), "--out", str(made.REFERENCE)]) == 2
    said = capsys.readouterr().err
    assert f"{path}: " in said and told in said


def test_of_two_own_files_of_one_name_none_is_lost(tmp_path):
    paths = [tmp_path / folder / "own.toml" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(GOOD, encoding="utf-8")
    with pytest.raises(UsageError, match=r"Two files of --from are called own\.toml"):
        with_own({}, [str(path) for path in paths], claim.made)
