"""Every kind of secret has a row here: the shortest that is hidden, and one character less, which is not."""

import base64
import json
from pathlib import Path

import pytest

from autoresearch.secrets.redactor import SHORTEST, Redactor, looks_random
from autoresearch.secrets.shapes import SHAPES, SecretName, Shape, suspicion
from autoresearch.secrets.stream import LONGEST_LINE, LOOK
from autoresearch.secrets.tokens import _MAKERS

HIDDEN = "[redacted]"
MIXED = "aB3dE6gH" * 200


def clean(text: str) -> str:
    return Redactor().clean(text)


PREFIXED = {
    "hf_": 20, "api_org_": 20, "sk-": 20, "nvapi-": 20, "wandb_v1_": 20, "ghp_": 20, "gho_": 20, "ghu_": 20, "ghs_": 20,
    "ghr_": 20, "github_pat_": 20, "glpat-": 16, "AIza": 30, "ya29.": 20, "GOCSPX-": 20, "xoxb-": 10, "xoxe.xoxp-": 10,
    "xoxp-": 10, "rk_live_": 16, "rk_test_": 16, "sk_live_": 16, "sk_test_": 16, "npm_": 36, "pypi-": 50, "lsv2_": 20,
    "hooks.slack.com/services/": 20, "bearer ": 12, "Bearer ": 12, "BEARER ": 12,
}  # fmt: skip
WITHIN = {"hooks.slack.com/services/", "bearer ", "Bearer ", "BEARER "}


@pytest.mark.parametrize("prefix", PREFIXED)
def test_a_token_is_hidden_from_its_shortest_length_on(prefix):
    """What is a character shorter is left alone, and so is one that begins in the middle of a word."""
    secret = f"{prefix}{MIXED[: PREFIXED[prefix]]}"
    kept = prefix if prefix in WITHIN else ""
    assert clean(f"x {secret} y") == f"x {kept}{HIDDEN} y"
    assert clean(f"x {secret[:-1]} y") == f"x {secret[:-1]} y"
    word = f"{prefix}{'a1' * 40}"[: len(secret)]
    if not kept:
        assert word in clean(f"x {'a' * 30}{word} y") or prefix in {"xoxe.xoxp-", "ya29."}


@pytest.mark.parametrize(("said", "kept"), [
    ("sk-" + "a" * 30, True), ("sk-" + "a" * 29 + "1", False), ("sk-" + "_" * 60 + "1" * 20, False), ("bearer " + "a" * 30, True),
    ("bearer " + "a" * 29 + "1", False), ("sk-" + "a" * 61 + "1", True), ("bearer " + "a" * 61 + "1", True),
])  # fmt: skip
def test_prose_behind_a_prefix_is_no_token(said, kept):
    """A machine-made one has a digit early on."""
    assert (clean(said) == said) is kept


@pytest.mark.parametrize("text", [
    "AKIA" + "ABCD1234" * 2 + "A", "AKIA" + "ABCD1234" * 2 + "a", "xAKIA" + "ABCD1234" * 2, "AKIA" + "abcd1234" * 2,
    "npm_" + "a1" * 17, "wandb login " + "a1" * 19, "eyJ" + "a" * 7 + "." + "b" * 8, "eyJ" + "a" * 8 + "." + "b" * 7,
    "https://" + "a" * 19 + "@host/", "https://host/x?sig=" + "a" * 7, "Authorization: abcde", "://user:@host",
    "logon a password x", '"auth": "' + "a" * 11 + '"',
])  # fmt: skip
def test_what_is_too_short_or_too_long_stays(text):
    """A row of letters is only a secret at the length its maker gives it."""
    assert clean(text) == text


SIGNED = ("token", "key", "sig", "signature", "api_key", "apikey", "access_token", "auth", "x-amz-signature",
          "x-amz-security-token", "x-amz-credential", "x-goog-signature", "x-goog-credential")  # fmt: skip
