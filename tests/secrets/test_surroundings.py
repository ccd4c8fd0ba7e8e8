"""A secret is known whatever stands beside it, in whatever encoding the text is, and wherever a stream is cut."""

import html
import json
import os
import quopri
import random
from urllib.parse import quote, quote_plus

import pytest

from autoresearch.secrets.redactor import Cleaner, Redactor
from autoresearch.secrets.stream import LONGEST_LINE, LOOK

A, HEX = "Ab3dEf6hIj9k", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
# Put together here so that no scanner of repositories takes this file for a leak.
TOKENS = {
    "Hugging Face": "hf_" + A * 3, "organisation": "api_org_" + A * 3, "OpenAI": "sk-proj-" + A * 3,
    "Anthropic": "sk-ant-api03-" + A * 3, "NVIDIA": "nvapi-" + A * 3, "W&B": "wandb_v1_" + A * 3, "GitHub": "ghp_" + A * 3,
    "GitHub fine": "github_pat_" + A * 3, "GitLab": "glpat-" + A * 2, "AWS": "AKIA" + "QWERTY7890ASDFGH",
    "Google": "AIza" + A * 3, "Google OAuth": "ya29." + A * 3, "Slack": "xoxb-1234567890-" + A, "Stripe": "sk_live_" + A * 2,
    "npm": "npm_" + A * 3, "PyPI": "pypi-" + A * 5, "LangSmith": "lsv2_" + A * 3, "JWT": f"eyJ{A}.eyJ{A}.{A}",
    "Databricks": "dapi" + HEX[:32], "SendGrid": "SG." + A * 2 + "." + A * 3, "Vault": "hvs." + A * 3,
    "Telegram": "1234567890:AA" + (A * 3)[:33], "Discord": "M" + A * 2 + ".Ab3dEf." + A * 3, "DigitalOcean": "dop_v1_" + HEX + HEX[:24],
    "Tailscale": "tskey-auth-" + A + "CNTRL-" + A * 2, "Groq": "gsk_" + A * 4, "xAI": "xai-" + A * 6, "Perplexity": "pplx-" + A * 4,
    "Replicate": "r8_" + A * 3, "age": "AGE-SECRET-KEY-1" + "QPZRY9X8GF2T" * 5, "Azure AD": "aB1" + "8Q~" + (A * 3)[:34],
    "OpenRouter": "sk-or-v1-" + HEX, "Docker": "dckr_pat_" + A * 3, "Notion": "ntn_" + A * 4, "Grafana": "glsa_" + A * 3,
    "Pinecone": "pcsk_" + A * 4, "RunPod": "rpa_" + A * 4, "Linear": "lin_api_" + A * 4, "Tavily": "tvly-" + A * 3,
    "Atlassian": "ATATT3" + A * 4, "Shopify": "shpat_" + HEX[:32], "Mailchimp": HEX[:32] + "-us12", "Firecrawl": "fc-" + HEX[:32],
    "1Password": "A3-QWE7RT-YU8IOP-ASD1F-GH2JK-LZ3XC-VB4NM", "Octopus": "API-" + "QWE7RTYU8IOPASD1FGH2JKLZ3X", "Yandex": "AQVN" + A * 3,
    "Clojars": "CLOJARS_" + A * 5, "Facebook": "EAAC" + A * 9, "EasyPost": "EZAK" + A * 4 + A[:6], "Flutterwave": "FLWSECK_TEST-" + HEX[:32] + "-X",
    "GitLab runner": "GR1348941" + A * 2, "Twilio": "SK" + HEX[:32], "JWT in base64": "ZXlK" + A * 4, "ClickHouse": "4b1d" + A * 3 + "aB",
    "Plaid": "access-sandbox-" + "550e8400-e29b-41d4-a716-446655440000", "Bedrock": "bedrock-api-key-" + A * 3, "Artifactory": "cmVmd" + A * 5,
    "Defined": "dnkey-" + A * 2 + "aB-" + A * 4 + "aBcD", "Duffel": "duffel_live_" + A * 4, "Frame.io": "fio-u-" + A * 6, "Infracost": "ico-" + (A * 3)[:32],
    "Adobe": "p8e-" + HEX[:32], "Harness": "pat." + (A * 2)[:22] + "." + A * 2 + "." + (A * 2)[:20], "42": "s-s4t2ud-" + HEX + HEX[:24],
    "Vault, old": "s." + A * 2, "Authress": "sc_" + "a1b2c3d4.e5f6.acc-" + HEX[:12] + "." + A * 3, "Sourcegraph": "sgp_local_" + HEX,
    "SettleMint": "sm_pat_" + A * 2, "Typeform": "tfp_" + A * 4, "Scalingo": "tk-us-" + A * 4, "Cloudflare": "v1.0-" + HEX[:24] + "-" + (HEX * 4)[:146],
    "Grafana, old": "eyJrIjoi" + A * 5, "Dropbox": "sl." + A * 9, "Sonar": "sqp_" + HEX, "Yandex IAM": "t1." + A + "." + A * 7, "MaxMind": A[:6] + "_" + (A * 3)[:29] + "_mmk",
    "Twitter": "A" * 22 + A * 4, "GitLab OAuth": "gloas-" + A * 4,
}  # fmt: skip
SURROUNDINGS = {
    "colour": "using \x1b[32m{}\x1b[0m", "bold behind a word": "using\x1b[1m{}\x1b[0m", "colours of 256": "x\x1b[38;5;12m{}\x1b[m",
    "cleared line": "x\x1b[2K{}", "title": "\x1b]0;title\x07{}", "colour without escape": "[32m{}[0m", "as text": r"\u001b[36m{}\u001b[0m",
    "in hex": r"x\x1b[1m{}\x1b[0m", "in octal": r"x\033[1m{}\033[0m", "shell": r"x\e[1m{}\e[0m", "caret": "x^[[1m{}^[[0m",
    "JSON line": r'{{"msg": "headers:\n{}"}}', "JSON tab": r'{{"msg": "x\t{}\n"}}', "twice escaped": r'"{{\"msg\": \"x\\n{}\\n\"}}"',
    "percent": "a=b%20{}%20c", "percent sign": "x%3D{}", "percent twice": "x%253D{}", "repr": r"b'abc\n{}\r\n'", "hex": r"a\x20{}\x20b",
    "unicode": r"a\u003d{}", "printable": "x=3D{}=20", "time": "12:00:00Z{}", "time with parts": "12:00:00.123456{}", "date": "2026-11-24{}",
    "entity": "&quot;{}&quot;", "glued digits": "1732432432{}", "underscore": "x_{}", "quotes": "'{}'", "array": '["{}","b"]',
    "letters of others": "é{}é", "signs of others": "日{}日", "no width": "x\u200b{}\u200b", "NUL": "x\0{}\0",
    "told as title": "\x1b]0;{}\x07", "told as link": "\x1b]8;;https://x/?k={}\x1b\\here\x1b]8;;\x1b\\", "title cut off": "\x1b]2;{}",
}  # fmt: skip


