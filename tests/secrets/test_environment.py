"""Secrets of this machine are known to the redactor, and only secrets."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import StorageError
from autoresearch.secrets.environment import dotenv, load, secret_values

ENV_FILE = r"""# keys
HF_TOKEN=hf-from-file-1
export WANDB_API_KEY="quoted # not a comment"  # a comment
 PLAIN_PASSWORD = spaced out   # comment
SINGLE_SECRET='literal $HOME \n'
MULTI_SECRET="first line of it
second line of it"
ESCAPED_SECRET="a \"b\" \\ c"
WANDB_PROJECT=my-project
EMPTY=
not an assignment
HF_TOKEN=hf-later-wins
"""


def test_a_dotenv_file_is_read_as_shells_and_tools_do():
    """Quotes, comments, export, several lines; the later of two wins; nonsense is skipped."""
    assert dotenv("\r\n".join(ENV_FILE.split("\n"))) == {
        "HF_TOKEN": "hf-later-wins",
        "WANDB_API_KEY": "quoted # not a comment",
        "PLAIN_PASSWORD": "spaced out",
        "SINGLE_SECRET": r"literal $HOME \n",
        "MULTI_SECRET": "first line of it\nsecond line of it",
        "ESCAPED_SECRET": r'a "b" \ c',
        "WANDB_PROJECT": "my-project",
        "EMPTY": "",
    }


@given(st.text(alphabet="AB_='\"\\ #\n\r\texport$é\x00", max_size=80) | st.text(max_size=60))
def test_any_text_is_a_dotenv_file(text):
    """A broken file gives what can be read of it and never an error."""
    for name, value in dotenv(text).items():
        assert name
        assert isinstance(value, str)


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), st.text(alphabet="ab '\"\\#=\n$", max_size=20)))
def test_what_is_quoted_is_read_back(variables):
    """Any value survives double quotes with backslashes."""
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in variables.items()}
    assert dotenv("".join(f'{name}="{value}"\n' for name, value in quoted.items())) == variables


def test_secrets_of_file_and_environment_are_hidden(tmp_path):
    """Values are known wherever they turn up later, without their names."""
    (tmp_path / ".env").write_text(ENV_FILE)
    redactor = load(tmp_path / ".env", {"NGC_API_KEY": "from-the-environment", "HOME": "/home/someone"})
    said = redactor.clean("hf-later-wins, from-the-environment, second line of it, my-project, /home/someone")
    assert said == "[redacted], [redacted], [redacted], my-project, /home/someone"


def test_a_missing_file_is_no_trouble(tmp_path):
    """Many users have no `.env`."""
    assert load(tmp_path / ".env", {}).clean("text") == load(None, {}).clean("text") == "text"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_told(tmp_path):
    """Secrets one cannot know cannot be hidden: better to say so."""
    (tmp_path / ".env").touch(mode=0)
    with pytest.raises(StorageError, match="cannot read"):
        load(tmp_path / ".env", {})


def test_a_folder_in_its_place_is_told(tmp_path):
    """The same for anything else that is no file."""
    with pytest.raises(StorageError, match="cannot read"):
        load(tmp_path, {})


def test_ordinary_values_are_not_taken_for_secrets():
    """Words, numbers and paths stay readable even when a variable has a suspicious name."""
    harmless = {
        "DB_PASSWORD": "password",
        "A_TOKEN": "12345",
        "GOOGLE_APPLICATION_CREDENTIALS": "/etc/key.json",
        "SSH_AUTH_SOCK": "/tmp/ssh-abc/agent.1",
        "SORT_KEY": "name",
        "PWD": "/work",
    }
    assert list(secret_values(harmless)) == []
    assert list(secret_values({"ANYTHING": "hf_" + "AbC4" * 8})) == ["hf_" + "AbC4" * 8]
