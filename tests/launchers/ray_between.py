"""A double of the way to a Ray head: what stands between it and the launcher."""

from http.server import BaseHTTPRequestHandler
from urllib.error import HTTPError
from urllib.request import Request, urlopen


class Between(BaseHTTPRequestHandler):
    """Between us and a head: counts what is asked, answers some of it with a code, hands the rest on.

    Attributes:
        head: The head's address.
        failing: What is answered with which code, by a part of its path.
        asked: The paths that were asked for.
    """

    head: str
    failing: dict[str, int]
    asked: list[str]

    def changed(self, body: bytes) -> bytes:
        """What is handed on in place of a body."""
        return body

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(self.path)
        body = self.changed(body)
        code = next((code for part, code in self.failing.items() if part in self.path), 0)
        said = b"Traceback\nValueError: no such thing" if code else b""
        if not code:
            request = Request(self.head + self.path, data=body or None, method=self.command)
            request.add_header("Content-Type", "application/json")
            try:
                with urlopen(request, timeout=120) as answer:
                    code, said = answer.status, answer.read()
            except HTTPError as error:
                with error:
                    code, said = error.code, error.read()
        self.send_response(code)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = _hand_on  # noqa: N815 (the names that http.server calls)

    def log_message(self, *words: object) -> None:
        """Silence."""
