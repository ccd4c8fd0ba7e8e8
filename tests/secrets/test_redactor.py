"""Secrets never pass; ordinary text always does."""

import base64
import json
import tracemalloc
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.secrets.redactor import Redactor
from autoresearch.secrets.shapes import SecretName, suspicion

HEX40 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
# Put together here so that no scanner of repositories takes this file for a leak.
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dBjftJeZ4CVP-mB92K27uhbUJU1p1r"
PEM_BODY = "\n".join("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" + f"{line:032d}" for line in range(4))
PLANTED = {
    "hugging face": ("downloading with {} ok", "hf_" + "AbC4" * 8),
    "hugging face org": ("{}", "api_org_" + "AbC4" * 8),
    "openai": ("key {}.", "sk-" + "aB3d" * 12),
    "openai project": ("{}", "sk-proj-" + "aB3_d-" * 8),
    "anthropic": ("ANTHROPIC {}", "sk-ant-api03-" + "aB3_d-" * 8),
    "nvidia": ("[{}]", "nvapi-" + "aB3_d-" * 8),
    "wandb variable": ("WANDB_API_KEY={}", HEX40),
    "wandb login": ("$ wandb login {}", HEX40),
    "wandb login glued": ("$ wandb login {}é", HEX40),
    "wandb login relogin": ("$ wandb login --relogin {}", HEX40),
    "wandb prompt": ("wandb: Paste an API key: {}", HEX40),
    "netrc": ("machine api.wandb.ai login user password {}", HEX40),
    "github": ("fatal: {}", "ghp_" + "aB3d" * 9),
    "github oauth": ("{}", "gho_" + "aB3d" * 9),
    "github fine-grained": ("{}", "github_pat_" + "aB3_" * 10),
    "gitlab": ("{}", "glpat-" + "aB3d" * 5),
    "aws id": ("id={}", "AKIA" + "ABCD1234" * 2),
    "aws secret": ("aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"),
    "google": ("{}", "AIza" + "aB3_d-" * 6),
    "slack": ("{}", "xoxb-" + "123456789012-abcdef"),
    "slack hook": ("https://hooks.slack.com/services/{}", "T00000000/B00000000/" + "X" * 24),
    "jwt": ("cookie {};", JWT),
    "private key": ("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", PEM_BODY),
    "private key in json": (
        r'{{"k": "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"}}',
        "MIIEvQIBADAN" * 5,
    ),
    "private key cut at its end": ("-----BEGIN PRIVATE KEY-----\n{}", PEM_BODY),
    "private key cut at its beginning": ("{}\n-----END OPENSSH PRIVATE KEY-----", PEM_BODY),
    "bearer": ("Authorization: Bearer {}", "opaque-9f86d081884c7d65"),
    "basic": ("'Authorization': 'Basic {}'", "dXNlcjpwYXNzd29yZA=="),
    "bearer alone": ("sent bearer {}", "9f86d081884c7d65"),
    "address": ("https://user:{}@host:8443/path", "pass:word!"),
    "address token": ("https://{}@example.com/org/repo.git", "1234567890abcdefghij"),
    "signed address": ("https://bucket/file?X-Amz-Signature={}&x=1", HEX40),
    "jupyter": ("http://localhost:8888/lab?token={}", HEX40),
    "shell": ("export MY_SERVICE_PASSWORD={}", "short"),
    "shell with quotes": ("export DB_PASSWORD='{}' && run", "it is two words"),
    "json": ('{{"clientSecret": "{}", "x": 1}}', "any thing at all"),
    "json in json": (r'"{{\"password\": \"{}\"}}"', "hunter2"),
    "yaml": ("  api-key: {}", "hunter2"),
    "python": ("{{'hub_token': '{}'}}", "hunter2"),
    "option": ("train.py --hub-token {} --lr 3", "hunter2"),
    "option in a list": ("['train.py', '--api-key', '{}', '--lr']", "hunter2"),
    "behind a harmless name": ("sort_key=a,api_key={}", "hunter2"),
    "looks like code": ("password: '{}'", "SecretSauce1"),
    "begins like a bracket": ("password={}", "(hunter2"),
    "docker": ('{{"auths": {{"nvcr.io": {{"auth": "{}"}}}}}}', "JG9hdXRodG9rZW46bnZhcGk="),
    "kubeconfig": ("    client-key-data: {}", "LS0tLS1CRUdJTg=="),
    "upper key": ("NGC_KEY={}", "abc123def456ghi789"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_no_planted_secret_survives(name):
    """Whatever its shape and surroundings, nothing of a secret is left."""
    template, secret = PLANTED[name]
    cleaned = Redactor().clean(f"before\n{template.format(secret)}\nafter\n")
    assert secret not in cleaned
    assert not any(line in cleaned for line in secret.split("\n"))
    assert cleaned.startswith("before\n")
    assert cleaned.endswith("after\n")


ORDINARY = [
    f"commit {HEX40}",
    f"[main 9f86d08] area: idea\nparent_commit {HEX40} -> {HEX40[::-1]}",
    f"sha256:{HEX40}{HEX40[:24]}",
    "eos_token='<|endoftext|>' pad_token: '<pad>' pad_token_id: 151643 bos_token=None",
    "tokens_per_sec: 12345.6, max_tokens=2048, num_tokens: 8, tokenizer: Qwen/Qwen2.5-1.5B-Instruct",
    "Generation token 5 of 100; token: Hello, total_tokens = 1_000_000",
    "def login(api_key: str, token: str | None = None, password: Optional[str] = None) -> None:",
    "client(api_key=api_key, token=config.token, password=os.environ['X'])",
    "export WANDB_API_KEY=$WANDB_API_KEY HF_TOKEN=${HF_TOKEN} WANDB_API_KEY=<your key>",
    "secret_name: my-secret\npassword_file: /run/secrets/db\nimagePullSecrets: [x]",
    "GOOGLE_APPLICATION_CREDENTIALS=/home/someone/key.json",
    "key: value, sort_key=name, keys: [1, 2], monkey: banana, cache_key=abc, PRIVATE KEY",
    "http://host:8080/path@x ssh://git@github.com/x git@github.com:NVIDIA-NeMo/RL.git http://10.0.0.1:6379",
    "task-2024-11-some-long-name-of-a-run-with-many-parts-1234 risk-adjusted-return-2024-estimators",
    "/lustre/fsw/users/someone/results/auto_research/2026-11-23-grpo/exp_12/run-1/run.log",
    "step 120 loss=0.1234 reward: 0.5512 kl 1.2e-05 (GRPOTrainer pid=123, ip=10.0.0.1)",
    "Bearer authentication is needed; basic auth; Authorization header missing; password required",
    "?x=1&y=2 a?b:c@d 2026-11-24T07:30:00Z 550e8400-e29b-41d4-a716-446655440000",
    "policy.megatron_cfg.optimizer.lr=3e-6 grpo.num_prompts_per_step=32 checkpointing.metric_name=val:accuracy",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_survives(text):
    """Hashes, numbers, paths, code, configuration and prose are left alone, to the letter."""
    assert Redactor().clean(text) == text


@given(st.lists(st.sampled_from("0123456789abcdef"), min_size=40, max_size=40).map("".join), st.booleans())
def test_git_hashes_survive(commit, short):
    """A commit stays readable wherever the program writes one."""
    shown = commit[:7] if short else commit
    text = f"{shown}\tparent_commit={shown} commit: {shown} (HEAD -> {shown})\n"
    assert Redactor(["a-known-secret-value"]).clean(text) == text


SECRET = 'p4ss/wörd+"quo\\ted" = & more'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"user:" + SECRET.encode()).decode(),
        base64.urlsafe_b64encode(b"x" + SECRET.encode() + b"yz").decode(),
    ],
)
def test_a_known_value_is_found_in_its_common_forms(written):
    """Raw, in an address, in JSON, in base64, alone or inside more."""
    cleaned = Redactor([SECRET]).clean(f"sent {written} away")
    assert "[redacted]" in cleaned
    assert written not in cleaned
    assert len(cleaned) < len("sent [redacted] away") + 16


