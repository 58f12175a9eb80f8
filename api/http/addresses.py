"""Where the service listens."""

import socket


class AddressInUseError(RuntimeError):
    """The address cannot be listened on; the text says why."""


def choose_port(host: str, port: int) -> int:
    """Give the port to listen on; for 0 a free one.

    The server binds with SO_REUSEPORT, with which two services would share a port without a word, so it is tried
    without that first.

    Raises:
        AddressInUseError: Another process listens there, or the host is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressInUseError(f"Cannot listen on {host}:{port}: {error.strerror}") from error
        chosen: int = probe.getsockname()[1]
    return chosen


def url_of(host: str, port: int) -> str:
    """Write the URL of a place where the service listens."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
