"""What a user wrote after `--methods`, `--tasks`, `--scenarios` or `--protocols`, as a list of plug-ins with options.

The grammar: a comma list of `NAME`, `NAME[option=value,...]`, `all`, a group such as `paper`, or a glob such as
`na*`. Options after a group or a glob go to each of its members. `NAME[option=one|two]` is NAME twice, once with each
value; with several such options it is all combinations.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import product
from typing import Any

from harness.errors import UsageError, unknown
from harness.meanings import typed
from harness.options import convert, hints, instantiate, render, resolve, text_of
from harness.registry import Kind, Plugin, discover, require_scorable
from harness.texts import meant


@dataclass(frozen=True)
class Selection:
    """A plug-in and the options that the user gave it, typed and validated.

    A scenario has options of its own alone, which no preset changes. So those that are its defaults anyway are left
    out: `gaps[share=0.3]` is `gaps`.
    """

    plugin: Plugin
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """The name, with the options that the user gave: `na[boundary_loss=off]`."""
        return self.plugin.name + render(self.options)


AT = " @ "
"""Between the label of a method and that of the scenario in which it is looked at."""
SPECIAL = "special"
"""The group of plug-ins that are made for one scenario alone, and are not among `all`."""


def select(kind: Kind, text: str) -> list[Selection]:
    """The plug-ins that a selection names, in its order, without duplicates; none where all of them are broken.

    Raises:
        UsageError: an unknown name, option or value, a broken plug-in that was named, a protocol with two sets of
            options, or unbalanced brackets.
    """
    plugins = discover(kind)
    chosen: dict[str, Selection] = {}
    items = split(text)
    if not items:
        raise UsageError(f"The selection {text!r} names no {kind}. Allowed: {', '.join(plugins) or 'none installed'}.")
    for item in items:
        name, given = parse(item)
        for plugin in named(kind, name, plugins):
            selection = validated(plugin, given)
            chosen.setdefault(selection.label, selection)
    if kind == "protocols":
        _require_one_of_each(list(chosen.values()), [parse(item)[0] for item in items])
    return list(chosen.values())


def _require_one_of_each(chosen: Sequence[Selection], names: Sequence[str]) -> None:
    """Refuse a protocol with two sets of options, of which a record could keep one; `all,r_T[...]` has but one."""
    for name in dict.fromkeys(item.plugin.name for item in chosen):
        given = [item for item in chosen if item.plugin.name == name]
        if len(given) > 1 and (names.count(name) > 1 or sum(bool(item.options) for item in given) > 1):
            both = " and as ".join(item.label for item in given)
            raise UsageError(f"The protocol {name} is named as {both}, but is scored once in a run. Name one of them.")


def split(text: str) -> list[str]:
    """The items of a comma list; commas inside brackets belong to their item, and alternatives there are items each.

    >>> split("one,two[a=1|2,b=3]")
    ['one', 'two[a=1,b=3]', 'two[a=2,b=3]']
    """
    items, depth = [""], 0
    for character in meant(text):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth not in (0, 1):
            break
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    if depth:
        raise UsageError(f"The brackets in {text!r} do not match. Write NAME[option=value,option=value].")
    return [one for item in items if item.strip() for one in _alternatives(item.strip())]


def _alternatives(item: str) -> list[str]:
    """`two[a=1|2,b=3]` as `two[a=1,b=3]` and `two[a=2,b=3]`; anything else as it is."""
    if "|" not in item:
        return [item]
    name, bracket, rest = item.partition("[")
    if not bracket or not rest.endswith("]"):
        raise UsageError(f"{item!r} has a | outside its options. Write NAME[option=one|two], or a comma between names.")
    every: list[list[str]] = []
    for pair in rest.removesuffix("]").split(","):
        key, equals, text = pair.partition("=")
        values = [value.strip() for value in text.split("|")]
        every.append([key + equals + value for value in values])
        if "|" in key or (len(values) > 1 and any(not value or "=" in value for value in values)):
            raise UsageError(
                f"{pair.strip()!r} in {item!r} is not an option with several values. Write option=one|two."
            )
    return [f"{name}[{','.join(pairs)}]" for pairs in product(*every)]


def parse(item: str) -> tuple[str, dict[str, str]]:
    """An item as name and options, both still text."""
    name, bracket, rest = item.partition("[")
    if bracket and not rest.endswith("]"):
        raise UsageError(f"{item!r} goes on after its options. Write NAME[option=value,option=value].")
    options: dict[str, str] = {}
    for pair in rest.removesuffix("]").split(",") if rest.removesuffix("]").strip() else []:
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not key or not value:
            raise UsageError(f"{pair.strip()!r} in {item!r} is not an option. Write option=value.")
        if options.setdefault(key, value) != value:
            raise UsageError(f"{item!r} gives the option {key} twice. Write {name}[...] once for each value.")
    return name.strip(), options


_parsed = lru_cache(maxsize=4096)(parse)


def placed(label: str) -> tuple[str, str]:
    """The method that a label names, and the scenario, which is empty where it names none.

    >>> placed("one @ noise[sd=0.2]"), placed("one")
    (('one', 'noise[sd=0.2]'), ('one', ''))
    """
    method, _, scenario = label.partition(AT)
    return method, scenario


def means(label: str, own: str, declared: Any) -> bool:
    """Whether a label means a plug-in of another label: that with fewer options, if it has the values of the others.

    `[steps=20]` means the plain name where 20 is the usual value anyway.

    Args:
        label: what somebody wrote.
        own: the label that the plug-in has in a record.
        declared: the plug-in as the record declares it, with all its options.
    """
    name, given = _parsed(label)
    known, options = _parsed(own)
    asked = declared.name == name == known and options.items() <= given.items()
    return asked and all(_says(text, declared.options.get(key)) for key, text in given.items())


def _says(text: str, value: Any) -> bool:
    """Whether a text stands for a value, of which it may be another spelling: `0.30` for 0.3."""
    if text == text_of(value):
        return True
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and float(text) == value
    except ValueError:
        return False


def named(kind: Kind, name: str, plugins: Mapping[str, Plugin]) -> list[Plugin]:
    """The plug-ins that a name, a group, a glob or `all` stands for.

    Only an exact name can yield a broken one, or one that cannot do without options.
    """
    if name in plugins and name != "all":
        if plugins[name].clash:
            raise UsageError(plugins[name].described(plugins[name].clash))
        return [plugins[name]]
    if name == "all":
        matching = [plugin for plugin in plugins.values() if SPECIAL not in plugin.groups]
    elif "*" in name or "?" in name:
        matching = [plugin for key, plugin in plugins.items() if fnmatchcase(key, name)]
    else:
        matching = [plugin for plugin in plugins.values() if name in plugin.groups]
    if not matching:
        groups = {group for plugin in plugins.values() for group in plugin.groups}
        raise unknown(kind.removesuffix("s"), name, {"all", *plugins, *groups})
    usable = [plugin for plugin in matching if plugin.error is None and not plugin.required]
    for plugin in matching:
        if plugin.error is not None:
            why = plugin.needs or f"is broken: {plugin.error}"
            print(f"Left out: {kind.removesuffix('s')} {plugin.name} {why}", file=sys.stderr)
    return usable


def validated(plugin: Plugin, given: Mapping[str, str]) -> Selection:
    """A selection whose options were converted and accepted by the plug-in's dataclass."""
    loaded: Any = plugin.load()
    types = hints(loaded.Options)
    for item in fields(loaded.Options):
        if item.name in given:
            typed(item, types[item.name], given[item.name], f"{plugin.name}[{item.name}]")
    converted = convert(loaded.Options, given, plugin.name)
    values = resolve(loaded.Options, getattr(loaded, "defaults", {}), converted, owner=plugin.name)
    if plugin.kind == "protocols":
        require_scorable(loaded(instantiate(loaded.Options, values, plugin.name)))
    if plugin.kind == "scenarios":
        needed = {name: converted[name] for name in plugin.required}
        usual = resolve(loaded.Options, getattr(loaded, "defaults", {}), needed, owner=plugin.name)
        converted = {name: value for name, value in converted.items() if name in needed or values[name] != usual[name]}
    return Selection(plugin, converted)
