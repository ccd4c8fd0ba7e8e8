"""What agents and runs can reach: a view of the machine for processes, files below one folder for what is asked of us.

The view, by bubblewrap: what is written to is named; the machine's own files are read-only; `/tmp` is their own; `/run`
(sockets of daemons that would do anything for us) and well-known places of credentials are empty; processes of nobody
else; no privileges. See bwrap(1).

The files: every part of a path is opened relative to the folder before it and never through a symbolic link (openat(2)
with `O_NOFOLLOW`): what was checked is what is opened, however fast somebody swaps a folder for a link.
"""

import os
import pwd
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

from autoresearch.machine.processes import CommandError, run

CREDENTIALS = (
    ".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".netrc", ".git-credentials", ".npmrc", ".pypirc",
    ".cargo/credentials.toml", ".config/gcloud", ".config/gh", ".config/git/credentials", ".config/ngc", ".ngc",
    ".config/wandb", ".huggingface", ".cache/huggingface/token", ".cache/huggingface/stored_tokens", ".password-store",
    ".claude", ".claude.json", ".codex", ".gemini", ".local/share/opencode", ".config/opencode",
    ".local/share/keyrings", ".config/github-copilot", ".bash_history", ".zsh_history", ".python_history", ".env",
    ".modal.toml", ".vault-token",
)  # fmt: skip
"""Places in a home directory where people and programs keep secrets."""

SYSTEM_SECRETS = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd", "/etc/krb5.keytab",
    "/etc/ssh", "/etc/ssl/private", "/etc/munge", "/etc/sudoers", "/etc/sudoers.d", "/etc/wireguard",
    "/var/spool/cron", "/var/spool/at", "/var/lib/docker", "/var/lib/kubelet", "/etc/kubernetes",
)  # fmt: skip
"""Places outside home directories that hold secrets, or instructions to daemons; they matter to who works as root."""

_HIDDEN_TOPS = ("/tmp", "/var/tmp", "/run", "/dev")  # noqa: S108 - hidden, not written
_UNSHARED = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")

_MOST_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class View:
    """What the inside may see and write. Later attributes win over earlier ones; paths are absolute.

    Attributes:
        devices: Devices it may use, folders of them included.
        shared: Folders it may write to, except for what the next three say.
        shown: Read-only, even where they lie below a place that is always hidden.
        hidden: Folders that look empty and files that look empty.
        writable: Folders it may write to.
        frozen: Files or folders below these that stay read-only.
        sealed: Folders that are empty and stay so.
        links: Symbolic links to make, with what each leads to.
        temporary: The folder that it sees as `/tmp`.
        network: Whether it has one.
    """

    devices: tuple[Path, ...] = ()
    shared: tuple[Path, ...] = ()
    shown: tuple[Path, ...]
    hidden: tuple[Path, ...]
    writable: tuple[Path, ...]
    frozen: tuple[Path, ...]
    sealed: tuple[Path, ...] = ()
    links: tuple[tuple[Path, Path], ...] = ()
    temporary: Path
    network: bool = True


@cache
def why_not() -> str:
    """Why bubblewrap cannot be used on this machine; empty when it can. Found out by using it."""
    try:
        done = run(("bwrap", *_UNSHARED, *_BASE, "--", "true"), check=False, timeout=20)
    except CommandError:
        return "bubblewrap (the program `bwrap`) is not installed"
    if done.code != 0:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.code}"
        return f"bubblewrap does not work on this machine: {said[-200:]}"
    return ""


def wrap(
    argv: Sequence[str], view: View, *, directory: Path | None = None, status: int | None = None
) -> tuple[str, ...]:
    """The command line that runs `argv` with that view and nothing more.

    Args:
        argv: The command.
        view: What it may see and write.
        directory: Where it begins; None: where bubblewrap does.
        status: File descriptor for what bubblewrap has to say of the command's end, as lines of JSON.
    """
    words: list[str] = [
        shutil.which("bwrap") or "bwrap",
        *_UNSHARED,
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
    ]
    words += [] if view.network else ["--unshare-net"]
    words += _BASE
    words += _pairs("--dev-bind", view.devices)
    words += ["--bind", str(view.temporary), "/tmp", "--tmpfs", "/var/tmp", "--tmpfs", "/run"]  # noqa: S108
    if view.network:
        words += _resolver()
    for path, leads_to in view.links:
        words += ["--symlink", str(leads_to), str(path)]
    view = _without_links(view)
    later = [path for path in view.shown if _is_below(path, view.shared)]
    words += _pairs("--ro-bind", (path for path in view.shown if _is_hidden(path) and path not in later))
    words += _pairs("--bind", view.shared)
    words += _pairs("--ro-bind", later)
    for path in view.hidden:
        words += _cover(path)
    words += _pairs("--bind", view.writable)
    words += _pairs("--ro-bind", view.frozen)
    for path in view.sealed:
        words += ["--tmpfs", str(path), "--remount-ro", str(path)]
    words += [word for path in view.hidden if path.is_dir() for word in ("--remount-ro", str(path.resolve()))]
    words += ["--chdir", str(directory)] if directory else []
    words += ["--json-status-fd", str(status)] if status is not None else []
    return (*words, "--", *argv)


