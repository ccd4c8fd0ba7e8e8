"""What the agents' command lines print, read as: the last message, tokens, money, and what went wrong.

Formats as printed by Claude Code 2.1 (`stream-json`), Codex 0.16x (`--json`), Gemini CLI 0.6x (`stream-json`), OpenCode
1.x (`--format json`), mini-swe-agent 2.x (trajectory file) and Aider 0.86 (text). All are foreign input: any line may
be missing, torn or forged, and none of it decides anything but whether to try again.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from autoresearch.run.symptom import excerpt


class Trouble(StrEnum):
    """Why an agent did not do its work."""

    LOGIN = "login"
    QUOTA = "quota"
    RATE = "rate-limit"
    REFUSAL = "refusal"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Said:
    """An agent's own account of one call.

    Attributes:
        text: Its last message.
        tokens_in: Tokens it read, None when it does not say.
        tokens_out: Tokens it wrote.
        cost_usd: Money it says it cost.
        turns: Times it asked its model.
        error: What it reports as its own failure; empty for none.
        asked: What it asked to be allowed, with the answer it got and why (Agent Client Protocol only).
        cancelled: Whether its turn was cancelled because its time was up (Agent Client Protocol only).
    """

    text: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    turns: int | None = None
    error: str = ""
    asked: tuple[Mapping[str, str], ...] = ()
    cancelled: bool = False


def claude(stdout: str) -> Said:
    """The `result` event of `stream-json`; before there is one, the trouble it is trying to get over."""
    said = Said()
    for event in _events(stdout):
        if event.get("subtype") == "api_retry":
            said = replace(said, error=f"{_text(event.get('error'))} ({event.get('error_status')}), trying again")
        if event.get("type") == "result":
            usage = _table(event.get("usage"))
            read = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
            text = _text(event.get("result"))
            failed = event.get("is_error") is True or str(event.get("subtype", "success")) != "success"
            said = Said(
                text=text,
                tokens_in=_sum(usage.get(key) for key in read),
                tokens_out=_count(usage.get("output_tokens")),
                cost_usd=_money(event.get("total_cost_usd")),
                turns=_count(event.get("num_turns")),
                error=(text or str(event.get("subtype"))) if failed else "",
            )
    return said


def codex(stdout: str) -> Said:
    """Items and turns of `exec --json`."""
    said = Said()
    for event in _events(stdout):
        kind, item = event.get("type"), _table(event.get("item"))
        if kind == "item.completed" and item.get("type") == "agent_message":
            said = replace(said, text=_text(item.get("text")), error="")
        elif kind == "turn.completed":
            usage = _table(event.get("usage"))
            tokens_in, tokens_out = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
            said = replace(said, tokens_in=tokens_in, tokens_out=tokens_out, turns=(said.turns or 0) + 1)
        elif kind in ("turn.failed", "error"):
            said = replace(said, error=_text(_table(event.get("error")).get("message") or event.get("message")))
    return said


def gemini(stdout: str) -> Said:
    """Messages and the result's statistics of `stream-json`."""
    said, pieces = Said(), list[str]()
    for event in _events(stdout):
        kind = event.get("type")
        if kind == "message" and event.get("role") == "assistant":
            pieces.append(_text(event.get("content")))
        elif kind == "tool_use":
            pieces.clear()
        elif kind in ("error", "result"):
            stats, error = _table(event.get("stats")), event.get("error") or event.get("message")
            failed = kind == "error" or event.get("status") == "error"
            said = replace(
                said,
                tokens_in=_count(stats.get("input_tokens")),
                tokens_out=_count(stats.get("output_tokens")),
                error=_text(_table(error).get("message") or error) if failed else said.error,
            )
    return replace(said, text="".join(pieces))


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
                tokens_in=_sum((said.tokens_in, tokens.get("input"))),
                tokens_out=_sum((said.tokens_out, tokens.get("output"))),
                cost_usd=(said.cost_usd or 0.0) + (_money(part.get("cost")) or 0.0),
                turns=(said.turns or 0) + 1,
            )
        elif kind == "error":
            error = _table(event.get("error"))
            said = replace(said, error=_text(_table(error.get("data")).get("message") or error.get("name")))
    return said


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
    )


_AIDER = re.compile(r"Tokens: ([\d.]+)(k?) sent,.*?([\d.]+)(k?) received\.(?: Cost: \$([\d.]+) message)?")


def aider(stdout: str) -> Said:
    """Its `Tokens:` lines, added up."""
    said = Said(text=stdout)
    for sent, kilo, received, kilo_out, cost in _AIDER.findall(stdout):
        said = replace(
            said,
            tokens_in=(said.tokens_in or 0) + _rounded(sent, kilo),
            tokens_out=(said.tokens_out or 0) + _rounded(received, kilo_out),
            cost_usd=(said.cost_usd or 0.0) + (_money(cost) or 0.0) if cost else said.cost_usd,
            turns=(said.turns or 0) + 1,
        )
    return said


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


_SIGNS = {
    Trouble.QUOTA: (
        r"insufficient.quota|quota (?:exceeded|exhausted)|exceeded your current quota|credit balance|usage limit|"
        r"billing|out of credits|spending (?:limit|cap)|max.budget|budget exceeded|hit your limit|limit reached"
    ),
    Trouble.LOGIN: (
        r"\b401\b|\b403\b|unauthori[sz]ed|authentication|invalid (?:x-)?api.key|incorrect api key|not logged in|"
        r"/login|log ?in (?:to|again|required)|no api key|api key (?:is )?(?:missing|required|not)|missing credentials|"
        r"missing environment variable|auth method|permission_error|token (?:has )?expired"
    ),
    Trouble.RATE: (
        r"\b429\b|\b50[0234]\b|\b529\b|rate.?limit|too many requests|overloaded|temporarily unavailable|"
        r"service unavailable|unavailable|resource.?exhausted|econnre(?:set|fused)|connection (?:error|refused|reset)|"
        r"fetch failed|stream disconnected|network error|etimedout|enotfound|server error|high demand"
    ),
    Trouble.REFUSAL: (
        r"\brefus(?:al|ed)\b|\bI(?:'m| am) (?:sorry|unable)|\bI can(?:'t|not| not) (?:help|assist|do that|comply)|"
        r"usage policy|content.filter|flagged"
    ),
}


def trouble(said: Said, stderr: str) -> Trouble:
    """Which kind of trouble an agent that did nothing was in, by what it and its command line said."""
    for text in (said.error, stderr[-4000:], said.text[-4000:]):
        for kind, signs in _SIGNS.items():
            if re.search(signs, text, re.IGNORECASE):
                return kind
    return Trouble.UNKNOWN


def reason(said: Said, stderr: str) -> str:
    """The best words there are for a failure, one line."""
    for text in (said.error, stderr, said.text):
        if lines := excerpt(text[-8000:], lines=2):
            return lines.replace("\n", " / ")
    return "it said nothing"


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
