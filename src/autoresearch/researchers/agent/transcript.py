"""What the agents' command lines print, read as: the last message, model, tokens, money, and what went wrong.

Formats as printed by Claude Code 2.1 (`stream-json`), Codex 0.16x (`--json`), Gemini CLI 0.6x (`stream-json`), OpenCode
1.x (`--format json`), mini-swe-agent 2.x (trajectory file) and Aider 0.86 (text). All are foreign input: any line may
be missing, torn or forged, and none of it decides anything but whether to try again.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from autoresearch.experiment.briefing import plain
from autoresearch.researchers.agent.troubles import Trouble, in_words, last_words, of_error, refuses


@dataclass(frozen=True, kw_only=True)
class Said:
    """An agent's own account of one call.

    Attributes:
        text: Its last message.
        tokens_in: Tokens it read, None when it does not say.
        tokens_cached: Those among them that came from a cache.
        tokens_out: Tokens it wrote.
        cost_usd: Money it says it cost.
        turns: Times it asked its model.
        error: What it reports as its own failure; empty for none.
        status: HTTP status of that failure, None for none.
        code: Code or type of that failure; empty for none.
        model: The model that it says answered; empty while it does not say.
        priced: Whether `cost_usd` was worked out from its tokens.
        asked: What it asked to be allowed, with the answer it got and why (Agent Client Protocol only).
        cancelled: Whether its turn was cancelled because its time was up (Agent Client Protocol only).
    """

    text: str = ""
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    turns: int | None = None
    error: str = ""
    status: int | None = None
    code: str = ""
    model: str = ""
    priced: bool = False
    asked: tuple[Mapping[str, str], ...] = ()
    cancelled: bool = False


def claude(stdout: str) -> Said:
    """The `result` event of `stream-json`; before there is one, the trouble it is trying to get over."""
    said, code = Said(), ""
    for event in _events(stdout):
        kind, message = event.get("type"), _table(event.get("message"))
        if event.get("subtype") == "api_retry":
            code = _text(event.get("error"))
            said = replace(said, error=f"{code} ({event.get('error_status')}), trying again", code=code)
            said = replace(said, status=_count(event.get("error_status")))
        elif kind == "assistant":
            code = _text(event.get("error"))
            said = said if code else replace(said, model=_text(message.get("model")) or said.model, error="")
        elif kind == "result":
            said = _claude_result(event, code, said.model)
    return said


def _claude_result(event: Mapping[str, Any], code: str, model: str) -> Said:
    usage, used = _table(event.get("usage")), _table(event.get("modelUsage"))
    read = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    text, subtype = _text(event.get("result")), str(event.get("subtype", "success"))
    failed = event.get("is_error") is True or subtype != "success"
    return Said(
        text=text,
        tokens_in=_sum(usage.get(key) for key in read),
        tokens_out=_count(usage.get("output_tokens")),
        cost_usd=_money(event.get("total_cost_usd")),
        turns=_count(event.get("num_turns")),
        error=(text or subtype) if failed else "",
        status=_count(event.get("api_error_status")) if failed else None,
        code=(code or ("" if subtype == "success" else subtype)) if failed else "",
        model=model or next(iter(used), ""),
    )


def codex(stdout: str) -> Said:
    """Items and turns of `exec --json`."""
    said = Said()
    for event in _events(stdout):
        kind, item = event.get("type"), _table(event.get("item"))
        if kind == "item.completed" and item.get("type") == "agent_message":
            said = replace(said, text=_text(item.get("text")), error="")
        elif kind == "turn.completed":
            usage = _table(event.get("usage"))
            said = replace(
                said,
                tokens_in=_count(usage.get("input_tokens")),
                tokens_cached=_count(usage.get("cached_input_tokens")),
                tokens_out=_count(usage.get("output_tokens")),
                turns=(said.turns or 0) + 1,
            )
        elif kind in ("turn.failed", "error"):
            error = _text(_table(event.get("error")).get("message") or event.get("message"))
            found = _CODEX_STATUS.search(error)
            said = replace(said, error=error, status=int(found[1]) if found else None)
    return said


_CODEX_STATUS = re.compile(r"^unexpected status (\d{3})\b")


def gemini(stdout: str) -> Said:
    """Messages and the result's statistics of `stream-json`."""
    said, pieces = Said(), list[str]()
    for event in _events(stdout):
        kind = event.get("type")
        if kind == "message" and event.get("role") == "assistant":
            pieces.append(_text(event.get("content")))
        elif kind == "tool_use":
            pieces.clear()
        elif kind == "init":
            said = replace(said, model=_text(event.get("model")))
        elif kind in ("error", "result"):
            stats, error = _table(event.get("stats")), event.get("error") or event.get("message")
            failed = kind == "error" or event.get("status") == "error"
            said = replace(
                said,
                tokens_in=_count(stats.get("input_tokens")),
                tokens_cached=_count(stats.get("cached")),
                tokens_out=_count(stats.get("output_tokens")),
                error=_text(_table(error).get("message") or error) if failed else said.error,
            )
            said = _google_error(said) if failed else said
    return replace(said, text="".join(pieces))