HIDDEN_PARTS = [
    *((kind + "ABCD1234" * 2, HIDDEN) for kind in ("AKIA", "ASIA", "ABIA")), ("npm_" + "a1" * 18, HIDDEN),
    ("wandb login " + "a1" * 20, f"wandb login {HIDDEN}"), ("wandb login --a --b=c " + "a1" * 20, f"wandb login --a --b=c {HIDDEN}"),
    ("eyJ" + "a" * 8 + "." + "b" * 8, HIDDEN), ("eyJ" + "a" * 8 + "." + "b" * 8 + ".sig", HIDDEN),
    ("https://" + "a" * 20 + "@host/", f"https://{HIDDEN}@host/"), ("https://u:p@host/", f"https://u:{HIDDEN}@host/"),
    *((f"{mark}{name}={'a' * 8}&b", f"{mark}{name}={HIDDEN}&b") for name in SIGNED for mark in "?&"),
    *((f"{mark}{name.upper()}={'a' * 8}", f"{mark}{name.upper()}={HIDDEN}") for name in SIGNED for mark in "?&"),
    *((f"{header}: {kind}abcdef", f"{header}: {kind}{HIDDEN}") for header in ("Authorization", "authorization", "AUTHORIZATION")
      for kind in ("", "Bearer ", "Basic ", "token ", "Digest ", "Negotiate ")),
    ("login a password x", f"login a password {HIDDEN}"), ("login a  \t password x", f"login a  \t password {HIDDEN}"),
    ("'auth':'" + "a" * 12 + "'", f"'auth':'{HIDDEN}'"), ('"auth" : "' + "a" * 12 + '"', f'"auth" : "{HIDDEN}"'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "cleaned"), HIDDEN_PARTS)
def test_only_the_secret_itself_is_taken_out(text, cleaned):
    """What stands around it is left to read."""
    assert clean(f"x {text} y") == f"x {cleaned} y"


HEX = "0a1b2c3d" * 8
SHORTEST_OF = {
    "Slack webhook": ("hooks.slack.com/services/", MIXED[:20], ""),
    "Microsoft Teams": ("x.webhook.office.com/webhookb2/", MIXED[:20], ""),
    "Discord": ("api/webhooks/1/", MIXED[:20], ""),
    "Telegram": ("", "12345:A" + MIXED[:34], ""),
    "Azure AD": ("", "abc1Q~" + MIXED[:31], ""),
    "Terraform": ("", MIXED[:14] + ".atlasv1." + MIXED[:40], ""),
    "Twitter": ("", "A" * 20 + "%" * 30, ""),
    "GitLab session": ("_gitlab_session=", HEX[:32], ""),
    "Facebook app": ("1" * 15 + "|", "x-1" * 9, ""),
    "NuGet": ('key="ClearTextPassword" value="', "abcd", '"'),
    "curl": ("curl -s --proxy-user ada:", "x", " https://host"),
    "curl, short": ("curl -U ada:", "x", ""),
    "netrc with an account": ("login ada account b password ", "x", ""),
    "netrc, a line of its own": ("\npassword ", "hunte2", "\n"),
}
"""What stands before it, the shortest secret of the kind, what stands after it."""


@pytest.mark.parametrize("kind", SHORTEST_OF)
def test_what_its_surroundings_tell_is_hidden_from_its_shortest_length_on(kind):
    """A character less is none."""
    before, secret, after = SHORTEST_OF[kind]
    assert clean(f"{before}{secret}{after}") == f"{before}{HIDDEN}{after}"
    assert clean(f"{before}{secret[:-1]}{after}") == f"{before}{secret[:-1]}{after}"


def test_a_key_of_one_length_is_that_long():
    """MaxMind's and Mailchimp's have one; with a letter or a digit more they are something else."""
    for secret, more in ((f"{MIXED[:6]}_{MIXED[:29]}_mmk", "a"), (f"{HEX[:32]}-us1", ""), (f"{HEX[:32]}-us19", "1")):
        assert clean(f"is {secret}") == f"is {HIDDEN}"
        assert not more or HIDDEN not in clean(f"is {secret}{more}")


BEGIN, END = "-----BEGIN {}PRIVATE KEY{}-----", "-----END {}PRIVATE KEY{}-----"


