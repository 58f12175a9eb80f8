"""`python -m api.cli`: the command `artifact-manager` where it is not on PATH."""

from api.cli.main import main

main(prog_name="artifact-manager")
