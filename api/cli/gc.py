"""`artifact-manager gc`: the janitor's chores at once, where no service does them by itself."""

import asyncio
from pathlib import Path

import click

from adapters.data_directory import DataDirectoryError
from adapters.structured_logging import configure_logging
from api.cli.options import data_dir_option, settings_from

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@data_dir_option
def gc(dry_run: bool, data_dir: Path | None) -> None:
    """End what has expired, and remove objects that nothing names any more.

    A running service does this by itself; the command is for a directory on which none runs.
    """
    from bootstrap import NoDataError, collect_garbage

    settings = settings_from(data_dir=data_dir)
    configure_logging(settings.log_level)
    try:
        done = asyncio.run(collect_garbage(settings, is_dry_run=dry_run))
    except NoDataError as error:
        raise click.ClickException(str(error)) from None
    except DataDirectoryError as error:
        raise click.ClickException(f"{error}. A service that runs does this by itself; its log says what.") from None
    except ExceptionGroup:
        raise click.ClickException("Not everything could be done; the log says why") from None
    row = "{:<20} {:<40} {:>10} {:>12}"
    click.echo(row.format("chore", "would be done" if dry_run else "done", "items", "size"))
    for chore, tallies in done.items():
        for what, tally in tallies.items():
            click.echo(row.format(chore, what, tally.items, _size(tally.size_bytes)))
        if not tallies:
            click.echo(row.format(chore, "nothing", 0, ""))
    if any(tally.is_problem for tallies in done.values() for tally in tallies.values()):
        raise click.ClickException("There are problems; the log says which")


def _size(size_bytes: int) -> str:
    if not size_bytes:
        return ""
    unit = 0
    while size_bytes >= 1024 ** (unit + 1) and unit < len(_UNITS) - 1:
        unit += 1
    return f"{size_bytes / 1024**unit:.4g} {_UNITS[unit]}"
