"""What the demo shows: numbered steps, what came back, and a clear word where something else was expected."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

MIB = 1024 * 1024


class DemoFailedError(Exception):
    """A step came out otherwise than promised; its text says what was expected and what came back."""


class Report:
    """Prints the steps in order."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
        self.step_count = 0

    def step(self, text: str) -> None:
        """Begin a step."""
        self.step_count += 1
        self._console.print(f"{self.step_count:>2}. {text}")

    def result(self, text: str) -> None:
        """Say what came back."""
        self._console.print(f"    {text}")

    def say(self, text: str) -> None:
        """Print a line that is no step."""
        self._console.print(text)

    @contextmanager
    def transfer(self, text: str, total_bytes: int) -> Iterator["Transfer"]:
        """Show a bar while bytes move."""
        columns = (TextColumn("    {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self._console) as progress:
            yield Transfer(progress, text, total_bytes)


class Transfer:
    """One bar."""

    def __init__(self, progress: Progress, text: str, total_bytes: int) -> None:
        self._progress = progress
        self._task = progress.add_task(text, total=total_bytes)

    def advance(self, size_bytes: int) -> None:
        """Move the bar."""
        self._progress.update(self._task, advance=size_bytes)


def expect(what: str, actual: object, expected: object) -> None:
    """Compare, and name both sides when they differ.

    Raises:
        DemoFailedError: They differ.
    """
    if actual != expected:
        raise DemoFailedError(f"{what}: expected {expected!r}, got {actual!r}")


def expect_true(what: str, holds: bool, seen: object) -> None:
    """Check a condition, and show what was seen when it does not hold.

    Raises:
        DemoFailedError: It does not hold.
    """
    if not holds:
        raise DemoFailedError(f"expected that {what}; got {seen!r}")
