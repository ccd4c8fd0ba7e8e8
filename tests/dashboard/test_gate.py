"""Who is let in: nobody without the cookie, nobody by another name, nothing that another site's page sent."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dashboard.asgi import ask

from autoresearch.dashboard.gate import HEADERS, LONGEST_BODY, FrontDoor, Key

KEY = Key("the-token", "the-session")
COOKIE = "autoresearch-8642=the-session"


class Behind:
    """What lies behind the gate: it counts who came, and what they brought."""

    def __init__(self) -> None:
        self.came, self.body = 0, b""

    async def __call__(self, scope, receive, send) -> None:
        self.came += 1
        self.body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"public")]})
        await send({"type": "http.response.body", "body": b"inside"})


@pytest.fixture
def behind():
    return Behind()


@pytest.fixture
def gate(behind):
    return FrontDoor(behind, KEY, "127.0.0.1", 8642)


@pytest.mark.parametrize(
    "headers", [{}, {"cookie": "autoresearch-8642=other"}, {"cookie": "autoresearch-1=the-session"}]
)
def test_without_the_cookie_nothing_is_shown(gate, behind, headers):
    """Not the list, not a picture, not a style."""
    assert {ask(gate, path, **headers).status for path in ("/", "/campaigns/night", "/static/live.js")} == {401}
    assert behind.came == 0


def test_the_token_opens_once_and_the_cookie_from_then_on(gate, behind):
    """The answer to the token is no page of a campaign; its cookie goes to no other site and to no script."""
    answer = ask(gate, query="token=the-token")
    assert (answer.status, behind.came) == (200, 0)
    assert answer.headers["set-cookie"] == f"{COOKIE}; Path=/; HttpOnly; SameSite=Strict"
    assert "the-token" not in answer.text
    assert ask(gate, cookie=COOKIE).text == "inside"


@pytest.mark.parametrize("query", ["token=", "token=the-toke", "token=the-token2", "token=%C3%A9"])
def test_another_token_opens_nothing(gate, query):
    """Also beside a good cookie: what it was meant for is not known."""
    assert ask(gate, query=query).status == 401
    assert ask(gate, query=query, cookie=COOKIE).status == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "", "[", "10.0.0.7:8642"]
)
def test_another_name_is_not_ours(gate, behind, host):
    """A name of somebody else's that leads here is answered with nothing, cookie or not."""
    assert ask(gate, host=host, cookie=COOKIE).status == 421
    assert behind.came == 0


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:8642"])
def test_a_tunnel_may_have_a_port_of_its_own(gate, host):
    """`ssh -L 9000:localhost:8642` asks for localhost:9000."""
    assert ask(gate, host=host, cookie=COOKIE).status == 200


def test_beyond_loopback_an_address_is_ours_and_a_strange_name_is_not(behind):
    """Numbers cannot be led elsewhere by a name server."""
    gate = FrontDoor(behind, KEY, "0.0.0.0", 8642)
    assert ask(gate, host="10.0.0.7:8642", cookie=COOKIE).status == 200
    assert ask(gate, host="evil.example:8642", cookie=COOKIE).status == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://127.0.0.1:8642", "sec_fetch_site": "cross-site"},
        {"origin": "http://127.0.0.1:8642", "sec_fetch_site": "same-site"},
    ],
)
def test_what_another_sites_page_sends_changes_nothing(gate, behind, headers):
    """Whatever cookie the browser adds."""
    assert ask(gate, "/campaigns/night/deeds/stop", method="POST", cookie=COOKIE, **headers).status == 403
    assert behind.came == 0


def test_a_body_is_short_whatever_it_says_of_itself(gate, behind):
    """One that says it is long is refused, one that lies is cut off."""
    long = b"x" * (LONGEST_BODY + 1)
    assert ask(gate, method="POST", body=long, cookie=COOKIE).status == 413
    assert ask(gate, method="POST", body=b"", cookie=COOKIE, content_length="9" * 5000).status == 413
    assert ask(gate, method="POST", body=long, cookie=COOKIE, content_length="3").status == 200
    assert behind.body == b""
    assert ask(gate, f"/{'x' * 5000}", cookie=COOKIE).status == 414


@pytest.mark.parametrize("headers", [{}, {"cookie": COOKIE}, {"host": "evil.example"}])
def test_every_answer_forbids_scripts_of_others_and_frames(gate, headers):
    """Also a refusal; what lies behind cannot loosen it, and no script or style may stand in a page."""
    answer = ask(gate, **headers)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["content-security-policy"]


WORD = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)


@settings(max_examples=150, deadline=None)
@given(WORD, st.sampled_from(["GET", "HEAD", "POST", "PUT", "BREW"]), WORD, WORD, WORD, WORD)
def test_nothing_that_anybody_sends_gets_in_or_breaks_it(path, method, query, host, cookie, origin):
    """Any path, verb and header without the cookie: a refusal, and nothing behind is reached."""
    behind = Behind()
    names = {"host": host} if host else {}
    answer = ask(FrontDoor(behind, KEY, "127.0.0.1", 8642), f"/{path}", method=method, query=query, cookie=cookie,
                 origin=origin, **names)  # fmt: skip
    assert answer.status in {401, 414, 421}
    assert behind.came == 0