def forms(template: str, secret: str) -> str:
    return f"before\n{template.format(secret)}\nafter\n"


@pytest.mark.parametrize("where", SURROUNDINGS)
def test_every_known_token_is_found_in_any_surroundings(where):
    """Codes of terminals, JSON, addresses, Python and mail are neighbours as a blank is one."""
    left = {name: Redactor().clean(forms(SURROUNDINGS[where], secret)) for name, secret in TOKENS.items()}
    assert [name for name, text in left.items() if TOKENS[name][8:] in text] == []
    assert all(text.startswith("before\n") and text.endswith("\nafter\n") for text in left.values())


@pytest.mark.parametrize(
    "code", ["\x1b[1m", "\x1b[0m\x1b[31m", r"\u001b[1m", "\x1b[38;2;1;2;3m", "\0", "\u200b", "\x1b[K"]
)
def test_a_code_inside_a_secret_hides_nothing(code):
    """Neither of a token nor of a value of the environment, which a terminal shows whole."""
    known = "plain-words-but-ours-77"
    for secret in (known, TOKENS["Hugging Face"], TOKENS["OpenAI"], TOKENS["JWT"]):
        left = Redactor([known]).clean(f"using {secret[:9]}{code}{secret[9:]} now")
        assert secret[9:] not in left
        assert secret[:9] not in left
        assert left.startswith("using ")
        assert left.endswith(" now")


