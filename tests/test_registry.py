from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from harness import listing
from harness.contracts import Method
from harness.errors import UsageError
from harness.plan import specification
from harness.registry import BASES, build_method, build_protocol, build_scenario, build_task, discover, get
from harness.selection import select, split
from tests.plugins import METHOD, install, write

OWN_METHODS = {"mdn", "inn", "cinn", "cvae", "tandem", "na", "ipage", "na-lm", "na-near", "ipage-lm"} | {
    "prior",
    "lookup",
    "kernel",
    "cfm",
    "cfm-lm",
    "edm",
    "npe",
    "joint",
}
OWN_TASKS = {"sinewave", "robotic_arm", "ballistics", "crystal", "architecture", "metamaterial", "shell", "stack"}
DOCS = Path(__file__).parents[1] / "docs" / "tasks"


def test_our_own_plugins_arrive_by_entry_point() -> None:
    assert set(discover("methods")) >= OWN_METHODS
    assert set(discover("tasks")) >= {*OWN_TASKS, "dataset"}
    assert {selection.label for selection in select("tasks", "all")} >= OWN_TASKS
    assert {selection.label for selection in select("tasks", "physical")} == OWN_TASKS - {
        "sinewave",
        "robotic_arm",
        "ballistics",
    }


@pytest.mark.parametrize("name", sorted({*OWN_TASKS, "dataset"}))
def test_every_task_has_a_page_with_a_picture(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}")
    assert f"[{name}]({name}.md)" in (DOCS / "README.md").read_text(encoding="utf-8")
    if name in OWN_TASKS:
        assert f"({name}.png)" in page and (DOCS / f"{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", sorted(OWN_METHODS))
def test_every_method_can_be_built_from_its_specification(name: str) -> None:
    (selection,) = select("methods", name)
    assert isinstance(build_method(specification(selection)), selection.plugin.load())


def test_a_task_is_built_with_its_options() -> None:
    (selection,) = select("tasks", "robotic_arm[convention=kruse]")
    assert build_task(specification(selection)).options.convention == "kruse"


def test_a_strangers_plugin_is_one_like_any_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = install(monkeypatch, tmp_path, METHOD, methods={"copy": "Copy", "copy-far": "CopyFar"})
    plugin = get("methods", "copy")
    assert (plugin.distribution, plugin.release, plugin.version, plugin.error) == (module, "2.5", "1", None)
    assert [selection.label for selection in select("methods", "strange")] == ["copy", "copy-far"]
    specs = [specification(selection) for selection in select("methods", "copy-far,copy-far[mode=near]")]
    assert [spec.options["mode"] for spec in specs] == ["far", "near"]
    assert build_method(specs[0]).options.mode == "far"


def test_a_function_becomes_a_method(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path, METHOD, methods={"plain": "function"})
    (selection,) = select("methods", "plain")
    method = build_method(specification(selection))
    assert isinstance(method, Method)
    assert not method.trainable


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import surely_not_installed", "ModuleNotFoundError: No module named 'surely_not_installed'"),
        ("nothing = 1", "has no attribute 'Broken'"),
        ("Broken = 3", "TypeError: 3 is not a subclass of harness.contracts.Method or a function"),
        ("class Broken: pass", "is not a subclass of harness.contracts.Method"),
        ("def (", "SyntaxError"),
    ],
)
def test_a_broken_plugin_is_listed_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], code: str, reason: str
) -> None:
    install(monkeypatch, tmp_path, code, methods={"broken": "Broken"})
    error = get("methods", "broken").error
    assert error is not None
    assert reason in error
    assert "broken" not in [selection.plugin.name for selection in select("methods", "all")]
    assert "Left out: method broken is broken" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"is broken.*select others"):
        select("methods", "mdn,broken")
    text = listing.plugins("methods")
    assert "broken  BROKEN" in text
    assert "mdn  (version" in text
    assert capsys.readouterr().err.count("warning: method broken") == 1


