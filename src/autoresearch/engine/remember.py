"""Keeps what people read up to date: the report, and the session memory at every trigger."""

from collections.abc import Callable
from pathlib import Path

from autoresearch.engine.context import Context


class Reporter:
    def __init__(self, ctx: Context, beat: Callable[[], None], poll: Callable[[], None]) -> None:
        self.ctx, self.beat, self.poll = ctx, beat, poll

    def refresh(self) -> None:
        self.poll()


def remember(ctx: Context, what: str) -> Path:
    return ctx.paths.folder


def write_report(ctx: Context) -> tuple[Path, ...]:
    return ()
