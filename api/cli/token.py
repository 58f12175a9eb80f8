"""`artifact-manager token`: tokens by the operator's hand."""

from pathlib import Path

import click

from adapters.data_directory import DataDirectoryError
from api.cli.options import data_dir_option, settings_from
from domain.errors import ArtifactManagerError


@click.group()
def token() -> None:
    """Work with tokens."""


@token.command()
@click.option("--user", required=True, help="Id of the user.")
@click.option("--email", help="E-mail address of the user; grants may name it.")
@click.option("--workspace", "workspaces", multiple=True, metavar="NAME", help="A workspace, '*' for all; repeatable.")
@click.option(
    "--permission",
    type=click.Choice(["read", "read_write", "admin"]),
    default="read_write",
    show_default=True,
    help="What the token gives in these workspaces.",
)
@click.option("--role", help="A role, such as admin.")
@click.option("--expires-in", type=float, default=3600, show_default=True, metavar="SECONDS", help="How long it lasts.")
@data_dir_option
def create(
    user: str,
    email: str | None,
    workspaces: tuple[str, ...],
    permission: str,
    role: str | None,
    expires_in: float,
    data_dir: Path | None,
) -> None:
    """Print a token and nothing else. The user's own workspace is always in it, and is its current one."""
    from application.operator_tokens import create_operator_token
    from bootstrap import make_tokens

    settings = settings_from(data_dir=data_dir)
    try:
        made = create_operator_token(
            make_tokens(settings),
            user=user,
            email=email,
            workspaces=workspaces,
            permission=permission,
            role=role,
            expires_in=expires_in,
        )
    except ArtifactManagerError as error:
        raise click.ClickException(error.detail) from None
    except DataDirectoryError as error:
        raise click.ClickException(str(error)) from None
    click.echo(made)
