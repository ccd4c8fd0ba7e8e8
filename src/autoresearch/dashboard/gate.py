"""Who may ask the dashboard for what: a token at the start, then a cookie, our own names and pages only.

Pure ASGI, so that nothing behind it is reached by a request that was not let in.
"""

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LONGEST_BODY = 16_384
LONGEST_ADDRESS = 4_096
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let in."""

    status: int
    text: str


@dataclass(frozen=True)
class Key:
    """What lets a person in, made anew at each start.

    Attributes:
        token: Stands in the address that the terminal shows.
        session: Stands in the cookie that is given for it.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class FrontDoor:
    """Lets in what comes from our own pages with our own cookie, and puts our headers on every answer.

    Args:
        app: What lies behind.
        key: What lets a person in.
        host: The address that is listened at.
        port: Its port; cookies know no ports, so its name holds it.
    """

    def __init__(self, app: App, key: Key, host: str, port: int) -> None:
        self._app, self._key = app, key
        self._cookie = f"autoresearch-{port}"
        self._names = names_of(host)
        self._any_address = host not in _LOOPBACK

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or have it answered."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a websocket: there is none
            await send({"type": "websocket.close", "code": 1008})
            return
        headed = _with_headers(send)
        refused = self._refused(scope)
        if refused is None and _token(scope) is not None:
            await _answer(headed, 200, _WELCOME, self._cookie_line())
        elif refused is None:
            await self._app(scope, _bounded(receive), headed)
        else:
            await _answer(headed, refused.status, f"<p>{refused.text}</p>")

    def _refused(self, scope: Message) -> Refusal | None:
        headers = _headers(scope)
        host = headers.get("host", "")
        if not self._ours(host):
            return Refusal(421, "This server does not answer to that name; use the address it has shown.")
        if len(scope.get("raw_path", b"")) + len(scope.get("query_string", b"")) > LONGEST_ADDRESS:
            return Refusal(414, "This address is too long.")
        token = _token(scope)
        known = self._has_cookie(headers) if token is None else hmac.compare_digest(token, self._key.token.encode())
        if not known or (token is not None and (scope["method"] not in _READING or scope["path"] != "/")):
            return Refusal(401, "Open the address that <code>autoresearch dashboard</code> has shown at its start.")
        return None if scope["method"] in _READING else _foreign(headers, host)

    def _ours(self, host: str) -> bool:
        """Whether a Host header names us: a page of somebody else's that resolves to this address does not."""
        name = urlsplit(f"//{host}").hostname if re.fullmatch(r"[\w.:-]+|\[[0-9a-fA-F:.]+\](:\d+)?", host) else None
        return name is not None and (name in self._names or (self._any_address and _is_address(name)))

    def _has_cookie(self, headers: dict[str, str]) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self._key.session.encode())

    def _cookie_line(self) -> str:
        return f"{self._cookie}={self._key.session}; Path=/; HttpOnly; SameSite=Strict"


_WELCOME = """<meta http-equiv="refresh" content="0; url=/"><p><a href="/">Go on to the dashboard</a></p>"""
"""A redirect would be part of the visit that another program's link began, and carry no strict cookie."""


def names_of(host: str) -> frozenset[str]:
    """What a Host header may say when we listen at this address; any port, for tunnels have ports of their own."""
    own = (socket.gethostname(), socket.getfqdn()) if host not in _LOOPBACK else ()
    return frozenset({*_LOOPBACK, host.lower(), *(name.lower() for name in own)})


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _foreign(headers: dict[str, str], host: str) -> Refusal | None:
    """Why a request that changes something is not from a page of ours; None when it is."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return Refusal(403, "This was sent by a page of another site, so nothing was done.")
    if headers.get("origin") not in {f"http://{host}", f"https://{host}"}:
        return Refusal(403, "This was not sent by a page of this dashboard, so nothing was done.")
    if not re.fullmatch("[0-9]{1,9}", said := headers.get("content-length", "")) or int(said) > LONGEST_BODY:
        return Refusal(413, "This is too long, so nothing was done.")
    return None


def _bounded(receive: Receive) -> Receive:
    """What is received, up to the longest body: whoever says less than they send is cut off."""
    left = LONGEST_BODY

    async def received() -> Message:
        nonlocal left
        message = await receive()
        body = message.get("body", b"")
        left -= len(body)
        return message if left >= 0 else {**message, "body": b"", "more_body": False}

    return received


def _with_headers(send: Send) -> Send:
    async def headed(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if pair[0].decode("latin-1").lower() not in HEADERS]
            message["headers"] = [*kept, *_raw(HEADERS.items())]
        await send(message)

    return headed


def _raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


async def _answer(send: Send, status: int, body: str, cookie: str = "") -> None:
    headers = [("content-type", "text/html; charset=utf-8"), *([("set-cookie", cookie)] if cookie else [])]
    head = '<meta charset="utf-8"><link rel="icon" href="data:,"><title>autoresearch</title>'
    page = f'<!doctype html><html lang="en">{head}{body}</html>'
    await send({"type": "http.response.start", "status": status, "headers": _raw(headers)})
    await send({"type": "http.response.body", "body": page.encode()})


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _token(scope: Message) -> bytes | None:
    """The token in the address; None where there is none."""
    found = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True).get("token")
    return found[0].encode("latin-1", "replace") if found else None