_GOOGLE = re.compile(r'\{.*"error".*\}', re.DOTALL)


def _google_error(said: Said) -> Said:
    """The error with the status and code that Google's answer has, where it prints that as its message."""
    found = _GOOGLE.search(said.error)
    try:
        error = _table(_table(json.loads(found[0])).get("error")) if found else {}
    except (ValueError, RecursionError):
        return said
    words = _text(error.get("message")) or said.error
    return replace(said, error=words, status=_count(error.get("code")), code=_text(error.get("status")))


def opencode(stdout: str) -> Said:
    """Text parts and step ends of `run --format json`."""
    said = Said()
    for event in _events(stdout):
        kind, part = event.get("type"), _table(event.get("part"))
        if kind == "text":
            said = replace(said, text=_text(part.get("text")))
        elif kind == "step_finish":
            tokens = _table(part.get("tokens"))
            said = replace(
                said,
                tokens_in=_sum((said.tokens_in, tokens.get("input"), _table(tokens.get("cache")).get("read"))),
                tokens_cached=_sum((said.tokens_cached, _table(tokens.get("cache")).get("read"))),
                tokens_out=_sum((said.tokens_out, tokens.get("output"))),
                cost_usd=(said.cost_usd or 0.0) + (_money(part.get("cost")) or 0.0),
                turns=(said.turns or 0) + 1,
            )
        elif kind == "error":
            error = _table(event.get("error"))
            data = _table(error.get("data"))
            said = replace(
                said,
                error=_text(data.get("message") or error.get("name")),
                status=_count(data.get("statusCode")),
                code=_error_code(_text(data.get("responseBody"))) or _text(error.get("name")),
            )
    return said


def _error_code(body: str) -> str:
    """The code, else the type, of the error in a provider's answer; empty where it is none."""
    try:
        error = _table(_table(json.loads(body)).get("error"))
    except (ValueError, RecursionError):
        return ""
    return next((_text(error[key]) for key in ("code", "status", "type") if isinstance(error.get(key), str)), "")


def mini(stdout: str, trajectory: str = "") -> Said:
    """The trajectory's last message and `info`; what it prints is for people."""
    try:
        document = _table(json.loads(trajectory))
    except (ValueError, RecursionError):
        return Said(text=stdout)
    info = _table(document.get("info"))
    stats = _table(info.get("model_stats"))
    messages = document.get("messages")
    texts = [_text(_table(one).get("content")) for one in messages] if isinstance(messages, list) else []
    ended = str(info.get("exit_status") or "")
    return Said(
        text="\n".join([*texts[-3:], _text(info.get("submission"))]),
        cost_usd=_money(stats.get("instance_cost")),
        turns=_count(stats.get("api_calls")),
        error="" if ended in {"", "Submitted"} else ended,
        code="" if ended in {"", "Submitted"} else ended,
        model=_text(_table(_table(info.get("config")).get("model")).get("model_name")),
    )


