"""Adapters by name: the built-in table of a room merged with its entry points; a clash is an error.

What is loaded is held to its port: a class that lacks something is refused by name before anything begins. An adapter
needs no base class, so nothing but this refusal, or a suite that asks for `gaps`, tells its author. A metric
source may have another name for a person, who says how a script writes its numbers; it is the same in every target.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import get_annotations
from types import MappingProxyType, UnionType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

from autoresearch import extras
from autoresearch.errors import AutoresearchError, CampaignError, PluginError, crossing
from autoresearch.ports.target import SourceSpec
from autoresearch.run.printed_result import pattern

FORMATS: Mapping[str, str] = MappingProxyType(
    {"json": "files", "jsonl": "files", "csv": "files", "tsv": "files", "stdout": "logs"}
)
"""Words for how a script writes its numbers, and the source that reads them; any source's own name will do as well."""


if TYPE_CHECKING:
    from autoresearch.ports.dialect import DialectFinder
    from autoresearch.ports.target import Inspector, KnobFinder


class AdapterKind(NamedTuple):
    """One kind of adapter.

    Attributes:
        one: What a person calls one of them.
        table: The module whose `BUILTIN` names those that come with the program.
        port: What each of them has to have, as `module:Protocol` of this folder: listing names loads none of it.
        plain: Whether one needs nothing to be made: what is loaded is then one that is made, and not its class.
        held: Whether it is held to its port from outside; whoever asks the others knows how to do without them.
    """

    one: str
    table: str
    port: str
    plain: bool = False
    held: bool = False


ROOMS: Mapping[str, AdapterKind] = MappingProxyType(
    {
        "targets": AdapterKind("target", "autoresearch.targets", "target:Target", held=True),
        "researchers": AdapterKind("researcher", "autoresearch.researchers", "researcher:Researcher"),
        "launchers": AdapterKind("launcher", "autoresearch.launchers", "launcher:Launcher", held=True),
        "metrics": AdapterKind("metric source", "autoresearch.metrics", "metric_source:MetricSource"),
        "trackers": AdapterKind("tracker", "autoresearch.trackers", "tracker:Tracker"),
        "policies": AdapterKind(
            "verdict policy", "autoresearch.verdict.policies", "policy:Policy", plain=True, held=True
        ),
    }
)
"""Kinds of adapters; the entry points of `x` are in the group `autoresearch.x`."""


_NAME = re.compile(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]*")
"""Names that stay where they are put."""


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
    if not _NAME.fullmatch(name):
        raise PluginError(
            f"{one} {name!r} of the package {package} has a name that cannot be one of a folder, where its files lie: "
            f"no slash, no dot at its beginning; rename its entry point"
        )
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
    return _held(room, name, found) if plain and package else found


def make(room: str, name: str, **given: Any) -> Any:
    """An adapter, made of what a campaign file says of it.

    Raises:
        AutoresearchError: It refuses its options; a `PluginError` where it cannot be had, or one that a package
            provides fails in a way that is not ours: whose fault that is has to be told.
    """
    kind, package = load(room, name), package_of(room, name)
    try:
        adapter = kind(**given)
    except AutoresearchError:
        raise
    except (Exception, SystemExit) as error:
        if not package:
            raise
        raise PluginError(
            f"{ROOMS[room].one} {name!r} of the package {package} cannot be made: {type(error).__name__}: {error}; "
            f"correct its options or mend that package"
        ) from error
    return _held(room, name, adapter) if package and ROOMS[room].held else adapter


def package_of(room: str, name: str) -> str:
    """The package that provides an adapter; empty for one of ours."""
    return next((_package(point) for point in _points(room) if point.name == name), "")


