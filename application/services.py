"""What commands and queries work with: the ports, wired once by the bootstrap."""

from dataclasses import dataclass, field

from application.accesses import AccessRecorder
from application.chain_cache import ChainCache
from application.file_trees import FileTrees
from application.ports.catalog import Catalog
from application.ports.event_log import EventLog
from application.ports.object_store import ObjectStore
from application.ports.stages import OpenStages
from application.ports.statistics import Statistics
from application.ports.system import Clock, IdSource
from application.record_cache import RecordCache
from application.settings import Settings
from application.signed_urls import SignedUrls
from application.state_cache import StateCache
from application.tokens import Tokens
from application.writer import CommandWriter
from application.zips.indexes import ZipIndexes


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that a handler may use. `log` holds the artifacts, `access_log` views and downloads."""

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
    trees: FileTrees
    zip_indexes: ZipIndexes
    urls: SignedUrls
    tokens: Tokens
    records: RecordCache
    chains: ChainCache = field(default_factory=ChainCache)