CONTEXT = {
    "netrc note": ("wandb: Appending key {} to netrc", HEX), "login": ("wandb login {}", HEX), "curl": ("curl -s -u ada:{} https://x", "hunter2!"),
    "curl long": ("curl --user 'ada:{}' https://x", "hunter2!"), "header": ("Authorization: Bearer {}", A * 2), "header in percent": ("Authorization%3A%20Bearer%20{}%0A", A * 2),
    "netrc lines": ("machine x\n  login ada\n  password {}\n", "hunter2"), "netrc escaped": (r"machine x\n\tlogin ada\n\tpassword {}\n", "hunter2"),
    "general": ("the token is {}", A * 3), "general key": ("using key {} for it", A * 2 + "x"), "secret said": ("client secret: {}", A * 3),
    "general in colour": ("api key \x1b[1m{}\x1b[0m", A * 3), "password said": ("password {} was refused", A * 2), "coloured name": ("\x1b[1mpassword\x1b[0m: {}", "hunter2"),
    "PuTTY": ("PuTTY-User-Key-File-3: x\nPrivate-Lines: 2\n{}\nPrivate-MAC: " + HEX, A * 5 + "\n" + A * 4), "address": ("https%3A%2F%2Fada%3A{}%40host", "hunter2"),
    "printable": ("password=3D{}", "hunter2"), "Teams": ("https://x.webhook.office.com/webhookb2/{}", HEX), "NuGet": ('<add key="ClearTextPassword" value="{}" />', "hunter2!"),
    "GitLab session": ("Cookie: _gitlab_session={}", HEX[:32]), "Facebook app": ("123456789012345|{}", A * 3),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTEXT)
def test_what_stands_before_it_tells_a_secret_without_looks(name):
    """In the plain and in every encoding."""
    template, secret = CONTEXT[name]
    left = Redactor().clean(forms(template, secret))
    assert not any(line in left for line in secret.split("\n"))


ORDINARY = [
    "half_life_of_a_2_particle_system_20_kelvin risk-based-2024-estimators-of-value-11 task-9f86d081884c7d659a2feaa0c55ad015",
    f"\x1b[32mcommit\x1b[0m {HEX} wandb: run id 3f9ab2c1 sha256:{HEX}{HEX[:24]} etag={HEX[:32]} cache key {HEX}",
    "disk-550e8400-e29b-41d4-a716-446655440000 mask-20241124-abcdef0123 key 550e8400-e29b-41d4-a716-446655440000",
    r'{"path": "C:\\new\\table", "msg": "step 1\n\u001b[36mloss\u001b[0m=0.5%20of", "tokens": 12}',
    "missing key model.layers.0.self_attn.q_proj.weight; unexpected key model.layers.11.mlp.experts.3.w1.weight",
    "token Qwen2.5-1.5B-Instruct-GPTQ-Int4 key grpo_math_1B_megatron_2024_11_24 secret-santa-dataset-2024-v2-english",
    "https://host/a%20b%3Dc?x=1 50%|#####     | 5/10 [00:01<00:03] =========== lr=3e-05 pid=2034",
    "/lustre/fsw/users/someone/auto_research/2026-11-23-grpo/exp_12/run-1/run.log curl -u https://x",
]  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_with_codes_and_prefixes_stays(text):
    """Words that only hold a prefix, hashes, ids, paths and dotted names are left to read."""
    assert Redactor(["a-known-secret-value"]).clean(text) == text