@pytest.mark.parametrize(("kind", "block"), [("", ""), ("RSA ", ""), ("OPENSSH ", ""), ("PGP ", " BLOCK")])
def test_a_key_block_is_hidden_whole_or_cut(kind, block):
    """Both its ends, its beginning alone, its end alone; lines of sixteen characters and more belong to it."""
    begin, end, line = BEGIN.format(kind, block), END.format(kind, block), MIXED[:16]
    assert clean(f"x\n{begin}\n{line}\nshort\n{end}\ny") == f"x\n{HIDDEN}\ny"
    assert clean(f"x\n{begin}\n{line}\n{line}\nnot it") == f"x\n{HIDDEN}\nnot it"
    assert clean(f"x\n{begin}\n{line[1:]}\n") == f"x\n{HIDDEN}\n{line[1:]}\n"
    assert clean(f"not it\n{line}\n{line}\n{end}\ny") == f"not it\n{HIDDEN}\ny"
    assert clean(f"x\n{line}\n{end}") == f"x\n{HIDDEN}"
    assert clean(f"x\n{line[1:]}\n{end}") == f"x\n{line[1:]}\n{end}"


def test_two_key_blocks_are_two_secrets():
    """What stands between the end of one and the beginning of another is read."""
    one = f"{BEGIN.format('', '')}\n{MIXED[:20]}\n{END.format('', '')}"
    assert clean(f"{one}\nbetween\n{one}") == f"{HIDDEN}\nbetween\n{HIDDEN}"
    assert clean(f"{BEGIN.format('', '')}\nbetween\n{one}") == f"{HIDDEN}\nbetween\n{HIDDEN}"


def test_an_anchor_only_spares_work():
    """Where it is missing the pattern is not tried, and could not match: every row above bears one."""
    shape = Shape("x", ("never", "seen"), "(?P<s>secret)")
    assert list(shape.spans("secret")) == []
    assert list(shape.spans("secret seen")) == [(0, 6)]


ALWAYS = ("password", "passwd", "passphrase", "passwords", "secret", "my_password_x", "x-secret-y")
ENDINGS = (
    "apikey", "accesskey", "secretkey", "credential", "credentials", "key_data", "access_key_id",
    *(f"{kind}_key" for kind in ("api", "access", "secret", "private", "signing", "encryption", "auth", "account")),
    *(f"{kind}_pwd" for kind in ("db", "user", "admin", "root", "my", "database")),
)  # fmt: skip
ABOUT = ["count", "dir", "env", "expires", "file", "id", "index", "length", "limit", "max", "min", "mode", "name", "names", "path", "policy", "ref", "rotation", "size", "ttl", "type", "url", "uri", "version"]  # fmt: skip
OWNERS = [
    "access",
    "api",
    "app",
    "auth",
    "aws",
    "azure",
    "bearer",
    "bot",
    "client",
    "csrf",
    "docker",
    "gh",
    "git",
    "github",
    "gitlab",
    "hf",
    "hub",
    "jupyter",
    "ngc",
    "npm",
    "oauth",
    "personal",
    "pypi",
    "refresh",
    "registry",
    "secret",
    "security",
    "service",
    "session",
    "slack",
    "user",
    "wandb",
    "webhook",
    "xsrf",
]
TEXT = [
    "audio",
    "bos",
    "cls",
    "end",
    "eos",
    "first",
    "image",
    "last",
    "mask",
    "max",
    "min",
    "new",
    "next",
    "num",
    "pad",
    "prompt",
    "sep",
    "special",
    "start",
    "stop",
    "think",
    "tool",
    "unk",
    "video",
]
NAMES = [
    *((name, "SURE") for name in (*ALWAYS, *ENDINGS)),
    *((name.upper(), "SURE") for name in (*ALWAYS, *ENDINGS)),
    *((f"their_{name}", "SURE") for name in (*ALWAYS, *ENDINGS)),
    *((f"secret_{about}", "NONE") for about in ABOUT),
    *((f"{owner}_token", "SURE") for owner in OWNERS),
    *((f"{text}_token", "NONE") for text in TEXT),
    *((f"{text}_TOKEN".upper(), "NONE") for text in TEXT),
    ("token", "LOOKS"), ("TOKEN", "LOOKS"), ("my_token", "LOOKS"), ("MY_TOKEN", "SURE"), ("myToken", "LOOKS"),
    ("key", "NONE"), ("KEY", "NONE"), ("SORT_KEY", "LOOKS"), ("sort_key", "NONE"), ("key_id", "NONE"), ("data", "NONE"),
    ("the_api_key", "SURE"), ("api_key_x", "NONE"), ("pwd", "NONE"), ("x_pwd", "NONE"), ("aws_access_key_id", "SURE"),
    ("key_access_id", "NONE"), ("tokens", "NONE"), ("access", "NONE"), ("HTTPToken", "LOOKS"), ("token2", "NONE"),
    ("hub2_token", "LOOKS"), ("clientSecret", "SURE"), ("secretPath", "NONE"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "level"), NAMES, ids=[name for name, _ in NAMES])