def _held(room: str, name: str, adapter: object) -> object:
    """An adapter of another package, held to its port: what it breaks in any call is told as that package's doing.

    It stands in front of the adapter and not in its class, so whatever one of its methods asks another is its own.
    """
    body: dict[str, object] = {"__getattr__": lambda _, attribute: getattr(adapter, attribute)}
    told = f"{ROOMS[room].one} {name!r} of the package {package_of(room, name)}"
    for port in _ports(room):
        for attribute in get_annotations(port):
            if hasattr(adapter, attribute):
                body[attribute] = getattr(adapter, attribute)
        for method, asked in vars(port).items():
            if isinstance(asked, property) and hasattr(adapter, method):
                body[method] = getattr(adapter, method)
            elif inspect.isfunction(asked) and not method.startswith("_") and hasattr(adapter, method):
                body[method] = _held_call(getattr(adapter, method), get_type_hints(asked)["return"], method, told)
    held: object = type(type(adapter).__name__, (), body)()
    return held


def _held_call(call: Callable[..., object], promised: object, method: str, told: str) -> Callable[..., object]:
    cure = "nothing recorded is lost: mend or uninstall that package, then continue"

    def asked(_: object, *args: object, **named: object) -> object:
        with crossing(PluginError, f"{told} failed in {method}(); {cure}"):
            answer = call(*args, **named)
        if promised is not type(None) and (wrong := misfit(promised, answer, f"{method}()")):
            raise PluginError(f"{told} broke its port: {wrong}; {cure}")
        return answer

    return asked


def _ports(room: str) -> Iterator[type]:
    """The Protocols of a room: what one may do besides, and then what each has to."""
    port = port_of(room)
    for found in vars(import_module(port.__module__)).values():
        if getattr(found, "_is_runtime_protocol", False) and found.__module__ == port.__module__:
            yield found
    yield port


def misfit(promised: Any, value: object, what: str) -> str:
    """How a value is not what an annotation promises, in words; empty when it is.

    Nobody else looks at what adapters of other packages answer, and a journal with a line of the wrong type cannot be
    read again. Fields of dataclasses are looked at too.

    Args:
        promised: The annotation.
        value: What was answered.
        what: What it is called in the answer.
    """
    origin, parts = get_origin(promised), get_args(promised)
    if promised in {Any, object} or origin is type:
        return ""
    if origin is Literal:
        return "" if value in parts else _not_a(promised, value, what)
    if origin in {Union, UnionType}:
        if type(value) in parts:
            return misfit(type(value), value, what)
        return _not_a(promised, value, what) if all(misfit(part, value, what) for part in parts) else ""
    kind = origin or (type(None) if promised is None else promised)
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind in {int, float}):
        return _not_a(promised, value, what)
    return next((wrong for part, one, where in _inside(value, parts, what) if (wrong := misfit(part, one, where))), "")


def _inside(value: object, parts: tuple[Any, ...], what: str) -> Iterable[tuple[Any, object, str]]:
    """What a value holds: what each is promised to be, it, and what it is called."""
    match value:
        case Mapping():
            for key, one in value.items() if parts else ():
                yield parts[0], key, f"a key of {what}"
                yield parts[1], one, f"{what}[{key!r}]"
        case tuple() | list() | frozenset() | set():
            for number, one in enumerate(value):
                yield _part(parts, number), one, f"{what}[{number}]"
        case _ if dataclasses.is_dataclass(value):
            kind: Any = type(value)
            for field, promised in _fields(kind).items():
                yield promised, getattr(value, field), f"{what}.{field}"


def _part(parts: tuple[Any, ...], number: int) -> Any:
    if not parts:
        return Any
    return parts[0] if len(parts) == 1 or parts[-1] is Ellipsis else parts[min(number, len(parts) - 1)]


@cache
def _fields(kind: type) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _not_a(promised: Any, value: object, what: str) -> str:
    name = promised.__name__ if isinstance(promised, type) and not get_args(promised) else str(promised)
    return f"{what} is {value!r:.120} and not {name}"


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


def dialect_finder() -> "DialectFinder":
    """What knows how training frameworks spell things."""
    found: DialectFinder = cast("DialectFinder", import_module(import_module("autoresearch.targets").DIALECTS))
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
