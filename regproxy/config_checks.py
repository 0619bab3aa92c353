"""What the types of a configuration cannot say: names that fit, references that lead somewhere, values that mean something.

Every check looks at one typed configuration and notes its mistakes; none of them touches a file or the network.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from twisted.internet.endpoints import serverFromString

from regproxy.config_access import check_access, check_quotas
from regproxy.config_hooks import check_webhooks
from regproxy.config_reading import Mistakes
from regproxy.config_urls import split_url
from regproxy.config_virtual import check_meaning, check_virtual
from regproxy.model.headers import is_safe
from regproxy.model.patterns import Patterns
from regproxy.model.settings import Archives, Configuration, Limits, RepositorySettings, Server
from regproxy.model.size import parse_size
from regproxy.model.trash import TRASH
from regproxy.repo.interface import Format
from regproxy.web.clients import Trusted

RESERVED = frozenset({"api", "access", "artifactory", "v2", "ui", "metrics", "livez", "readyz", "startupz", TRASH})
CACHE_SUFFIX = "-cache"
DOCKER = frozenset({"docker", "oci"})
AUTO = "auto"
DATA_DIR_BYTES = 90  # the path of a UNIX socket below it has to fit into 108
DRAIN_LIMIT = 24 * 3600

WORKERS = 30  # twice as many may live during a reload; each has a slot of index/generation.py

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DOCKER_KEY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")
_LOCATION = re.compile(r"(?:/[A-Za-z0-9._-]+)+/?")
_FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "range"})
_AT_LEAST = {
    "max_connections": ("maxConnections", 1),
    "socket_timeout_millis": ("socketTimeoutMillis", 0),
    "retrieval_cache_period_secs": ("retrievalCachePeriodSecs", 0),
    "missed_retrieval_cache_period_secs": ("missedRetrievalCachePeriodSecs", 0),
    "assumed_offline_period_secs": ("assumedOfflinePeriodSecs", 0),
    "metadata_retrieval_timeout_secs": ("metadataRetrievalTimeoutSecs", 0),
    "unused_artifacts_cleanup_period_hours": ("unusedArtifactsCleanupPeriodHours", 0),
    "segments": ("segments", 1),
}
SEGMENTS = 64


def check(configuration: Configuration, formats: Mapping[str, Format], mistakes: Mistakes) -> None:
    """Note everything that is wrong."""
    _server(configuration.server, mistakes)
    _limits(configuration.limits, mistakes)
    _archives(configuration.archives, mistakes)
    _size(configuration.store.max_bytes, "store.maxBytes", mistakes)
    _size(configuration.store.parked_max_bytes or "none", "store.parkedMaxBytes", mistakes)
    _size(configuration.store.scrub_rate or "none", "store.scrubRate", mistakes)
    if not 0 <= configuration.store.verify_share <= 1:
        mistakes.add("store.verifyShare", "expected a number from 0 to 1")
    if configuration.store.scrub_period_hours <= 0:
        mistakes.add("store.scrubPeriodHours", "expected more than 0")
    if configuration.store.parked_hours < 0:
        mistakes.add("store.parkedHours", "expected 0 or more")
    if configuration.store.trash_days < 0:
        mistakes.add("store.trashDays", "expected 0 or more")
    if configuration.store.upload_hours <= 0:
        mistakes.add("store.uploadHours", "expected more than 0")
    _unique((item.alias for item in configuration.certificate), "certificate", "alias", mistakes)
    _proxies(configuration, mistakes)
    check_webhooks(configuration, mistakes)
    check_access(configuration, mistakes)
    check_quotas(configuration, mistakes)
    _unique((item.key for item in configuration.repository), "repository", "key", mistakes)
    for number, settings in enumerate(configuration.repository):
        _Repository(settings, f"repository[{number}]", mistakes).check(configuration, formats)
        check_meaning(settings, f"repository[{number}]", mistakes)
        check_virtual(settings, configuration.repository, f"repository[{number}]", mistakes)
    _docker(configuration, mistakes)


def check_repository(
    settings: RepositorySettings, configuration: Configuration, formats: Mapping[str, Format], mistakes: Mistakes
) -> None:
    """Note what is wrong with one repository that stands in no file."""
    _Repository(settings, "", mistakes).check(configuration, formats)


def _unique(names: Iterable[str], table: str, key: str, mistakes: Mistakes) -> None:
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name] += 1
        if seen[name] == 2:  # noqa: PLR2004 - the second is the first duplicate
            mistakes.add(f"{table}[{number}].{key}", "expected a name that no other one has", name[:80])


def _size(text: str, key: str, mistakes: Mistakes, name: str = "") -> None:
    if text:
        try:
            parse_size(text)
        except ValueError as error:
            mistakes.add(key, str(error), name)


def _server(server: Server, mistakes: Mistakes) -> None:
    _listening(server, mistakes)
    if server.base_url and (split_url(server.base_url) is None or "?" in server.base_url):
        mistakes.add("server.baseUrl", "expected an http or https URL, or nothing")
    for number, text in enumerate(server.trusted_proxies):
        try:
            Trusted.of((text,))
        except ValueError:
            mistakes.add(f"server.trustedProxies[{number}]", 'expected an address or a network such as "10.0.0.0/8", or "unix"')
    if not 1 <= server.workers <= WORKERS:
        mistakes.add("server.workers", f"expected a number from 1 to {WORKERS}")
    if server.accel_redirect and not (_LOCATION.fullmatch(server.accel_redirect) and server.trusted_proxies):
        mistakes.add("server.accelRedirect", "expected the path of a location of nginx, and trustedProxies that name it")
    for name, seconds in (("drainDelay", server.drain_delay), ("drainSeconds", server.drain_seconds)):
        if not 0 <= seconds <= DRAIN_LIMIT:
            mistakes.add(f"server.{name}", f"expected seconds, at most {DRAIN_LIMIT}")
    if not server.data_dir or len(server.data_dir.encode()) > DATA_DIR_BYTES:
        mistakes.add("server.dataDir", f"expected a folder, by a path of at most {DATA_DIR_BYTES} bytes")


def _limits(limits: Limits, mistakes: Mistakes) -> None:
    for name in ("connections", "connectionsPerClient", "requests", "fills", "stalledPerClient", "idleSeconds"):
        value = getattr(limits, re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name))
        if value < 0:
            mistakes.add(f"limits.{name}", "expected 0 or more")
    if limits.idle_seconds == 0:
        mistakes.add("limits.idleSeconds", "expected 1 or more")


def _archives(archives: Archives, mistakes: Mistakes) -> None:
    _size(archives.max_bytes or "none", "archives.maxBytes", mistakes)
    for name, value in (("atOnce", archives.at_once), ("maxFiles", archives.max_files)):
        if value < 0:
            mistakes.add(f"archives.{name}", "expected 0 or more")


def _listening(server: Server, mistakes: Mistakes) -> None:
    if not server.listen and not server.listener:
        mistakes.add("server.listen", "expected at least one endpoint")
    for number, text in enumerate(server.listen):
        if not _is_endpoint(text):
            mistakes.add(f"server.listen[{number}]", 'expected a Twisted endpoint such as "tcp:8081:interface=127.0.0.1"')
    for number, listener in enumerate(server.listener):
        if not re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^:\s]*):\d{1,5}", listener.address):
            mistakes.add(f"server.listener[{number}].address", 'expected an address and a port, such as "0.0.0.0:8443"')


def _is_endpoint(text: str) -> bool:
    if text.startswith("systemd:"):  # can only be parsed in a process that systemd has given sockets to
        return bool(re.fullmatch(r"systemd:domain=\w+:(?:index=\d+|name=[\w.-]+)", text))
    try:
        serverFromString(None, text)
    except (ValueError, TypeError, KeyError, IndexError, OSError):
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _proxies(configuration: Configuration, mistakes: Mistakes) -> None:
    _unique((item.key for item in configuration.proxy), "proxy", "key", mistakes)
    for number, item in enumerate(configuration.proxy):
        parts = split_url(item.url)
        if parts is None or parts.path.strip("/") or parts.query:
            mistakes.add(f"proxy[{number}].url", 'expected the URL of an HTTP proxy, such as "http://proxy:3128"', item.key)


def _docker(configuration: Configuration, mistakes: Mistakes) -> None:
    keys = {item.key for item in configuration.repository if item.package_type in DOCKER}
    default = configuration.docker.default_repository
    if default and default not in keys:
        mistakes.add("docker.defaultRepository", "expected the key of a docker or oci repository")
    for host, key in configuration.docker.namespaces.items():
        if not _HOST.fullmatch(host) or host.startswith("*"):
            mistakes.add("docker.namespaces", f"expected a host, as in docker.io, in place of {host[:80]!r}")
        if key not in keys:
            mistakes.add(f'docker.namespaces."{host[:80]}"', "expected the key of a docker or oci repository")


class _Repository:
    """The checks of one ``[[repository]]``."""

    def __init__(self, settings: RepositorySettings, where: str, mistakes: Mistakes) -> None:
        self.settings = settings
        self.where = where
        self.mistakes = mistakes

    def wrong(self, key: str, expectation: str) -> None:
        self.mistakes.add(self._inside(key), expectation, self.settings.key[:80])

    def _inside(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def check(self, configuration: Configuration, formats: Mapping[str, Format]) -> None:
        self._key()
        found = formats.get(self.settings.package_type)
        if found is None:
            self.wrong("packageType", f"expected one of {', '.join(sorted(formats))}")
        elif self.settings.rclass not in found.rclasses:
            self.wrong("rclass", f"expected {' or '.join(sorted(found.rclasses))}: {self.settings.package_type} has no other")
        if self.settings.rclass == "remote":
            self._url(found)
        elif self.settings.url:
            self.wrong("url", f"expected nothing: a {self.settings.rclass} repository has no upstream")
        self._references(configuration)
        self._keyring()
        self._numbers()
        self._texts()

    def _key(self) -> None:
        key = self.settings.key
        if not _KEY.fullmatch(key):
            self.wrong("key", "expected 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit")
        elif key in RESERVED or key.endswith(CACHE_SUFFIX):
            self.wrong("key", "expected a key that is not reserved (api, v2, ui, …, and all that end in -cache)")
        elif self.settings.package_type in DOCKER and not _DOCKER_KEY.fullmatch(key):
            self.wrong("key", "expected lower-case letters and digits joined by '.', '_', '__' or '-': image names begin with it")

    def _url(self, found: Format | None) -> None:
        url = self.settings.url
        if url == AUTO:
            if found is not None and found.auto is None:
                self.wrong(
                    "url", f"expected an http or https URL: no client of {self.settings.package_type} can be asked for one"
                )
        elif split_url(url) is None:
            self.wrong("url", "expected an http or https URL with a host, and without a user, a password or a fragment")

    def _references(self, configuration: Configuration) -> None:
        settings = self.settings
        if settings.proxy and settings.proxy not in {item.key for item in configuration.proxy}:
            self.wrong("proxy", "expected the key of a [[proxy]]")
        if settings.proxy and settings.disable_proxy:
            self.wrong("disableProxy", "expected false where proxy is set")
        alias = settings.client_tls_certificate
        if alias and alias not in {item.alias for item in configuration.certificate}:
            self.wrong("clientTlsCertificate", "expected the alias of a [[certificate]]")

    def _keyring(self) -> None:
        settings = self.settings
        others = settings.username, settings.password, settings.token, settings.password_file, settings.token_file
        if settings.credential_helper and any(others):
            self.wrong("credentialHelper", "expected this, or username, password and token, not both")
        if settings.credential_helper and settings.rclass != "remote":
            self.wrong("credentialHelper", f"expected nothing: a {settings.rclass} repository has no upstream")

    def _numbers(self) -> None:
        for field, (written, least) in _AT_LEAST.items():
            value = getattr(self.settings, field)
            if value is not None and value < least:
                self.wrong(written, f"expected at least {least}")
        if self.settings.segments > SEGMENTS:
            self.wrong("segments", f"expected at most {SEGMENTS}: connections of one download")
        sizes = {
            "maxBytes": self.settings.max_bytes,
            "uploadPartBytes": self.settings.upload_part_bytes,
            "xetFrom": self.settings.xet_from,
            "segmentThreshold": self.settings.segment_threshold,
        }
        for written, text in sizes.items():
            _size(text, self._inside(written), self.mistakes, self.settings.key)

    def _texts(self) -> None:
        settings = self.settings
        try:
            Patterns.of(settings.includes_pattern, settings.excludes_pattern)
        except ValueError as error:
            self.wrong("includesPattern", str(error))
        try:
            Patterns.of(settings.shared_names_pattern)
        except ValueError as error:
            self.wrong("sharedNamesPattern", str(error))
        for number, host in enumerate(settings.allowed_hosts):
            if not _HOST.fullmatch(host):
                self.wrong(f"allowedHosts[{number}]", 'expected a host such as "cdn.example.com" or "*.example.com"')
        if settings.local_address and not _is_address(settings.local_address):
            self.wrong("localAddress", "expected an address of this machine, such as 192.0.2.1")
        query = settings.query_params
        if not (query.isascii() and query.isprintable()) or any(letter in query for letter in " #?"):
            self.wrong("queryParams", 'expected what stands behind the question mark of a URL, as in "a=1&b=2"')
        for number, header in enumerate(settings.custom_http_headers):
            if not is_safe(header.name, header.value) or header.name.lower() in _FRAMING:
                self.wrong(f"customHttpHeaders[{number}]", "expected a header that may be sent with every request")
