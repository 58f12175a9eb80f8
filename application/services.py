"""What commands and queries work with: the ports, wired once by the bootstrap."""

from dataclasses import dataclass, field
from uuid import UUID

from application.accesses import AccessRecorder
from application.chain_cache import ChainCache
from application.context import Reply
from application.file_trees import FileTrees
from application.ports.catalog import Catalog
from application.ports.event_log import EventLog
from application.ports.object_store import ObjectStore
from application.ports.object_stores import ObjectStores
from application.ports.stages import OpenStages
from application.ports.statistics import Statistics
from application.ports.system import Clock, IdSource
from application.ports.templates import TemplateRenderer
from application.record_cache import RecordCache
from application.settings import Settings
from application.shared_work import SharedWork
from application.signed_urls import SignedUrls
from application.site_passes import SitePasses
from application.state_cache import StateCache
from application.tokens import Tokens
from application.vault import Vault
from application.writer import CommandWriter
from application.zips.indexes import ZipIndexes


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that a handler may use. `log` holds the artifacts, `access_log` views and downloads.

    `objects` is the service's own store; the bytes of files are read and written through `stores`, which knows those of
    artifacts as well. `completions` are the uploads in parts that are being completed: artifact, upload and ETag.
    """

    settings: Settings
    clock: Clock
    ids: IdSource
    log: EventLog
    access_log: EventLog
    writer: CommandWriter
    states: StateCache
    accesses: AccessRecorder
    statistics: Statistics
    catalog: Catalog
    stages: OpenStages
    objects: ObjectStore
    stores: ObjectStores
    trees: FileTrees
    zip_indexes: ZipIndexes
    urls: SignedUrls
    tokens: Tokens
    records: RecordCache
    vault: Vault
    templates: TemplateRenderer
    passes: SitePasses
    chains: ChainCache = field(default_factory=ChainCache)
    completions: "SharedWork[tuple[UUID, UUID, str], Reply]" = field(default_factory=SharedWork)
