"""`artifact-manager secrets`: the keys that secrets are encrypted with."""

import asyncio
from pathlib import Path

import click

from adapters.data_directory import DataDirectoryError
from adapters.key_ring import KeyRingError, new_ring_key
from adapters.structured_logging import configure_logging
from api.cli.options import data_dir_option, settings_from
from domain.errors import ArtifactManagerError


@click.group()
def secrets() -> None:
    """Work with the keys that secrets are encrypted with."""


@secrets.command("new-key")
def new_key() -> None:
    """Print a new key for the key ring and nothing else. Put it first to make it the current one."""
    click.echo(new_ring_key())


@secrets.command()
@data_dir_option
def rotate(data_dir: Path | None) -> None:
    """Encrypt the key of every artifact by the first key of the ring; secrets and events stay as they are.

    Works beside a running service that has the same key ring, and can be repeated.
    """
    from bootstrap import NoDataError, rotate_secret_keys

    settings = settings_from(data_dir=data_dir)
    configure_logging(settings.log_level)
    try:
        done = asyncio.run(rotate_secret_keys(settings))
    except (NoDataError, DataDirectoryError, KeyRingError) as error:
        raise click.ClickException(str(error)) from None
    except ArtifactManagerError as error:
        raise click.ClickException(error.detail) from None
    click.echo(f"{done.rewrapped} keys encrypted anew, {done.current} were up to date")
    if done.unreadable:
        missing = ", ".join(f"{count} by '{key_id}'" for key_id, count in sorted(done.unreadable.items()))
        raise click.ClickException(f"Keys that cannot be decrypted with this key ring: {missing}")