FEW, MANY = 4, 60
"""Rounds of drawing, at a desk and in CI."""


def coded(draw: random.Random, text: str) -> str:
    """A text in one or two encodings, one inside the other."""
    codes = {
        "JSON": json.dumps, "repr": lambda said: repr(said.encode()), "percent": quote, "form": quote_plus, "colour": lambda said: f"\x1b[33m{said}\x1b[0m",
        "plain": str, "HTML": html.escape, "mail": lambda said: quopri.encodestring(said.encode()).decode(),
    }  # fmt: skip
    for code in draw.sample(sorted(codes), draw.choice((1, 1, 2))):
        text = codes[code](text)
    return text


def through(draw: random.Random, channel: str, text: str, redactor: Redactor) -> str:
    """What a channel lets by, in pieces cut anywhere."""
    if channel == "whole":
        return redactor.clean(text)
    if channel == "command line":
        return "\n".join(redactor.clean_argv([*text.split("\n")]))
    if channel == "variables":
        return "\n".join(redactor.clean_mapping({"X": text}).values())
    cuts = sorted(draw.sample(range(len(text)), min(len(text), draw.choice((1, 3, 40)))))
    return "".join(redactor.clean_stream(text[at:to] for at, to in zip([0, *cuts], [*cuts, len(text)], strict=True)))


