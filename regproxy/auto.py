"""``url = "auto"``: asks this machine's own clients which registry they are set to, and remembers what they said.

Each format says which programs to run and how to read them (``AutoUrl``). They run in threads, at the start and at each reload.
A registry that was remembered stands in for a client that is gone; credentials in a client's URL are used, but not remembered.
A repository for which nothing is known keeps ``url = "auto"`` and is listed as "needs url".
"""

import re
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec
from attrs import frozen
from twisted.internet.defer import Deferred, FirstError, gatherResults

from regproxy.config_checks import AUTO
from regproxy.config_urls import split_url
from regproxy.model.settings import Configuration, RepositorySettings, Server
from regproxy.repo.interface import Format
from regproxy.repo.interface_auto import AutoUrl

RUN_SECONDS = 20.0
PRINTED_LIMIT = 64 << 10

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Run = Callable[[Sequence[str]], Awaitable[str | None]]


@frozen
class Resolved:
    """A configuration whose automatic URLs are filled in.

    Attributes:
        needs_url: the keys of the repositories for which no URL is known; their ``url`` is still ``"auto"``.
    """

    configuration: Configuration
    needs_url: tuple[str, ...] = ()


def run_program(command: Sequence[str]) -> str | None:
    """Run a client and return what it printed on stdout; None unless it ends with 0, in time. Blocks: call it in a thread."""
    try:
        done = subprocess.run(  # noqa: S603 - the command is a constant of a format
            list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=RUN_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout[:PRINTED_LIMIT].decode("utf-8", "replace") if done.returncode == 0 else None


async def ask(auto: AutoUrl, run: Run) -> str | None:
    """The URL that the first client which knows one says."""
    for command in auto.commands:
        printed = await run(command)
        url = auto.read(printed) if printed is not None else None
        if url:
            return url
    return None


def without_credentials(text: str) -> tuple[str, str, str] | None:
    """A client's URL as (URL, user, password); None if it is no URL of a registry."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return None
    credentials, _, host = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    plain = urlunsplit(parts._replace(netloc=host, fragment=""))
    return (plain, unquote(user), unquote(password)) if split_url(plain) else None


def is_ourselves(url: str, server: Server) -> bool:
    """Whether a client of this machine is set to this very server: to fetch from there would go round in circles."""
    parts = urlsplit(url)
    if server.base_url and url.startswith(server.base_url.rstrip("/") + "/"):
        return True
    ports = {match[1] for text in server.listen if (match := re.match(r"(?:tcp|ssl):(?:port=)?(\d+)", text))}
    return parts.hostname in _LOOPBACK and str(parts.port) in ports


def _with_url(settings: RepositorySettings, url: str, user: str, password: str) -> RepositorySettings:
    if user and not settings.username and not settings.password:
        return msgspec.structs.replace(settings, url=url, username=user, password=password)
    return msgspec.structs.replace(settings, url=url)


async def resolve(
    configuration: Configuration,
    formats: Mapping[str, Format],
    run: Run,
    word: Callable[[str], str | None],
    remember: Callable[[str, str], Awaitable[None]],
) -> Resolved:
    """Fill in every ``url = "auto"``; ``word`` and ``remember`` are the index's, ``run`` is ``run_program`` in a thread."""

    async def filled(settings: RepositorySettings) -> RepositorySettings:
        auto = formats[settings.package_type].auto
        if settings.url != AUTO or auto is None:
            return settings
        name = f"auto.{settings.key}"
        said = without_credentials(await ask(auto, run) or "")
        if said is None or is_ourselves(said[0], configuration.server):
            remembered = word(name)
            return msgspec.structs.replace(settings, url=remembered) if remembered else settings
        if word(name) != said[0]:
            await remember(name, said[0])
        return _with_url(settings, *said)

    waiting = [Deferred.fromCoroutine(filled(settings)) for settings in configuration.repository]
    try:
        repositories = tuple(await gatherResults(waiting, consumeErrors=True))
    except FirstError as first:
        first.subFailure.raiseException()
    return Resolved(
        msgspec.structs.replace(configuration, repository=repositories),
        tuple(item.key for item in repositories if item.url == AUTO),
    )
