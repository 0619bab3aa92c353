"""The configuration as typed values: the sections of the file, and the keys of a repository.

Repository keys are those of the Repository Configuration JSON, unchanged, plus our own. ``None`` means that the operator
set nothing and our default (``docs/guide/configuration.md``) holds; an explicit value is obeyed. Keys that are accepted for
compatibility but mean nothing here yet are kept and returned like the others.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

SECRETS = frozenset({"password", "token", "query_params", "value", "secret"})
"""Fields whose values no log, error or answer shows."""


class _Section(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of the file: camelCase keys, unknown ones refused; its repr shows no secret."""

    def __repr__(self) -> str:
        shown = ((name, getattr(self, name)) for name in self.__struct_fields__)
        fields = ", ".join(f"{name}={'***' if name in SECRETS and value else repr(value)}" for name, value in shown)
        return f"{type(self).__name__}({fields})"


class CustomHeader(_Section, frozen=True):
    """One of ``customHttpHeaders``."""

    name: str
    value: str
    sensitive: bool = False


IDLE_SECONDS = 60.0


class RepositorySettings(_Section, frozen=True):
    """One ``[[repository]]``."""

    key: str
    rclass: Literal["remote", "local", "virtual"]
    package_type: str = "generic"
    description: str = ""
    notes: str = ""
    project_key: str = ""
    environments: tuple[str, ...] = ()
    includes_pattern: str = "**/*"
    excludes_pattern: str = ""
    repo_layout_ref: str = ""

    # Where upstream is, and who we are to it.
    url: str = ""
    username: str = ""
    password: str = ""
    password_file: str = ""
    token: str = ""
    token_file: str = ""
    credential_helper: tuple[str, ...] = ()
    proxy: str = ""
    disable_proxy: bool = False
    client_tls_certificate: str = ""
    ca_file: str = ""
    enable_token_authentication: bool | None = None
    allow_any_host_auth: bool = False
    allowed_hosts: tuple[str, ...] = ()
    query_params: str = ""
    custom_http_headers: tuple[CustomHeader, ...] = ()
    local_address: str = ""
    max_connections: int | None = None

    # How patient we are, and what is believed for how long.
    socket_timeout_millis: int | None = None
    retrieval_cache_period_secs: int | None = None
    metadata_retrieval_timeout_secs: float | None = None
    missed_retrieval_cache_period_secs: int | None = None
    assumed_offline_period_secs: int | None = None
    hard_fail: bool = False
    offline: bool = False
    blacked_out: bool = False
    priority_resolution: bool = False

    # What is stored, and how it is checked.
    store_artifacts_locally: bool = True
    max_bytes: str = ""
    upload_part_bytes: str = ""
    xet_from: str = "50GB"
    landing: Literal["continue", "park", "abandon"] = "continue"
    fill: Literal["whole", "asked"] = "whole"
    segments: int = 1
    segment_threshold: str = "64MiB"
    remote_repo_checksum_policy_type: Literal["generate-if-absent", "fail", "ignore-and-generate", "pass-thru"] = (
        "generate-if-absent"
    )
    checksum_policy_type: Literal["client-checksums", "server-generated-checksums"] = "client-checksums"
    block_mismatching_mime_types: bool = True
    mismatching_mime_types_override_list: str = ""
    bypass_head_requests: bool = False
    propagate_query_params: bool = False
    unused_artifacts_cleanup_period_hours: int = 0

    # Of a virtual repository: which ones it shows as one, in order, which of them takes uploads, and for which names others
    # are asked although a local one has them.
    repositories: tuple[str, ...] = ()
    default_deployment_repo: str = ""
    shared_names_pattern: str = ""

    # Accepted, kept and returned; they act with the parts of regproxy that they belong to.
    remote_repo_layout_ref: str = ""
    list_remote_folder_items: bool = False
    content_synchronisation: dict[str, object] = msgspec.field(default_factory=dict)
    share_configuration: bool = False
    synchronize_properties: bool = False
    enable_cookie_management: bool = False
    property_sets: tuple[str, ...] = ()
    archive_browsing_enabled: bool = False
    xray_index: bool = False
    download_redirect: bool = False
    cdn_redirect: bool = False
    disable_url_normalization: bool = False
    curated: bool = False
    pass_through: bool = False
    failed_retrieval_cache_period_secs: int | None = None
    unused_artifacts_cleanup_enabled: bool = False
    fetch_jars_eagerly: bool = False
    fetch_sources_eagerly: bool = False
    handle_releases: bool = True
    handle_snapshots: bool = True
    max_unique_snapshots: int = 0
    suppress_pom_consistency_checks: bool = False
    reject_invalid_jars: bool = False
    retrieve_sha256_from_server: bool = False
    max_unique_tags: int = 0
    docker_tag_retention: int = 1
    docker_api_version: str = "V2"
    block_pushing_schema1: bool = False
    external_dependencies_enabled: bool = False
    external_dependencies_patterns: tuple[str, ...] = ()
    external_dependencies_remote_repo: str = ""
    artifactory_requests_can_retrieve_remote_artifacts: bool = False
    virtual_retrieval_cache_period_secs: int | None = None
    resolve_docker_tags_by_timestamp: bool = False
    docker_project_id: str = ""
    py_pi_registry_url: str = msgspec.field(default="", name="pyPIRegistryUrl")
    py_pi_repository_suffix: str = msgspec.field(default="simple", name="pyPIRepositorySuffix")

    @property
    def idle_seconds(self) -> float:
        """How long a body may stand still."""
        return self.socket_timeout_millis / 1000 if self.socket_timeout_millis else IDLE_SECONDS

    def with_members(self, is_one: Callable[[str], bool]) -> "RepositorySettings":
        """The same with those members only; without the one that takes uploads if it is none of them."""
        deployment = self.default_deployment_repo
        return msgspec.structs.replace(
            self,
            repositories=tuple(filter(is_one, self.repositories)),
            default_deployment_repo=deployment if deployment and is_one(deployment) else "",
        )


