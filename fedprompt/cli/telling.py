"""Progress on stderr: a bar on a terminal for work past a second, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from fedprompt.workspace.progress import Progress

__all__ = ["Teller"]

QUIET_SECONDS = 1.0
LINE_SECONDS = 10.0


class Teller:
    """Hears :class:`Progress` and shows it; a context manager, so that the bar goes away with the work."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._start = time.monotonic()
        self._bar: Bar | None = None
        self._stage, self._told = "", 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show where the work is."""
        now = time.monotonic()
        if now - self._start < QUIET_SECONDS:
            return
        if self._stream.isatty():
            self._draw(progress)
        elif progress.stage != self._stage or now - self._told >= LINE_SECONDS:
            self._stage, self._told = progress.stage, now
            share = f"{100 * progress.done / progress.total:.0f} %" if progress.total else ""
            parts = [part for part in (share, _left(progress.seconds_left)) if part]
            print(f"{progress.stage}: {progress.message} ({', '.join(parts)})", file=self._stream, flush=True)

    def _draw(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = Bar(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                TaskProgressColumn(),
                TextColumn("{task.fields[left]}", markup=False),
                console=Console(file=self._stream),
                transient=True,
            )
            self._bar.start()
            self._bar.add_task("", total=None, left="")
        self._bar.update(
            self._bar.task_ids[0],
            description=f"{progress.stage}: {progress.message}",
            completed=progress.done,
            total=progress.total,
            left=_left(progress.seconds_left),
        )


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    return f"about {whole // 60} min {whole % 60:02d} s left" if whole >= 60 else f"about {whole} s left"