@pytest.mark.parametrize(
    ("requirement", "needed"),
    [
        ('Surely-Not.Installed>=1; extra == "more"', True),
        ('surely_not_installed[fast]>=1; python_version > "3" and extra == "more"', True),
        ("surely_not_installed>=1", False),
        ('surely_not_installed_either; extra == "more"', False),
    ],
)
def test_a_plugin_whose_optional_package_is_not_there_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    requirement: str,
    needed: bool,
) -> None:
    root = write(tmp_path, "import surely_not_installed.parts", methods={"wanting": "Wanting"})
    (metadata,) = root.glob("*.dist-info/METADATA")
    metadata.write_text(f"{metadata.read_text(encoding='utf-8')}Requires-Dist: {requirement}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(root))
    text = f'needs surely_not_installed: pip install "{root.name}[more]"'
    assert "wanting" not in names("all")
    assert (f"Left out: method wanting {text}\n" in capsys.readouterr().err) == needed
    assert (f"wanting  MISSING  ({root.name} 2.5)\n      {text}\n" in listing.plugins("methods")) == needed
    assert ("is broken" in capsys.readouterr().err) != needed
    with pytest.raises(UsageError, match=re.escape(f"Method 'wanting' {text}") if needed else r"is broken.*select"):
        select("methods", "wanting")


SAYS = """
from harness.contracts import Method

class Broken(Method):
    {what}
"""


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("groups = 'paper'", "groups is the text 'paper'; write a tuple: groups = ('paper',)"),
        ("references = 'Ren 2020'", "references is the text 'Ren 2020'; write a tuple"),
        ("handles = 'gaps'", "handles is the text 'gaps'"),
        ("finer = (1, 2)", "finer is (1, 2); write a tuple of texts"),
        ("groups = None", "groups is None; write a tuple of texts"),
    ],
)
def test_what_a_plugin_says_in_several_texts_is_no_single_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str, reason: str
) -> None:
    install(monkeypatch, tmp_path, SAYS.format(what=what), methods={"broken": "Broken"})
    assert reason in str(get("methods", "broken").error)
    text = listing.plugins("methods")
    assert reason in text and "mdn  (version" in text
    with pytest.raises(UsageError, match=r"is broken.*select others") as caught:
        select("methods", "broken")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a,b", "a[b]", "a b", "na*", "-x", "../up", "a/b", "?"])
def test_a_name_that_no_selection_can_hold_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    install(monkeypatch, tmp_path, METHOD, methods={name: "Copy"})
    assert "cannot stand in a selection: use letters, digits" in str(get("methods", name).error)
    assert f"{name}  BROKEN" in listing.plugins("methods")
    assert set(names("all")) >= OWN_METHODS and name not in names("all")


