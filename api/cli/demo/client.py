"""A client as anybody would write one: JSON to methods, bytes to and from the URLs that come back."""

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx

from api.cli.demo.data import DemoFile
from api.cli.demo.report import DemoFailedError, Transfer, expect

_TIMEOUT_SECONDS = 60.0
_METHODS = "/public/services/artifact-manager/"


class Client:
    """One caller: with a token, or anonymous without one.

    `is_local` keeps a proxy of the environment out of the way to a server on this machine.
    """

    def __init__(self, url: str, token: str | None, *, is_local: bool) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(_TIMEOUT_SECONDS)
        self._api = httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=not is_local)
        # Presigned URLs carry their own right; a token has no business there.
        self._plain = httpx.Client(timeout=timeout, trust_env=not is_local)

    def close(self) -> None:
        """Close all connections."""
        self._api.close()
        self._plain.close()

    def call(self, method: str, **arguments: Any) -> Any:  # noqa: ANN401 - Any JSON value, as the method says.
        """Call a method of the service and decode what it answers.

        Raises:
            DemoFailedError: The answer is not 200.
        """
        response = self._api.post(_METHODS + method, json=arguments)
        if response.status_code != httpx.codes.OK:
            raise DemoFailedError(f"{method}: expected 200, got {response.status_code}: {response.text[:500]}")
        return response.json()

    def refused(self, method: str, status: int, **arguments: Any) -> str:  # noqa: ANN401 - As `call`.
        """Call a method that must be refused; give what the service says."""
        response = self._api.post(_METHODS + method, json=arguments)
        expect(f"{method}: status of the refusal ({response.text[:200]})", response.status_code, status)
        return str(response.json()["detail"])

    def get(self, path: str, status: int = 200, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own options.
        """Get a path of the REST interface."""
        response = self._api.get(path, **options)
        if response.status_code != status:
            raise DemoFailedError(f"GET {path}: expected {status}, got {response.status_code}: {response.text[:500]}")
        return response

    def put(self, url: str, file: DemoFile, transfer: Transfer | None = None) -> httpx.Response:
        """Send a file to a presigned URL, piece by piece."""

        def pieces() -> Iterator[bytes]:
            for chunk in file.chunks():
                yield chunk
                if transfer is not None:
                    transfer.advance(len(chunk))

        return self._plain.put(url, content=pieces(), headers={"Content-Length": str(file.size_bytes)})

    def upload(self, url: str, file: DemoFile, transfer: Transfer | None = None) -> None:
        """Send a file to a presigned URL that must take it."""
        response = self.put(url, file, transfer)
        if not response.is_success:
            raise DemoFailedError(
                f"PUT of {file.path.name}: expected success, got {response.status_code}: {response.text[:500]}"
            )

    def digest(self, url: str) -> str:
        """Download from a presigned URL; give the SHA-256 of the bytes."""
        digest = hashlib.sha256()
        with self._plain.stream("GET", url) as response:
            expect(f"GET of a download URL: status of {url.split('?', maxsplit=1)[0]}", response.status_code, 200)
            for chunk in response.iter_bytes():
                digest.update(chunk)
        return digest.hexdigest()

    def download(self, url: str, byte_range: str | None = None) -> httpx.Response:
        """Get a presigned URL, or a part of it."""
        return self._plain.get(url, headers={"Range": f"bytes={byte_range}"} if byte_range else {})
