"""Measure, and write RESULTS.md: `python -m benchmarks.run [--only NAME]... [--quick]`."""

import os
import platform
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click

from benchmarks.bench import Bench
from benchmarks.load import tool
from benchmarks.measures import create, files, lists, read, streams, zips
from benchmarks.model import FULL, QUICK, Measure, Row

RESULTS: Final = Path(__file__).parent / "RESULTS.md"
PACKAGES: Final = ("artifact-manager", "litestar", "granian", "msgspec", "eventsourcing", "uvloop")

# What shares the empty service comes first; filling the large one takes longest.
MEASURES: Final[dict[str, Measure]] = {
    "read": read.measure,
    "create": create.measure,
    "put": files.measure_put,
    "commit": files.measure_commit,
    "stream": streams.measure,
    "zip": zips.measure,
    "list": lists.measure_list,
    "keywords": lists.measure_keywords,
    "increment": files.measure_increment,
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(MEASURES)), help="Measure only this; may be repeated.")
@click.option("--quick", is_flag=True, help="Small sizes: shows that the benchmarks work, not how fast things are.")
@click.option("--output", type=click.Path(path_type=Path), help="Where to write; '-' for the terminal alone.")
def main(only: Sequence[str], quick: bool, output: Path | None) -> None:
    """Measure the service beside its floors, all in one run."""
    rows: list[Row] = []
    began = time.perf_counter()
    with Bench(QUICK if quick else FULL) as bench:
        for name, measure in MEASURES.items():
            if only and name not in only:
                continue
            click.echo(f"{name} ...", err=True)
            started = time.perf_counter()
            found = _measured(name, measure, bench)
            for row in found:
                click.echo(f"  {row.name}: {row.measured} {row.ratio} {_verdict(row)}", err=True)
            click.echo(f"  took {time.perf_counter() - started:.0f} s", err=True)
            rows.extend(found)
    text = report(rows, quick=quick, seconds=time.perf_counter() - began)
    # A part of the benchmarks, or small ones, must not replace the results of a whole run.
    target = output or (None if quick or only else RESULTS)
    if target is None or str(target) == "-":
        click.echo(text)
    else:
        target.write_text(text)
        click.echo(f"Written to {target}", err=True)
    missed = [row.name for row in rows if row.is_met is False]
    if missed:
        click.echo(f"Missed: {'; '.join(missed)}", err=True)


def _measured(name: str, measure: Measure, bench: Bench) -> Sequence[Row]:
    """Measure; a failure is a result too, and the others are measured nevertheless."""
    try:
        return measure(bench)
    except (RuntimeError, AssertionError, OSError) as error:
        traceback.print_exception(error)
        reason = " ".join(str(error).split())[:200]
        return [Row(name=name, measured=f"failed: {reason}", target="an answer", is_met=False)]


def report(rows: Sequence[Row], *, quick: bool, seconds: float) -> str:
    """Write the page of results."""
    lines = [
        "# Results of the benchmarks",
        "",
        "Written by `make bench`; the floors were measured in the same run, in turns with the service.",
        "",
        *(["**Quick sizes: these figures say nothing about speed.**", ""] if quick else []),
        f"- date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds:.0f} s",
        f"- machine: {_processor()}, {os.cpu_count()} cores, {_memory()} of memory",
        f"- {platform.system()} {platform.release()}; an fsync of 4 KiB takes {_fsync_milliseconds():.2f} ms (median)",
        f"- Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        + ", ".join(f"{package} {version(package)}" for package in PACKAGES),
        f"- load by {tool()}; client and server share the cores",
        "",
        "| what | measured | floor | ratio | target | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines.extend(
        f"| {row.name} | {row.measured} | {row.floor} | {row.ratio} | {row.target} | {_verdict(row)} |" for row in rows
    )
    return "\n".join([*lines, ""])


def _verdict(row: Row) -> str:
    return {True: "yes", False: "**no**", None: ""}[row.is_met]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _fsync_milliseconds() -> float:
    timings = []
    with tempfile.TemporaryFile() as file:
        for _ in range(101):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            timings.append(time.perf_counter() - began)
    return sorted(timings)[50] * 1e3


if __name__ == "__main__":
    sys.exit(main())