@pytest.mark.parametrize("seed", range(MANY if os.environ.get("CI") else FEW))
def test_nothing_passes_in_any_code_surroundings_channel_or_cut(seed):
    """Every token, in drawn surroundings and encodings, through a drawn channel, at drawn seams, long lines' among them."""
    draw, passed = random.Random(seed), []
    for name, secret in TOKENS.items():
        where = draw.choice(sorted(SURROUNDINGS))
        text = coded(
            draw, draw.choice(("", "step 5 of it ")) + SURROUNDINGS[where].format(secret) + draw.choice(("", " it"))
        )
        folded = "=\n" in text  # which goes on in the next line by the length of this one
        near = draw.choice((0, 0, 0, 0, LONGEST_LINE, LONGEST_LINE // 2)) * (not folded)
        filling = ("lorem ipsum " * (near // 12 + 1))[: max(0, near - draw.randrange(len(text) + 60))]
        channel = draw.choice(("whole", "stream", "stream", "variables", "whole" if folded else "command line"))
        left = through(
            draw, channel, f"before\n{filling}{text}{filling and ' ' + filling[:20000]}\nafter\n", Redactor()
        )
        if secret[8:] in left or secret[:-4] in left:
            passed.append((name, where, channel, near, text))
    assert passed == []


SPELT = {
    "entities": "&#{:d};", "entities, hex": "&#x{:x};", "entities, padded": "&#X{:04X};", "escaped entities": "&amp;#{:d};",
    "percent": "%{:02X}", "percent twice": "%25{:02x}", "bytes": r"\x{:02x}", "units": r"\u{:04x}", "units, twice": r"\\u{:04X}",
    "octal": r"\{:03o}", "hex": "{:02x}", "large hex": "{:02X}",
}  # fmt: skip
BESIDE = ("{}", "x: {} y", "'{}'", "a={}&b", '{{"k": "{}"}}', "\x1b[32m{}\x1b[0m", "(b'{}')", "x,{},y", "[{}]")


def spelt(how: str, text: str) -> str:
    """Every character of a text as a code."""
    return "".join(SPELT[how].format(ord(one)) for one in text)


@pytest.mark.parametrize("how", SPELT)
def test_a_secret_spelt_letter_by_letter_is_found(how):
    """Known by its beginning or from the environment, through every channel, beside anything, at any cut."""
    draw, known = random.Random(how), "plain-words-but-ours-77"
    for secret in (*TOKENS.values(), known):
        text = f"step 5\n{draw.choice(BESIDE).format(spelt(how, secret))}\nafter\n"
        for channel in ("whole", "stream", "command line", "variables"):
            left = through(draw, channel, text, Redactor([known]))
            assert spelt(how, secret[8:]) not in left
            assert left.startswith("step 5\n")
            assert left.rstrip().endswith("after")


@pytest.mark.parametrize("how", SPELT)
def test_what_is_spelt_and_no_secret_stays(how):
    """Addresses, names and digests are left to read."""
    text = (
        f"x {spelt(how, 'a line of 2024 that tells: nothing_at-all')} y {HEX} {'5f' * 20} \\x7fELF \\u0041 %41 &#8364;"
    )
    assert Redactor(["a-known-secret-value"]).clean(text) == text


def lines_of_all_kinds(draw: random.Random) -> str:
    parts = [SURROUNDINGS[draw.choice(list(SURROUNDINGS))].format(secret) for secret in TOKENS.values()]
    parts += [template.format(secret) for template, secret in CONTEXT.values()]
    parts += [spelt(how, draw.choice([*TOKENS.values()])) for how in SPELT]
    parts += [*ORDINARY, "progress 5%\r", "x =\n", "word " * 20]
    draw.shuffle(parts)
    return "".join(part + draw.choice(("\n", " ", "\r\n", "\r")) for part in parts)


@pytest.mark.parametrize("seed", range(2))
def test_a_stream_is_what_the_whole_text_is(seed):
    """For texts of all planted forms and pieces of any size."""
    draw = random.Random(seed)
    text = lines_of_all_kinds(draw)
    pieces, rest = [], text
    while rest:
        size = draw.choice((7, 61, 997))
        pieces.append(rest[:size])
        rest = rest[size:]
    assert "".join(Redactor().clean_stream(pieces)) == Redactor().clean(text)


LONG = {
    "login": f"wandb login {HEX} ", "netrc": f"login ada password {A} ", "header": f"Authorization: Bearer {HEX}, ",
    "token": f"{'.' * 300}{TOKENS['Hugging Face']}", "JSON": f'{{"api_key": "{A}", "x": "\\n{TOKENS["NVIDIA"]}"}}',
    "no blank": f"password={A * 3}&",
}  # fmt: skip


@pytest.mark.parametrize(("name", "size"), list(zip(LONG, [9970, 8191, 65536, 80_000, 30_011, 65_535], strict=True)))
def test_a_long_line_is_cut_where_nothing_is_torn(name, size):
    """The words that tell a secret stay with it, and the cut does not depend on the pieces."""
    text = LONG[name] * (2 * LONGEST_LINE // len(LONG[name])) + "\n"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    left = "".join(Redactor().clean_stream(pieces))
    assert left == Redactor().clean(text)
    assert A not in left
    assert HEX not in left


def test_a_value_longer_than_a_line_is_hidden_to_its_end():
    """There is no place to cut it, so its rest is known to be one."""
    text = f"password='{A * (2 * (LONGEST_LINE + LOOK) // len(A))}' then"
    left = "".join(Redactor().clean_stream([text]))
    assert A not in left
    assert left == Redactor().clean(text)


FLOODS = {
    "letters": "x" * 99 + "\n", "letters, CRLF": "x" * 99 + "\r\n", "soft breaks": "ten words " * 6 + "=\n",
    "soft breaks, CRLF": "ten words " * 6 + "=\r\n", "padded": "x" * 60 + "=\n", "backslashes": "word " * 9 + "\\\n",
}  # fmt: skip


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_lines_that_could_go_on_is_not_held(name):
    """However many there are, no more is kept than the longest line has, and the pieces make no difference."""
    size, text = 30_011, FLOODS[name] * (3 * LONGEST_LINE // len(FLOODS[name])) + f"password={A}\n"
    cleaner, held, left = Cleaner(Redactor()), 0, ""
    for at in range(0, len(text), size):
        left += cleaner.feed(text[at : at + size])
        held = max(held, at + size - len(left))
    assert held <= LONGEST_LINE + LOOK + 2 * size
    assert left + cleaner.close() == Redactor().clean(text)
    assert A not in left