def _without_links(view: View) -> View:
    """The same view with every place below one of its links by its real name: nothing can be mounted through a link."""

    def real(paths: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path.resolve() if _is_below(path, links) else path for path in paths)

    links = [link for link, _ in view.links]
    return replace(
        view,
        shared=real(view.shared),
        shown=real(view.shown),
        hidden=real(view.hidden),
        writable=real(view.writable),
        frozen=real(view.frozen),
        sealed=real(view.sealed),
    )


_KERNEL = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/scsi")
"""The kernel's own settings: root may write to them in any namespace, and some of them name programs to be run."""

_BASE = (
    *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
    *(word for path in _KERNEL if os.path.lexists(path) for word in ("--ro-bind", path, path)),
)


def credentials(home: Path, folders: Iterable[Path]) -> tuple[Path, ...]:
    """What to hide: places of secrets in home directories and of the system, and every `.env` file in `folders`.

    The account's own home counts besides `home`, which a variable may have moved.
    """
    homes = dict.fromkeys((home, account_home()))
    known = [place / name for place in homes for name in CREDENTIALS]
    known += [file for folder in folders for file in sorted(folder.glob(".env*")) if _may_hold_secrets(file)]
    return tuple(path for path in (*known, *map(Path, SYSTEM_SECRETS)) if os.path.lexists(path))


def account_home() -> Path:
    """The home directory of this account, whatever `HOME` says."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path.home()


def _may_hold_secrets(file: Path) -> bool:
    # `.env` is also what some call their virtual environment.
    return file.suffix != ".example" and not (file / "pyvenv.cfg").exists()


def programs(env: Mapping[str, str], *more: Path) -> tuple[Path, ...]:
    """Folders that programs are found in, and those their links lead to, so that none of them gets hidden."""
    found = {Path(entry) for entry in env.get("PATH", "").split(":") if entry.startswith("/")}
    found |= {*more, *(path.resolve() for path in more)}
    return tuple(sorted(path for path in found if path.exists()))


def _is_hidden(path: Path) -> bool:
    return any(path.is_relative_to(top) and path != Path(top) for top in _HIDDEN_TOPS)


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _cover(path: Path) -> list[str]:
    # A link is followed: hiding the link and not what it leads to would hide nothing.
    real = path.resolve()
    if real.is_dir():
        return ["--tmpfs", str(real)]
    return ["--ro-bind", "/dev/null", str(real)] if real.is_file() else []


def _pairs(option: str, paths: Iterable[Path]) -> list[str]:
    return [word for path in paths for word in (option, str(path), str(path))]


def _resolver() -> list[str]:
    """Name resolution may live behind a link into `/run`."""
    real = Path("/etc/resolv.conf").resolve()
    return _pairs("--ro-bind", (real.parent,)) if real.is_relative_to("/run") and real.exists() else []


def relative(root: Path, path: str) -> str | None:
    """A path as seen from `root`, `.` for itself; None when it lies elsewhere, by its parts or through a link.

    Args:
        root: The folder, absolute.
        path: Absolute, or relative to `root`; it need not exist.
    """
    for base in (root, root.resolve()):
        full = Path(os.path.normpath(base / path))
        if full.is_relative_to(base):
            parts = full.relative_to(base).parts
            linked = any(base.joinpath(*parts[:count]).is_symlink() for count in range(1, len(parts) + 1))
            return None if linked else str(PurePosixPath(*parts))
    return None


def read_below(root: Path, path: str) -> str:
    """The text of a regular file below `root`.

    Raises:
        OSError: It is not there, no regular file, too large, or only reached through a link.
    """
    with _opened(root, path, os.O_RDONLY, make=False) as handle:
        with os.fdopen(os.dup(handle), "rb") as source:
            data = source.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise OSError(f"{path} is larger than {_MOST_BYTES >> 20} MiB")
        return data.decode("utf-8", "replace")


def write_below(root: Path, path: str, text: str) -> None:
    """Put text into a file below `root`, which is made with its folders when it is not there.

    Raises:
        OSError: It cannot be written, is no regular file, has a second name, or is only reached through a link.
    """
    with _opened(root, path, os.O_WRONLY | os.O_CREAT, make=True) as handle:
        if os.fstat(handle).st_nlink > 1:
            raise OSError(f"{path} has a second name, which may lie anywhere")
        os.ftruncate(handle, 0)
        with os.fdopen(os.dup(handle), "wb") as sink:
            sink.write(text.encode("utf-8", "surrogateescape"))


@contextmanager
def _opened(root: Path, path: str, flags: int, *, make: bool) -> Iterator[int]:
    *folders, name = _parts(path)
    with ExitStack() as held:
        here = held.enter_context(_handle(str(root), os.O_RDONLY | os.O_DIRECTORY))
        for folder in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=here)
            here = held.enter_context(_handle(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, here))
        # A pipe in its place would make us wait.
        handle = held.enter_context(_handle(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, here))
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is no regular file")
        yield handle


@contextmanager
def _handle(name: str, flags: int, folder: int | None = None) -> Iterator[int]:
    handle = os.open(name, flags | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


def _parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise OSError(f"{path} is no path below the folder")
    return parts
