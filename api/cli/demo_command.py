"""`artifact-manager demo`: the main job, on real files."""

import click


@click.command()
@click.option("--url", help="A running service. Default: one of its own, in a temporary directory.")
@click.option("--token", help="A token for that service, as `artifact-manager token create` prints it.")
def demo(url: str | None, token: str | None) -> None:
    """Run the main job and show every step."""
    from api.cli.demo import run_demo

    raise SystemExit(run_demo(url, token))