def test_every_word_of_a_name_weighs_what_it_should(name, level):
    """In whichever way the words are joined."""
    assert suspicion(name) is SecretName[level]


@pytest.mark.parametrize(("value", "random"), [
    ("a1" * 6, True), ("a1" * 5 + "a", False), ("1" * 12, False), ("a" * 12, False), ("a1" * 6 + " ", False), ("a1.b2~c3+d4/", True),
    ("a1_b2-c3=d4e", True), ("/a1/b2/c3/d4/e5", False), ("./a1/b2/c3/d4", False), ("~/a1b2c3d4e5f6", False), ("../a1/b2/c3/d4", False),
    *((f"a1b2c3d4e5.{end}", False) for end in ("json", "yaml", "yml", "env", "txt", "pem", "key", "toml")), ("a1b2c3d4e5.exe", True),
    ("!a1b2c3d4e5f6", False), ("x/a1b2c3d4e5f6", True),
])  # fmt: skip
def test_twelve_letters_and_digits_look_random_and_a_path_never(value, random):
    """Both letters and digits, and nothing else."""
    assert looks_random(value) is random


NO_VALUES = ("[redacted]", "[", "( ", "{'", "<your key>", "{{ x", "%(x)s", "***", "$X", "${X}", "str", "int", "bool", "bytes", "float",
             "None", "null", "none", "nil", "true", "false", "True", "False", "Optional[str]", "SecretStr(", "os.environ", "self.key",
             "args.key", "cfg.key", "config.key", "getpass()", "getenv('x')")  # fmt: skip


@pytest.mark.parametrize("value", NO_VALUES)
def test_what_is_no_value_is_left_to_read(value):
    """Placeholders, variables, types and code are no secrets, whatever they are given to."""
    for text in (f"password={value}", f"password: {value}", f"api_key = {value} "):
        assert clean(text) == text


@pytest.mark.parametrize("value", ["stringent", "integer1", "Nonesuch", "trueblood", "osmosis", "*x", "<a"])
def test_what_only_begins_like_one_is_hidden(value):
    """A password may begin with the letters of a type."""
    assert clean(f"password={value}") == f"password={HIDDEN}"


@pytest.mark.parametrize("glue", ["=", ": ", " = ", "=>", " := ", "': '", '": "', "\t=\t", "    :    "])
def test_a_name_and_its_value_may_be_joined_in_many_ways(glue):
    """As shells, YAML, JSON, Ruby and Go do; up to four blanks on either side."""
    assert clean(f"x password{glue}hunter2") == f"x password{glue}{HIDDEN}"


def test_a_value_ends_where_it_is_said_to():
    """At its closing quote, also with blanks and escaped quotes inside; without quotes at the first blank."""
    assert clean("password='a b' c") == f"password='{HIDDEN}' c"
    assert clean('password="a \\" b" c') == f'password="{HIDDEN}" c'
    assert clean("password=ab c") == f"password={HIDDEN} c"
    assert clean("password='a\nb'") == f"password='{HIDDEN}\nb'"


@pytest.mark.parametrize("stem", ["key", "token", "secret", "passw", "passphrase", "credential", "pwd"])
def test_every_stem_of_a_name_is_looked_for_in_three_cases(stem):
    """Small, capital and shouted."""
    name = {"key": "api_key", "token": "hub_token", "passw": "password", "pwd": "db_pwd"}.get(stem, stem)
    for said in (name, name.upper(), name[0].upper() + name[1:], "".join(w.capitalize() for w in name.split("_"))):
        assert clean(f"{said}=hunter2") == f"{said}={HIDDEN}"


