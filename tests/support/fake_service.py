"""The fake application behind the real server, as a program: `python -m tests.support.fake_service`."""

import asyncio
import signal
import sys

import uvloop

from adapters.structured_logging import configure_logging
from api.http.addresses import choose_port
from api.http.app import create_app
from api.http.server import serve
from application.settings import Settings
from tests.support.fake_application import FakeApplication, FakeFile

LARGE = 8 * 1024 * 1024


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = Settings(drain_seconds=float(sys.argv[1]), stalled_seconds=2)
    application = FakeApplication(settings=settings)
    application.files.most_bytes = 2 * LARGE
    application.files.files["large"] = FakeFile("large", b"x" * LARGE, chunk=65536)
    application.files.files["broken"] = FakeFile("broken", b"x" * LARGE, promised_bytes=LARGE + 1, chunk=65536)
    port = choose_port("127.0.0.1", 0)
    await serve(
        create_app(application.gateway()), settings, port, stop, lambda: print(f"http://127.0.0.1:{port}", flush=True)
    )


if __name__ == "__main__":
    configure_logging("info")
    uvloop.run(main())