@pytest.mark.parametrize(
    "value", ["???", "no module at all", "nowhere", "nowhere:", "nowhere.at.all:Copy", ".x:Copy", "1:2"]
)
def test_an_entry_point_that_leads_nowhere_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    root = write(tmp_path, METHOD, methods={"odd": "Copy"})
    (entries,) = root.glob("*.dist-info/entry_points.txt")
    entries.write_text(f"[harness.methods]\nodd = {value}\n[harness.tasks]\nodd = {value}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(root))
    for kind in ("methods", "tasks"):
        assert get(kind, "odd").error
        text = listing.plugins(kind)
        assert "odd  BROKEN" in text and ("mdn  (" in text or "sinewave  (" in text)
    assert set(names("all")) >= OWN_METHODS and names("paper")


def test_a_name_registered_twice_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    modules = [install(monkeypatch, tmp_path, METHOD, methods={"copy": "Copy"}) for _ in range(2)]
    error = get("methods", "copy").error
    assert error is not None
    assert all(module in error for module in modules)
    assert "uninstall all but one" in error


def names(text: str) -> list[str]:
    return [selection.label for selection in select("methods", text)]


def test_selections_keep_their_order_and_name_nothing_twice() -> None:
    assert names("na,mdn,na") == ["na", "mdn"]
    assert names("na*") == ["na", "na-lm", "na-near"]
    assert names(" mdn , na-l? ") == ["mdn", "na-lm"]
    assert set(names("all")) >= OWN_METHODS
    assert set(names("baselines")) == {"prior", "lookup", "kernel"}
    assert names("na[candidates=50,boundary_loss=off],na,na[boundary_loss=false,candidates=050]") == [
        "na[boundary_loss=off,candidates=50]",
        "na",
    ]
    assert names("na*[steps=3]") == ["na[steps=3]", "na-lm[steps=3]", "na-near[steps=3]"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ipag", "Unknown method 'ipag'. Did you mean ipage"),
        ("x*", "Unknown method 'x\\*'"),
        ("na[boundary_los=off]", "Did you mean boundary_loss"),
        ("na[boundary_loss=maybe]", "Allowed: on"),
        ("na[boundary_loss]", "Write option=value"),
        ("na[=off]", "Write option=value"),
        ("na[steps=1,steps=2]", "gives the option steps twice"),
        ("na|mdn", r"has a \| outside its options.*comma between names"),
        ("na[steps=1|2]x", r"has a \| outside its options"),
        ("na[steps=|2]", "is not an option with several values"),
        ("na[steps|2]", "is not an option with several values"),
        ("na[steps=1|steps=2]", "is not an option with several values"),
        ("na[steps=1|2,]", "is not an option. Write option=value"),
        ("na[steps=1", "brackets"),
        ("na]steps=1[", "brackets"),
        ("na[[steps=1]]", "brackets"),
        ("na[steps=1]x", "goes on after its options"),
        (" , ", "names no methods"),
        ("prior[steps=1]", "Unknown option of prior 'steps'"),
    ],
)
def test_a_selection_that_cannot_be_used_is_explained(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        select("methods", text)


def test_all_leaves_out_what_cannot_do_without_options() -> None:
    names = [selection.label for selection in select("tasks", "all")]
    assert "sinewave" in names and "dataset" not in names
    assert [selection.label for selection in select("tasks", "dataset[path=pairs.csv]")] == ["dataset[path=pairs.csv]"]


def test_commas_inside_brackets_belong_to_their_item() -> None:
    assert split("a[b=1,c=2],d,,e[]") == ["a[b=1,c=2]", "d", "e[]"]


def test_alternatives_are_all_combinations() -> None:
    every = ["a[b=1,c=x]", "a[b=1,c=y]", "a[b=2,c=x]", "a[b=2,c=y]"]
    assert split("a[b=1|2,c=x | y],d[e=1]") == [*every, "d[e=1]"]
    both = [selection.label for selection in select("methods", "na[steps=50|300]")]
    assert both == ["na[steps=50]", "na[steps=300]"]


def test_options_of_a_scenario_that_are_its_defaults_stay_unwritten() -> None:
    labels = [selection.label for selection in select("scenarios", "gaps[share=0.3|0.5,fill=nearest],gaps")]
    assert labels == ["gaps", "gaps[share=0.5]"]


OWN_SCENARIOS = {"base", "noise", "shift", "gaps"}
OWN_PROTOCOLS = {"multi-target", "fixed-target", "r_T", "summary", "inference-time", "surrogate-gap", "novelty"} | {
    "recall",
    "operators",
    "diagnosis",
    "views",
}


def test_our_scenarios_and_protocols_arrive_by_entry_point() -> None:
    assert set(discover("scenarios")) >= OWN_SCENARIOS and set(discover("protocols")) >= OWN_PROTOCOLS
    for kind, build in (("scenarios", build_scenario), ("protocols", build_protocol)):
        for selection in select(kind, "all"):
            built = build(specification(selection))
            assert isinstance(built, selection.plugin.load()) and built.options is not None
            assert selection.plugin.name == "base" or selection.plugin.name in listing.plugins(kind)


def test_the_source_of_every_plug_in_is_a_digest() -> None:
    digests = {(kind, name): plugin.source for kind in BASES for name, plugin in discover(kind).items()}
    assert all(len(digest) == 64 for digest in digests.values())
    assert digests["methods", "na"] == digests["methods", "na-lm"] != digests["methods", "mdn"]
    assert len({digest for (kind, _), digest in digests.items() if kind == "tasks"}) == len(discover("tasks"))


def test_discovery_leaves_global_random_states_alone() -> None:
    before = torch.get_rng_state()
    select("methods", "all")
    assert torch.equal(before, torch.get_rng_state())
