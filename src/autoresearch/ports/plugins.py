"""Adapters by name: the built-in table of a room merged with its entry points; a clash is an error.

What is loaded is held to its port: a class that lacks something is refused by name before anything begins. An adapter
needs no base class, so nothing but this refusal, or a suite that asks for `gaps`, tells its author. A metric
source may have another name for a person, who says how a script writes its numbers; it is the same in every target.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import get_annotations
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from autoresearch import extras
from autoresearch.errors import AutoresearchError, CampaignError, PluginError, crossing
from autoresearch.ports.target import SourceSpec
from autoresearch.run.printed_result import pattern

FORMATS: Mapping[str, str] = MappingProxyType(
    {"json": "files", "jsonl": "files", "csv": "files", "tsv": "files", "stdout": "logs"}
)
"""Words for how a script writes its numbers, and the source that reads them; any source's own name will do as well."""


if TYPE_CHECKING:
    from autoresearch.ports.target import Inspector, KnobFinder


class AdapterKind(NamedTuple):
    """One kind of adapter.

    Attributes:
        one: What a person calls one of them.
        table: The module whose `BUILTIN` names those that come with the program.
        port: What each of them has to have, as `module:Protocol` of this folder: listing names loads none of it.
        plain: Whether one needs nothing to be made: what is loaded is then one that is made, and not its class.
    """

    one: str
    table: str
    port: str
    plain: bool = False


ROOMS: Mapping[str, AdapterKind] = MappingProxyType(
    {
        "targets": AdapterKind("target", "autoresearch.targets", "target:Target"),
        "researchers": AdapterKind("researcher", "autoresearch.researchers", "researcher:Researcher"),
        "launchers": AdapterKind("launcher", "autoresearch.launchers", "launcher:Launcher"),
        "metrics": AdapterKind("metric source", "autoresearch.metrics", "metric_source:MetricSource"),
        "trackers": AdapterKind("tracker", "autoresearch.trackers", "tracker:Tracker"),
        "policies": AdapterKind("verdict policy", "autoresearch.verdict.policies", "policy:Policy", plain=True),
    }
)
"""Kinds of adapters; the entry points of `x` are in the group `autoresearch.x`."""


@cache
def names(room: str) -> dict[str, str]:
    """Every adapter of a room: its name and the `module:Class` that provides it.

    Raises:
        PluginError: Two packages claim one name.
    """
    table: dict[str, str] = dict(import_module(ROOMS[room].table).BUILTIN)
    for point in _points(room):
        if point.name in table:
            raise PluginError(
                f"two {room} are called {point.name!r}: {table[point.name]} and {point.value}; uninstall one of them"
            )
        table[point.name] = point.value
    return table


@cache
def _points(room: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"autoresearch.{room}"))


def forget() -> None:
    """Look anew which packages are installed: for a process that has just installed one."""
    names.cache_clear()
    _points.cache_clear()


