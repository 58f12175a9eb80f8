"""The main job, run from outside over plain HTTP on real files, with every step shown and checked."""

from api.cli.demo.runner import run_demo

__all__ = ["run_demo"]
