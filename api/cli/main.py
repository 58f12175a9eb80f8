"""The command `artifact-manager`."""

import click

from api.cli.demo_command import demo
from api.cli.gc import gc
from api.cli.projections import projections
from api.cli.secrets import secrets
from api.cli.serve import serve
from api.cli.token import token


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="artifact-manager")
def main() -> None:
    """Keep datasets, models and applications as versioned artifacts."""


main.add_command(serve)
main.add_command(token)
main.add_command(projections)
main.add_command(gc)
main.add_command(secrets)
main.add_command(demo)


if __name__ == "__main__":
    main()