def load(room: str, name: str) -> Any:
    """The adapter class behind a name; of policies the policy itself, which nothing but its name is needed for.

    Raises:
        PluginError: There is none, its module cannot be imported, or it lacks something that its port asks for.
    """
    table, one, plain = names(room), ROOMS[room].one, ROOMS[room].plain
    if name not in table:
        near = get_close_matches(name, table, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise PluginError(f"there is no {one} {name!r}; choose one of: {', '.join(sorted(table))}{hint}")
    package = package_of(room, name)
    try:
        provided = EntryPoint(name, table[name], f"autoresearch.{room}").load()
        found = provided() if plain else provided
    except (Exception, SystemExit) as error:
        if package:
            raise PluginError(f"{one} {name!r} of the package {package} {_broken(error, package)}") from error
        if not isinstance(error, ImportError):
            raise
        raise PluginError(
            f"{one} {name!r} needs a package that is not installed ({error.name or error}); {extras.advice(error.name)}"
        ) from error
    if missing := lacking(room, found):
        whose = f" of the package {package}" if package else ""
        raise PluginError(
            f"{one} {name!r}{whose} lacks {', '.join(missing)}; add what is missing to {table[name]}, "
            f"autoresearch.ports.{ROOMS[room].port.partition(':')[0]} says what each is for"
        )
    return found


def make(room: str, name: str, **given: Any) -> Any:
    """An adapter, made of what a campaign file says of it.

    Raises:
        AutoresearchError: It refuses its options; a `PluginError` where it cannot be had, or one that a package
            provides fails in a way that is not ours: whose fault that is has to be told.
    """
    kind, package = load(room, name), package_of(room, name)
    try:
        return kind(**given)
    except AutoresearchError:
        raise
    except (Exception, SystemExit) as error:
        if not package:
            raise
        raise PluginError(
            f"{ROOMS[room].one} {name!r} of the package {package} cannot be made: {type(error).__name__}: {error}; "
            f"correct its options or mend that package"
        ) from error


def package_of(room: str, name: str) -> str:
    """The package that provides an adapter; empty for one of ours."""
    return next((_package(point) for point in _points(room) if point.name == name), "")


@contextmanager
def calling(room: str, name: str, what: str) -> Iterator[None]:
    """Make what an adapter of another package raises that package's own failure; ours are left as they are.

    Args:
        room: Its room, such as `launchers`.
        name: What a campaign file calls it.
        what: What it was asked for, in words.

    Raises:
        PluginError: It raised something that its port does not speak of, in one line that names the package.
    """
    package = package_of(room, name)
    if not package:
        yield
        return
    told = f"{ROOMS[room].one} {name!r} of the package {package} failed to {what}"
    with crossing(PluginError, f"{told}; nothing recorded is lost: mend or uninstall that package, then continue"):
        yield


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module.partition(".")[0]


def _broken(error: BaseException, package: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"needs the module {error.name!r}, which is not installed; install what {package} needs, or uninstall it"
    return f"cannot be loaded: {type(error).__name__}: {error}; mend that package or uninstall it"


def lacking(room: str, adapter: object) -> tuple[str, ...]:
    """What an adapter, or its class, lacks of what its port asks for, as one would write it: `here: bool`, `find()`."""
    return tuple(_lacking(port_of(room), adapter))


def port_of(room: str) -> type:
    """The Protocol that every adapter of a room has to have."""
    port: type = EntryPoint(room, f"autoresearch.ports.{ROOMS[room].port}", "").load()
    return port


def _lacking(port: type, adapter: object) -> Iterator[str]:
    for name, kind in get_annotations(port).items():
        if not isinstance(getattr(adapter, name, None), kind):
            yield f"`{name}: {kind.__name__}`"
    for name, value in vars(port).items():
        if isinstance(value, property) and not hasattr(adapter, name):
            yield f"`{name}`"
        if callable(value) and not name.startswith("_") and not callable(getattr(adapter, name, None)):
            yield f"`{name}()`"


def gaps(room: str, adapter: object) -> tuple[str, ...]:
    """What an adapter lacks of its port, in words; empty when it has the shape.

    Args:
        room: Its kind, a key of `ROOMS`.
        adapter: One that was made. What the port says of attributes its class has to have: they are read before.
    """
    asked = adapter if ROOMS[room].plain else type(adapter)
    return (*lacking(room, asked), *_refused_calls(port_of(room), adapter))


def made_with(kind: Callable[..., Any], *keywords: str) -> str:
    """Why a class cannot be called with these keywords, empty when it can: adapters are made from a campaign file."""
    try:
        inspect.signature(kind).bind(**dict.fromkeys(keywords))
    except TypeError as error:
        return f"{getattr(kind, '__name__', kind)} cannot be made with {', '.join(keywords) or 'nothing'}: {error}"
    return ""


def _refused_calls(port: type, adapter: object) -> Iterator[str]:
    """Methods that are there but do not take what the program gives them."""
    for name, asked in vars(port).items():
        method = getattr(adapter, name, None)
        if name.startswith("_") or not inspect.isfunction(asked) or not callable(method):
            continue
        parameters = [one for one in inspect.signature(asked).parameters.values() if one.name != "self"]
        plain = [None for one in parameters if one.kind is not one.KEYWORD_ONLY]
        named = {one.name: None for one in parameters if one.kind is one.KEYWORD_ONLY}
        try:
            inspect.signature(method).bind(*plain, **named)
        except TypeError as error:
            yield f"{name}() cannot be called as {port.__name__} is: {error}"


def inspector(target: str) -> "Inspector":
    """What a target can say about a single recipe, without loading the rest of it.

    Raises:
        PluginError: The target answers no such questions.
    """
    known: dict[str, str] = import_module("autoresearch.targets").INSPECTORS
    if target not in known:
        raise PluginError(f"target {target!r} answers no questions about single recipes; these do: {', '.join(known)}")
    found: Inspector = cast("Inspector", import_module(known[target]))
    return found


def knob_finder() -> "KnobFinder":
    """What finds the knobs of somebody's own script."""
    found: KnobFinder = cast("KnobFinder", import_module(import_module("autoresearch.targets").KNOB_FINDER))
    return found


def chosen_source(wanted: object, tag: str, *, one_result: bool = False) -> SourceSpec:
    """The source behind a name, or behind a mapping with a `type` and the source's own options.

    Args:
        wanted: What stands under `target.source`.
        tag: The metric as it is printed, for `stdout` without patterns.
        one_result: Whether a run prints its result once at its end, so that a second one is looked for.

    Raises:
        CampaignError: There is no such source.
        PluginError: Two packages claim one name.
    """
    asked = {"type": wanted} if isinstance(wanted, str) else wanted
    known = {*FORMATS, *names("metrics")}
    if not isinstance(asked, Mapping) or asked.get("type") not in known:
        raise CampaignError(f"target option 'source' needs a type, one of: {', '.join(sorted(known))}; got {wanted!r}")
    kind = str(asked["type"])
    options = {str(key): value for key, value in asked.items() if key != "type"}
    if kind == "stdout":
        if one_result and not options:
            options["result"] = tag
        options.setdefault("patterns", {tag: pattern(tag)})
    elif kind in FORMATS:
        options.setdefault("format", kind)
    return SourceSpec(FORMATS.get(kind, kind), options)