_AIDER = re.compile(r"Tokens: ([\d.]+)(k?) sent,.*?([\d.]+)(k?) received\.(?: Cost: \$([\d.]+) message)?")


def aider(stdout: str) -> Said:
    """Its `Tokens:` lines, added up, and the last error that it names as its own."""
    failed = list(_LITELLM.finditer(stdout))
    said = Said(text=stdout, error=plain(failed[-1][0]) if failed else "", code=failed[-1][1] if failed else "")
    if not failed and (named := _AIDER_MODEL.search(stdout)):
        said = replace(said, model=named[1])
    for sent, kilo, received, kilo_out, cost in _AIDER.findall(stdout):
        said = replace(
            said,
            tokens_in=(said.tokens_in or 0) + _rounded(sent, kilo),
            tokens_out=(said.tokens_out or 0) + _rounded(received, kilo_out),
            cost_usd=(said.cost_usd or 0.0) + (_money(cost) or 0.0) if cost else said.cost_usd,
            turns=(said.turns or 0) + 1,
        )
    return said


_LITELLM = re.compile(r"^litellm\.(?:exceptions\.)?(\w+(?:Error|Timeout)): .*$", re.MULTILINE)
_AIDER_MODEL = re.compile(r"^(?:Main model|Model): (\S+)", re.MULTILINE)
_MOST_ASKED = 200
_STOPS = {"refusal": "refusal", "max_tokens": "its answer grew too long", "cost": "budget exceeded"}


def acp(stdout: str) -> Said:
    """The lines that `acp` prints, one per event."""
    said, asked = Said(), list[Mapping[str, str]]()
    for event in _events(stdout):
        match event.get("event"):
            case "text":
                said = replace(said, text=_text(event.get("text")))
            case "asked":
                asked.append({key: _text(event.get(key)) for key in ("what", "answer", "why")})
            case "ended":
                usage, stop = _table(event.get("usage")), _text(event.get("stop"))
                read = ("input_tokens", "cached_read_tokens", "cached_write_tokens")
                said = replace(
                    said,
                    tokens_in=_sum(usage.get(key) for key in read),
                    tokens_out=_count(usage.get("output_tokens")),
                    cost_usd=_money(event.get("cost_usd")),
                    error=_text(event.get("error")) or _STOPS.get(stop, ""),
                    cancelled=stop == "time",
                )
    return replace(said, asked=tuple(asked[-_MOST_ASKED:]))


def command(stdout: str) -> Said:
    """Any program: what it printed is its message."""
    return Said(text=stdout)


def trouble(said: Said, stderr: str) -> Trouble:
    """Which kind of trouble an agent that did nothing was in, by what its program states, else by its program's words.

    What its model wrote is not looked at: a rate limit that an idea speaks of is no rate limit.
    """
    stated = of_error(said.status, said.code, said.error) or in_words(said.error) or in_words(stderr)
    return stated or (Trouble.REFUSAL if refuses(said.error) else Trouble.UNKNOWN)


def reason(said: Said, stderr: str) -> str:
    """The best words there are for a failure, one line: the error itself, not what was logged before it."""
    if said.error:
        return plain(said.error)
    lines = [line for line in map(plain, stderr[-8000:].splitlines()) if line]
    telling = [line for line in lines if in_words(line) or _ERROR.search(line)]
    return next(reversed(telling or lines), "") or last_words(said.text) or "it said nothing"


_ERROR = re.compile(r"\berror\b|exception|fatal|failed|cannot|traceback", re.IGNORECASE)


def _events(stdout: str) -> Iterator[Mapping[str, Any]]:
    """Lines that are JSON objects; everything else is skipped."""
    for line in stdout.splitlines():
        if line.lstrip().startswith("{"):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                yield found


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)[:4000]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None


def _sum(values: Iterable[Any]) -> int | None:
    known = [number for value in values if (number := _count(value)) is not None]
    return sum(known) if known else None


def _money(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < 1e6 else None


def _rounded(number: str, kilo: str) -> int:
    try:
        return int(float(number) * (1000 if kilo else 1))
    except ValueError:
        return 0
