"""Asking an ASGI application without a socket between: the very calls that a server makes."""

import asyncio
from typing import NamedTuple


class Answer(NamedTuple):
    """What an application answered."""

    status: int
    headers: dict[str, str]
    text: str


def ask(app, path="/", *, method="GET", query="", body=b"", **headers: str) -> Answer:
    """One request, answered whole; a name of a header has _ for -."""
    named = {"host": "127.0.0.1:8642", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if method == "POST":
        named = {"content-length": str(len(body)), "origin": "http://127.0.0.1:8642", **named}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogateescape"),
        "root_path": "",
        "query_string": query.encode("latin-1", "replace"),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8642),
    }
    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start = sent[0]
    told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], told, b"".join(one.get("body", b"") for one in sent[1:]).decode())
