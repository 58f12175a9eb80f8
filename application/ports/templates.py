"""Renders templates of sites, whose authors nobody knows."""

from typing import Any, Protocol


class TemplateRenderer(Protocol):
    """Renders a text with variables, within bounds of time, memory and size, and out of reach of anything else."""

    async def render(self, source: str, variables: dict[str, Any], owner: str) -> bytes:
        """Render a template; gives UTF-8. `owner` is whose it is: no owner can make all the others wait.

        Raises:
            TemplateFailedError: The template has a mistake, or takes more than it may.
            UnavailableError: Too many templates wait to be rendered.
        """
        ...

    async def close(self) -> None:
        """End what is under way."""
        ...
