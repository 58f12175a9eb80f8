"""What the commands share: reading the settings, and errors as one line."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from adapters.environment import SettingsError, load_settings
from application.settings import Settings

data_dir_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of everything that must survive.  [default: ./data]",
)


def settings_from(**overrides: object) -> Settings:
    """Read the settings from the environment and the options.

    Raises:
        click.ClickException: A setting is wrong; the text names it.
    """
    try:
        return load_settings(os.environ, overrides)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