def test_every_line_of_a_known_value_is_a_secret():
    """A key of several lines is hidden also when a log indents or interleaves it."""
    text = "".join(f"(worker) {line}\n" for line in PEM_BODY.split("\n"))
    assert Redactor([PEM_BODY]).clean(text) == "(worker) [redacted]\n" * 4


def test_tiny_values_are_not_looked_for():
    """A secret called `1` must not turn every number into a riddle."""
    assert Redactor(["1", "", "  ", "true"]).clean("true 1 21") == "true 1 21"


def test_what_stands_beside_a_secret_stays():
    """The reader still sees which variable it was."""
    cleaned = Redactor().clean('HF_TOKEN=abc python x.py\n{"api_key": "x y", "lr": 3}\nhttps://me:pw@host/x')
    assert (
        cleaned == 'HF_TOKEN=[redacted] python x.py\n{"api_key": "[redacted]", "lr": 3}\nhttps://me:[redacted]@host/x'
    )


def test_variables_and_command_lines_are_cleaned_by_name():
    """A value is hidden for what it is called, also when the name stands in another word."""
    redactor = Redactor()
    assert redactor.clean_mapping({"HF_TOKEN": "abc", "HF_HOME": "/data/hf", "X_PASSWORD": ""}) == {
        "HF_TOKEN": "[redacted]",
        "HF_HOME": "/data/hf",
        "X_PASSWORD": "",
    }
    words = ("train.py", "--hub-token", "abc", "--lr", "3e-6", "token=abcdef1234567890")
    assert redactor.clean_argv(words) == ("train.py", "--hub-token", "[redacted]", "--lr", "3e-6", "token=[redacted]")