@pytest.mark.parametrize("spoken", ["api key", "API Key", "access key", "secret key", "private key"])
def test_a_name_may_be_two_words_as_people_say_it(spoken):
    """`Paste an API key: ...`."""
    assert clean(f"your {spoken}: hunter2") == f"your {spoken}: {HIDDEN}"
    assert clean("the sort key: hunter2") == "the sort key: hunter2"


@pytest.mark.parametrize(("text", "cleaned"), [
    ("--api-key hunter2", f"--api-key {HIDDEN}"), ("api-key hunter2", "api-key hunter2"), ("--api-key, hunter2", f"--api-key, {HIDDEN}"),
    ("CREDENTIALS=/a/b.json", "CREDENTIALS=/a/b.json"), ("CREDENTIALS=hunter2", f"CREDENTIALS={HIDDEN}"),
    ("PASSWORD=/a/b.json", f"PASSWORD={HIDDEN}"), ("NGC_KEY=abc123def456)", f"NGC_KEY={HIDDEN}"), ("NGC_KEY=abc123def45", "NGC_KEY=abc123def45"),
    ("password=x.password", "password=x.password"), ("password=password)", "password=password)"), ("password=x.passwort", f"password={HIDDEN}"),
    ("token_id: abc123def456ghi", "token_id: abc123def456ghi"), ("key=12", "key=12"), ("api_key=12", "api_key=12"),
    ("token: 0.5", "token: 0.5"), ("hub_token: 7", "hub_token: 7"), ("password=", "password="), ("password: 12", f"password: {HIDDEN}"),
    ("a_key=1, password=hunter2", f"a_key=1, password={HIDDEN}"),
])  # fmt: skip
def test_name_and_value_are_weighed_together(text, cleaned):
    """A file's name for a credential, a number for a key, the name itself again are no secrets."""
    assert clean(text) == cleaned


@pytest.mark.parametrize(("words", "cleaned"), [
    (("--api-key", "x"), ("--api-key", HIDDEN)), (("--api-key=x", "y"), (f"--api-key={HIDDEN}", "y")), (("-api-key", "x"), ("-api-key", "x")),
    (("--api-key", "--api-key", "x"), ("--api-key", HIDDEN, HIDDEN)), (("--lr", "x"), ("--lr", "x")), (("x", "--token", "a1" * 6), ("x", "--token", HIDDEN)),
])  # fmt: skip
def test_the_word_after_an_option_is_its_value(words, cleaned):
    """Unless the option has brought its own."""
    assert Redactor().clean_argv(words) == cleaned


