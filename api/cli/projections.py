"""`artifact-manager projections`: how far the read models are, and building one anew."""

import asyncio
from pathlib import Path

import click

from adapters.structured_logging import configure_logging
from api.cli.options import data_dir_option, settings_from
from application.settings import Settings


@click.group()
def projections() -> None:
    """Look at the read models, or build one anew."""


@projections.command()
@data_dir_option
def status(data_dir: Path | None) -> None:
    """Show version, position and lag of each read model."""
    from bootstrap import NoDataError, projection_statuses

    try:
        found = asyncio.run(projection_statuses(_settings(data_dir)))
    except NoDataError as error:
        raise click.ClickException(str(error)) from None
    row = "{:<12} {:>8} {:>12} {:>12} {:>8} {:>8}"
    click.echo(row.format("name", "version", "position", "head", "lag", "parked"))
    for one in found:
        position = "-" if one.position is None else str(one.position)
        click.echo(row.format(one.name, one.version, position, one.head, one.lag, one.parked))


@projections.command()
@click.argument("name")
@data_dir_option
def rebuild(name: str, data_dir: Path | None) -> None:
    """Build the read model NAME from the first event, beside the live one, and let it take over."""
    from bootstrap import NoDataError, UnknownProjectionError, rebuild_projection
    from domain.errors import ArtifactManagerError
    from projections.registry import BusyError
    from projections.runner import RebuildStoppedError

    try:
        path = asyncio.run(rebuild_projection(_settings(data_dir), name))
    except (NoDataError, UnknownProjectionError, BusyError, RebuildStoppedError, ArtifactManagerError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{name} was rebuilt as {path.name}")


def _settings(data_dir: Path | None) -> Settings:
    settings = settings_from(data_dir=data_dir)
    configure_logging(settings.log_level)
    return settings