LINES = st.sampled_from([*ORDINARY, *(template.format(secret) for template, secret in PLANTED.values())])


@given(st.lists(LINES | st.text(max_size=40), max_size=8).map("\n".join))
def test_cleaning_twice_changes_nothing(text):
    """Cleaned text can pass through the redactor again, as rows become reports."""
    redactor = Redactor([SECRET])
    once = redactor.clean(text)
    assert redactor.clean(once) == once


@given(
    st.permutations(sorted(name for name in PLANTED if "cut" not in name)),
    st.lists(st.integers(1, 400), min_size=1, max_size=20),
)
def test_a_stream_in_any_pieces_leaks_nothing(names, sizes):
    """Where the pieces of a log begin and end makes no difference."""
    text = "".join(f"a line\n{PLANTED[name][0].format(PLANTED[name][1])}\n" for name in names[:12])
    pieces, at, turn = [], 0, 0
    while at < len(text):
        pieces.append(text[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(pieces[-1]), turn + 1
    assert "".join(Redactor().clean_stream(pieces)) == Redactor().clean(text)


@pytest.mark.parametrize("name", [name for name in PLANTED if "private key" in name])
@pytest.mark.parametrize("size", [1, 40])
def test_a_key_block_torn_in_a_stream_is_hidden(name, size):
    """Lines of a key are held until it is clear what they are, also when one end of the block is missing."""
    text = f"before\n{PLANTED[name][0].format(PLANTED[name][1])}\nafter\n"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert "".join(Redactor().clean_stream(pieces)) == Redactor().clean(text)


def test_a_line_without_end_is_cleaned_and_bounded():
    """A progress bar of a megabyte is not kept in memory, and hides no secret at its seams."""
    secret = "hf_" + "AbC4" * 8
    text = f"{'.' * 997} {secret} " * 500
    pieces = [text[at : at + 4001] for at in range(0, len(text), 4001)]
    cleaned = list(Redactor().clean_stream(pieces))
    assert "".join(cleaned).count("[redacted]") == 500
    assert "AbC4AbC4" not in "".join(cleaned)
    assert max(map(len, cleaned)) < 80_000


@pytest.mark.parametrize(
    ("name", "level"),
    [("WANDB_API_KEY", "SURE"), ("apiKey", "SURE"), ("--hub-token", "SURE"), ("AWS_ACCESS_KEY_ID", "SURE"),
     ("MY_TOKEN", "SURE"), ("db_pwd", "SURE"), ("token", "LOOKS"), ("NGC_KEY", "LOOKS"), ("PWD", "NONE"),
     ("eos_token", "NONE"), ("PAD_TOKEN", "NONE"), ("tokens", "NONE"), ("sort_key", "NONE"), ("SECRET_NAME", "NONE"),
     ("TOKENIZERS_PARALLELISM", "NONE"), ("", "NONE"), ("--", "NONE")],
)  # fmt: skip
def test_names_are_judged_as_people_would(name, level):
    """A key to a service is a secret, a token of text is none."""
    assert suspicion(name) is SecretName[level]


EVIL = ["key", "token", "sk-", "key=", "token=", "password=$", "://a:", "eyJaaaaaaaa-", "A", "-", "-----BEGIN PRIVATE KEY-----\n",
        f"{'A' * 20} ", "bearer ", "login a ", "password='", "a\\", "wandb login --x "]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", EVIL)
def test_no_text_makes_the_redactor_work_for_long(piece):
    """No pattern goes back and forth: what would take an hour then is done before the time-out."""
    text = piece * (200_000 // len(piece)) + "PRIVATE KEY password "
    assert len(Redactor().clean(text)) <= len(text) + 10 * text.count("=")


def test_what_is_remembered_of_a_log_is_small():
    """A run may print ever new words of any length: they are looked at, and not kept."""
    redactor = Redactor()
    redactor.clean("word " * 10)
    tracemalloc.start()
    for number in range(200):
        redactor.clean(f"{number}_" * 6000)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 500_000
