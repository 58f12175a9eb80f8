"""`artifact-manager serve`: the whole service in one process."""

import asyncio
import gc
import signal
from pathlib import Path

import click
import structlog
import uvloop

from adapters.data_directory import DataDirectoryError
from adapters.structured_logging import configure_logging
from api.cli.options import data_dir_option, settings_from
from api.http.addresses import AddressInUseError, choose_port, url_of
from application.settings import Settings

GC_THRESHOLDS = (50_000, 20, 100)
"""Allocations before a young collection, and how many of each generation before one of the next."""


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.  [default: 9520]")
@data_dir_option
def serve(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Run the service until it is stopped; prints its URL when it is ready."""
    settings = settings_from(host=host, port=port, data_dir=data_dir)
    configure_logging(settings.log_level)
    try:
        is_sound = uvloop.run(_serve(settings))
    except (AddressInUseError, DataDirectoryError) as error:
        raise click.ClickException(str(error)) from None
    if not is_sound:
        raise click.ClickException("A worker of the service failed; the log says why")


async def _serve(settings: Settings) -> bool:
    # Imported here, so that the other commands start without the web framework and the databases.
    from api.http.app import create_app
    from api.http.server import serve as serve_http
    from bootstrap import open_gateway

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    is_sound = True

    def fail() -> None:
        nonlocal is_sound
        is_sound = False
        stop.set()

    port = choose_port(settings.host, settings.port)
    url = url_of(settings.host, port)
    log = structlog.get_logger()
    async with open_gateway(settings, url, fail) as gateway:

        def announce() -> None:
            _calm_collector()
            click.echo(url)
            log.info("serving", url=url, data_dir=str(settings.data_dir))

        await serve_http(create_app(gateway), settings, port, stop, announce)
    log.info("stopped")
    return is_sound


def _calm_collector() -> None:
    """Keep the garbage collector from stalling the event loop.

    What start-up made stays for good, so it is frozen. A request leaves no cycles, so the collector is asked less
    often than by default: with that, folding a stage of 100,000 files stalled the loop for half a second at a time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