class Listener(_Section, frozen=True):
    """One ``[[server.listener]]``: TLS from PEM files that are read again when they change."""

    address: str
    certificate: str
    key: str
    client_ca: str = ""


class Server(_Section, frozen=True):
    """``[server]``."""

    listen: tuple[str, ...] = ("tcp:8081:interface=127.0.0.1",)
    listener: tuple[Listener, ...] = ()
    base_url: str = ""
    trusted_proxies: tuple[str, ...] = ()
    workers: int = 1
    data_dir: str = "var"
    sendfile: Literal["auto", "off"] = "auto"
    accel_redirect: str = ""
    drain_delay: float = 0
    drain_seconds: float = 60


class Limits(_Section, frozen=True):
    """``[limits]``: of one process. 0: no limit, or for the first four what open files allow."""

    connections: int = 0
    connections_per_client: int = 0
    requests: int = 0
    fills: int = 0
    stalled_per_client: int = 256
    idle_seconds: int = 75


class Archives(_Section, frozen=True):
    """``[archives]``: folders that are sent as one; ``at_once`` is of one process, 0: none are."""

    at_once: int = 10
    max_files: int = 5000
    max_bytes: str = "1GiB"


class Store(_Section, frozen=True):
    """``[store]``."""

    type: Literal["disk"] = "disk"
    max_bytes: str = ""
    verify_reads: Literal["off", "sampled", "always"] = "sampled"
    verify_share: float = 0.001
    scrub_rate: str = "8MiB"
    scrub_period_hours: float = 720.0
    parked_hours: int = 24
    parked_max_bytes: str = "20GiB"
    upload_hours: float = 24.0
    trash_days: float = 0


class IndexSection(_Section, frozen=True):
    """``[index]``."""

    type: Literal["sqlite"] = "sqlite"


class CertificateUser(_Section, frozen=True):
    """One ``[[access.clientCertificate]]``: who shows a client certificate of such a name."""

    name: str
    username: str


class Access(_Section, frozen=True):
    """``[access]``."""

    anonymous: bool = True
    client_certificate: tuple[CertificateUser, ...] = ()
    anonymous_write: Literal["loopback", "anywhere", "never"] = "loopback"


class Docker(_Section, frozen=True):
    """``[docker]``: what stands behind addresses that name no repository."""

    default_repository: str = ""
    namespaces: dict[str, str] = msgspec.field(default_factory=dict)


class ClientCertificate(_Section, frozen=True):
    """One ``[[certificate]]``: what ``clientTlsCertificate`` names; PEM files that are read again when they change."""

    alias: str
    certificate: str
    key: str


class Proxy(_Section, frozen=True):
    """One ``[[proxy]]``: what a repository's ``proxy`` names; an HTTP proxy that knows CONNECT."""

    key: str
    url: str
    username: str = ""
    password: str = ""
    password_file: str = ""


class Log(_Section, frozen=True):
    """``[log]``: what is written down, in which form, and where; without a file to stdout."""

    access: Literal["json", "jfrog", "off"] = "json"
    access_file: str = ""
    request_out: Literal["json", "jfrog", "off"] = "json"
    request_out_file: str = ""
    audit: Literal["json", "jfrog", "off"] = "json"
    audit_file: str = ""
    security_file: str = ""
    pass_trace: bool = False


class IdentityMapping(_Section, frozen=True):
    """One ``[[oidc.mapping]]``: who a token's bearer is here, if all ``claims`` fit."""

    claims: dict[str, str]
    username: str = ""
    username_claim: str = ""
    groups: tuple[str, ...] = ()
    scope: str = ""
    expires_in: int = 3600


class Issuer(_Section, frozen=True):
    """One ``[[oidc]]``: whose tokens are traded for ours."""

    name: str
    issuer: str
    audience: tuple[str, ...]
    mapping: tuple[IdentityMapping, ...] = ()
    jwks_url: str = ""
    clock_skew_seconds: float = 60
    allowed_hosts: tuple[str, ...] = ()
    ca_file: str = ""
    proxy: str = ""
    disable_proxy: bool = False


class Quota(_Section, frozen=True):
    """One ``[[quota]]``: how much each user, and each address without a name, may ask for."""

    users: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    shared: bool = False
    each_repository: bool = False
    requests_per_second: float = 0
    burst: int = 0
    bytes: str = ""
    period_seconds: float = 86_400


class Webhook(_Section, frozen=True):
    """One ``[[webhook]]``: who is told of what happens."""

    name: str
    url: str
    events: tuple[str, ...] = ("deployed", "deleted", "cached", "denied", "mismatch")
    repositories: tuple[str, ...] = ()
    includes_pattern: str = "**"
    excludes_pattern: str = ""
    secret: str = ""
    secret_file: str = ""
    allowed_hosts: tuple[str, ...] = ()
    ca_file: str = ""
    proxy: str = ""
    disable_proxy: bool = False


class Configuration(_Section, frozen=True):
    """The whole file."""

    server: Server = Server()
    limits: Limits = Limits()
    archives: Archives = Archives()
    store: Store = Store()
    index: IndexSection = IndexSection()
    access: Access = Access()
    docker: Docker = Docker()
    log: Log = Log()
    certificate: tuple[ClientCertificate, ...] = ()
    proxy: tuple[Proxy, ...] = ()
    webhook: tuple[Webhook, ...] = ()
    oidc: tuple[Issuer, ...] = ()
    quota: tuple[Quota, ...] = ()
    repository: tuple[RepositorySettings, ...] = ()