@pytest.mark.parametrize("offset", range(3))
@pytest.mark.parametrize("length", [9, 10, 11])
def test_a_known_value_is_found_in_base64_wherever_it_begins(offset, length):
    """Of nine bytes and more: the characters that depend on it alone are hidden, in both alphabets."""
    value = bytes(range(0xF0, 0x100)).decode("latin1")[:length]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(bytes(offset) + value.encode() + b"\0\0\0").decode()
        left = Redactor([value]).clean(whole)
        first, last = -(-offset * 8 // 6), (offset + len(value.encode())) * 8 // 6
        assert left == whole[:first] + HIDDEN + whole[last:]


def test_a_known_value_needs_six_characters_and_its_lines_sixteen():
    """Shorter ones would hide ordinary words."""
    assert SHORTEST == 6
    assert Redactor(["abcdef"]).clean("abcdef abcde") == f"{HIDDEN} abcde"
    assert Redactor(["abcde"]).clean("abcde") == "abcde"
    assert Redactor([f"{'x' * 16}\n{'y' * 15}"]).clean(f"{'x' * 16}, {'y' * 15}?") == f"{HIDDEN}?"
    assert Redactor([f"{'x' * 16}\n{'y' * 15}"]).clean(f"{'x' * 16} or {'y' * 15}") == f"{HIDDEN} or {'y' * 15}"
    assert Redactor([" abcdef "]).clean("-abcdef-") == f"-{HIDDEN}-"


@pytest.mark.parametrize("value", ["~~~???>>>", "x~~~???>>>", "xy~~~???>>>"])
def test_both_alphabets_of_base64_are_known(value):
    """Plus and slash, and what stands for them in an address."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert Redactor([value]).clean(encode(b"a" + value.encode() + b"b").decode()).count(HIDDEN) == 1
        assert Redactor([value]).clean(f"{encode(b'abc' + value.encode()).decode()}").startswith(f"YWJj{HIDDEN}")
        assert Redactor([value[-8:]]).clean(encode(b"abc" + value[-8:].encode()).decode()).count(HIDDEN) == 0


@pytest.mark.parametrize("value", ['a"bcdef', 'é"bcdef', "\u00e9bc\\def"])
def test_a_known_value_is_found_whole_as_json_writes_it(value):
    """With its quotes and backslashes escaped, letters of other languages escaped or not."""
    for plain in (True, False):
        written = json.dumps({"k": value}, ensure_ascii=plain)
        assert Redactor([value]).clean(written) == '{"k": "' + HIDDEN + '"}'


def test_the_longest_known_value_goes_first():
    """So that no rest of it is left beside a shorter one that it holds."""
    assert Redactor(["abcdefgh", "abcdef"]).clean("abcdefgh") == HIDDEN
    assert Redactor(["a b+c/d"]).clean("a+b%2Bc%2Fd a%20b%2Bc%2Fd") == f"{HIDDEN} {HIDDEN}"


def stream(*pieces: str) -> list[str]:
    return list(Redactor().clean_stream(pieces))


def test_a_stream_gives_whole_lines_as_they_end():
    """A line end, or the carriage return of a progress bar that is followed by more."""
    assert stream("a\nb", "c\nd") == ["a\n", "bc\n", "d"]
    assert stream("a\rb", "\rc") == ["a\r", "b\r", "c"]
    assert stream("\ra", "b") == ["\r", "ab"]
    assert stream("a\r", "\nb") == ["a\r\n", "b"]
    assert stream("", "") == []


def test_a_stream_holds_a_key_block_until_it_closes():
    """Other text goes at once; so does a line that is no part of a block."""
    begin, end = BEGIN.format("", ""), END.format("", "")
    assert stream(f"a\n{begin}\nx\n", f"{end}\n", "b\n") == ["a\n", f"{HIDDEN}\n", "b\n"]
    assert stream(f"{begin}\nx\n", f"{end}\nb\n") == [f"{HIDDEN}\nb\n"]
    assert stream(f"{begin}\nx\n{end}\na\n{begin}\ny\n", f"{end}\n") == [f"{HIDDEN}\na\n", f"{HIDDEN}\n"]
    for length, held in ((38, 1), (39, 2)):
        kind = "A" * (length - 1) + " "
        pieces = stream(f"{BEGIN.format(kind, '')}\nx\n", f"{END.format(kind, '')}\n")
        assert len(pieces) == held
    assert stream("-----BEGIN CERTIFICATE-----\n", "b\n") == ["-----BEGIN CERTIFICATE-----\n", "b\n"]
    assert stream(f"a\n{MIXED[:16]}\n", f"{end}\nb\n") == ["a\n", f"{HIDDEN}\nb\n"]
    assert stream(f"a\n{MIXED[:15]}\n", "b\n") == [f"a\n{MIXED[:15]}\n", "b\n"]


def test_a_line_too_long_to_hold_is_cut_between_two_words():
    """In its second half, as late as can be, where no secret is torn; without a blank, in the middle."""
    words = "word " * 20_000
    first, *_ = stream(words[:80_000], "\n")
    assert LONGEST_LINE // 2 < len(first) <= LONGEST_LINE
    assert first.endswith(" ")
    whole = LONGEST_LINE + LOOK
    assert stream("word" * (whole // 4 - 1)) == ["word" * (whole // 4 - 1)]
    assert stream("x" * whole, "y") == ["x" * LONGEST_LINE, "x" * LOOK + "y"]


def test_the_page_lists_every_shape():
    """What is claimed there is what is looked for."""
    page = (
        (Path(__file__).parents[2] / "docs" / "design" / "containment.md")
        .read_text()
        .split("## Secrets")[1]
        .split("## Agents")[0]
    )
    known = {prefix for prefixes, _ in _MAKERS for prefix in prefixes.split()}
    assert known == set(page.split("```")[1].removeprefix("text").split())
    assert [shape.name for shape in SHAPES if shape.name not in page] == []
