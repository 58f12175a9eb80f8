"""What an operator can set: one frozen struct, whose fields are also the configuration table of the manual."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec
from msgspec import Meta

from domain.artifact.ttl import MAX_TTL_SECONDS

PREFIX = "ARTIFACT_MANAGER_"

EMBEDDED_DATABASE = "sqlite"
EMBEDDED_OBJECT_STORE = "directory"
EMBEDDED_SEARCH = "sqlite"
EMBEDDED_BUS = "memory"

KIBI = 1024
MEBI = 1024 * KIBI


class LogLevel(StrEnum):
    """The least severity that is written to the log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one process. Each field is the environment variable `ARTIFACT_MANAGER_<NAME IN CAPITALS>`."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 9520
    data_dir: Annotated[Path, Meta(description="Directory of everything that must survive; one process at a time.")] = (
        Path("data")
    )
    public_base_url: Annotated[
        str | None, Meta(description="Address under which clients reach the service; unset: host and port.")
    ] = None
    local_base_url: Annotated[
        str | None, Meta(description="Address inside the cluster, for `use_local_url`; unset: the public one.")
    ] = None
    sites_url: Annotated[
        str | None,
        Meta(
            description="Address of sites, apart from the service's own; with `*` as the first part of its name, such "
            "as `https://*.sites.example.org`, each site has an origin of its own; unset: they are shown on the "
            "service's own, in a sandbox."
        ),
    ] = None
    token_secret: Annotated[
        str | None,
        Meta(description="Secret that signs tokens and URLs, 32 characters or more; unset: one kept in the data dir."),
    ] = None
    secret_keys: Annotated[
        str | None,
        Meta(description="Key ring that protects secrets: `id:key,...`, the first is current; unset: in the data dir."),
    ] = None
    database_url: Annotated[str, Meta(description="Where the event logs are kept.")] = EMBEDDED_DATABASE
    object_store_url: Annotated[str, Meta(description="Where the bytes of files are kept.")] = EMBEDDED_OBJECT_STORE
    search_url: Annotated[str, Meta(description="Where lists and searches are answered.")] = EMBEDDED_SEARCH
    bus_url: Annotated[str, Meta(description="Where events are published.")] = EMBEDDED_BUS
    s3_proxy: Annotated[
        bool, Meta(description="Whether files are streamed by the service when a caller does not set `use_proxy`.")
    ] = False
    allow_private_addresses: Annotated[
        bool, Meta(description="Whether addresses that users give, such as S3 endpoints, may be private ones.")
    ] = False
    log_level: Annotated[LogLevel, Meta(description="Least severity that is logged.")] = LogLevel.INFO
    manifest_bytes: Annotated[
        int, Meta(ge=1 * KIBI, le=64 * MEBI, description="Largest manifest or config, as JSON.")
    ] = 1 * MEBI
    manifest_depth: Annotated[
        int, Meta(ge=8, le=500, description="Deepest nesting of a request, and so of a manifest or config.")
    ] = 200
    request_bytes: Annotated[
        int, Meta(ge=64 * KIBI, le=1024 * MEBI, description="Largest body of a call; uploads of files are apart.")
    ] = 32 * MEBI
    buffered_bytes: Annotated[
        int, Meta(ge=1 * MEBI, description="Memory for the bodies of all calls that are being received together.")
    ] = 256 * MEBI
    upload_bytes: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Largest file that can be uploaded, in bytes; unset: as the disk allows."),
    ] = None
    active_requests: Annotated[
        int, Meta(ge=16, le=65536, description="Requests answered at the same time; more are refused for the moment.")
    ] = 4096
    stalled_seconds: Annotated[
        float, Meta(ge=1, le=3600, description="How long a transfer may stand still before it is given up.")
    ] = 60.0
    drain_seconds: Annotated[
        float, Meta(ge=0, le=60, description="How long an orderly stop waits for the requests under way.")
    ] = 8.0
    draft_ttl_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_TTL_SECONDS,
            description="How long a draft may stand still before it expires, where no collection says so; 0: for ever.",
        ),
    ] = 30 * 86_400
    anonymous_requests_per_second: Annotated[
        Annotated[float, Meta(ge=0.001, le=1_000_000)] | None,
        Meta(description="How often anonymous callers may ask, each address by itself; unset: without a limit."),
    ] = None
    anonymous_burst: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Requests that an anonymous caller may make at once.")
    ] = 500
    user_requests_per_second: Annotated[
        Annotated[float, Meta(ge=0.001, le=1_000_000)] | None,
        Meta(description="How often users may ask, each by himself; unset: without a limit."),
    ] = None
    user_burst: Annotated[int, Meta(ge=1, le=1_000_000, description="Requests that a user may make at once.")] = 5000
    client_address_header: Annotated[
        str | None,
        Meta(
            description="Header in which the proxy in front writes the client's address, such as `X-Forwarded-For`; "
            "unset: the address of the connection. Only with a proxy that clients cannot go around."
        ),
    ] = None
    trusted_proxies: Annotated[
        int, Meta(ge=1, le=16, description="Proxies in front that each add an address to that header.")
    ] = 1
    access_log_bytes: Annotated[
        Annotated[int, Meta(ge=1 * MEBI)] | None,
        Meta(description="Disk for the log of accesses; beyond it none are recorded; unset: as the disk allows."),
    ] = None
    object_grace_seconds: Annotated[
        float, Meta(ge=0, description="Age below which no object is removed, whether anything names it or not.")
    ] = 86_400.0
    sweep_interval_seconds: Annotated[
        float, Meta(ge=0.05, description="Pause between two searches of the store for objects that nothing names.")
    ] = 21_600.0
    janitor_interval_seconds: Annotated[
        float, Meta(ge=0.05, le=86_400, description="Pause between two rounds of the janitor.")
    ] = 60.0

    def __repr__(self) -> str:
        """Write the settings without the secrets among them."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _SECRET_FIELDS}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


_SECRET_FIELDS = frozenset({"token_secret", "secret_keys"})
_EMBEDDED = {
    "database_url": EMBEDDED_DATABASE,
    "object_store_url": EMBEDDED_OBJECT_STORE,
    "search_url": EMBEDDED_SEARCH,
    "bus_url": EMBEDDED_BUS,
}
_SHORTEST_SECRET = 32
_SITES_URL = re.compile(r"https?://(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::[0-9]{1,5})?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")


def variable_name(field: str) -> str:
    """Give the environment variable of a field."""
    return PREFIX + field.upper()


def find_mistake(settings: Settings) -> tuple[str, str] | None:
    """Find a value that its type allows and the service does not: the field, and what is wrong with it."""
    for field, embedded in _EMBEDDED.items():
        if getattr(settings, field) != embedded:
            return field, f"must be {embedded!r}: this version has no other implementation"
    for field in ("public_base_url", "local_base_url"):
        address = getattr(settings, field)
        if address is not None and not address.startswith(("http://", "https://")):
            return field, "must begin with http:// or https://"
        if address is not None and address.endswith("/"):
            return field, "must not end with a slash"
    mistake = settings.sites_url and _mistake_in_sites_url(settings.sites_url, settings.public_base_url)
    if mistake:
        return "sites_url", mistake
    if settings.token_secret is not None and len(settings.token_secret) < _SHORTEST_SECRET:
        return "token_secret", f"must have at least {_SHORTEST_SECRET} characters"
    if settings.client_address_header is not None and not _HEADER_NAME.fullmatch(settings.client_address_header):
        return "client_address_header", "must be the name of a header"
    if settings.buffered_bytes < settings.request_bytes:
        return "buffered_bytes", f"must be at least {variable_name('request_bytes')} ({settings.request_bytes})"
    return None


def _mistake_in_sites_url(address: str, public_base_url: str | None) -> str | None:
    match = _SITES_URL.fullmatch(address)
    if match is None:
        return "must be like https://sites.example.org or https://*.sites.example.org, without a path"
    if public_base_url is not None and address == "/".join(public_base_url.split("/", 3)[:3]).lower():
        return "must be another address than the service's own"
    return None


def configuration_table() -> str:
    """Write the Markdown table of all settings: variable, default, allowed values, meaning."""
    hints = get_type_hints(Settings, include_extras=True)
    lines = ["| variable | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for field in msgspec.structs.fields(Settings):
        hint = hints[field.name]
        meta: Meta = hint.__metadata__[0]
        default = "" if field.default is None else f"`{_written(field.default)}`"
        lines.append(
            f"| `{variable_name(field.name)}` | {default} | {_allowed(hint.__origin__, meta)} | {meta.description} |"
        )
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _allowed(kind: Any, meta: Meta) -> str:  # noqa: ANN401 - Any type annotation.
    if kind is bool:
        return "`true`, `false`"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(f"`{member.value}`" for member in kind)
    if meta.ge is not None and meta.le is not None:
        return f"{meta.ge} to {meta.le}"
    if meta.ge is not None:
        return f"{meta.ge} or more"
    return ""
