"""The repositories that are served: those of the configuration file, and those that were made while the server ran.

Rules: what the file declares is changed in the file and nowhere else, and hides one that was made with the same key. What is said
of one that is made passes the checks of the file; keys that mean nothing here are kept. Every process looks before each request
whether anything has changed, by any of them, so that a client that was told of a change meets it everywhere.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from attrs import define, field
from twisted.internet.defer import Deferred
from txaio.tx import make_logger

from regproxy.admin.declaring import Declaring
from regproxy.admin.forms import said as given
from regproxy.config_changes import changed
from regproxy.config_checks import AUTO, check_repository
from regproxy.config_reading import Mistakes, table
from regproxy.config_virtual import check_virtual
from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_declarations import Declarations, Said
from regproxy.model.settings import Configuration, RepositorySettings
from regproxy.repo.interface import Format
from regproxy.repositories import Repositories
from regproxy.stream.apart import to_the_end
from regproxy.stream.spawn import spawn
from regproxy.telemetry.events import Events, What

log = make_logger()

KNOWN = frozenset(each.encode_name for each in msgspec.structs.fields(RepositorySettings))
FILES = ("passwordFile", "tokenFile", "caFile", "credentialHelper")
FIXED = ("rclass", "packageType")
NOT_YET = frozenset({"federated"})


@define(eq=False)
class Declared(Declaring):
    """One for a process; ``serve`` is called with the file's configuration first, and at each reload.

    ``_forget`` takes away what rights there are in a repository.
    """

    _repositories: Repositories
    _declarations: Declarations
    _formats: Mapping[str, Format]
    _forget: Callable[[str], Awaitable[None]]
    _events: Events = field(factory=Events)
    _file: Configuration = field(init=False, factory=Configuration)
    _served: Configuration = field(init=False, factory=Configuration)
    _stamp: int | None = field(init=False, default=None)
    _said: Mapping[str, Said] = field(init=False, factory=dict)

    def serve(self, configuration: Configuration) -> None:
        """Serve what the file says, every URL known, with what was made."""
        self._file = configuration
        self._refresh(anew=frozenset(each.key for each in configuration.repository if each.credential_helper))

    def look(self) -> None:
        """Serve what has changed since the last look."""
        if self._declarations.stamp() != self._stamp:
            self._refresh()

    def _refresh(self, anew: frozenset[str] = frozenset()) -> None:
        """``anew``: what begins again though nothing was changed about it; helpers may know other credentials."""
        self._stamp = self._declarations.stamp()
        before, self._said = self._said, self._declarations.every()
        kept = (self._kept(key, said) for key, said in self._said.items() if key not in self._in_file)
        made = self._with_members(tuple(settings for settings in kept if settings is not None))
        merged = msgspec.structs.replace(self._file, repository=(*self._file.repository, *made))
        changes = changed(self._served, merged)
        same = {settings.key for settings in merged.repository} - set(changes.added) - set(changes.replaced) - anew
        self._served = merged
        removed = before.keys() - self._said.keys() - self._in_file.keys()
        for key, ended in self._repositories.configure(merged, frozenset(same), frozenset(removed)).items():
            spawn(self._clear_behind(key, ended), f"clearing {key}")

    @property
    def _in_file(self) -> Mapping[str, RepositorySettings]:
        return {settings.key: settings for settings in self._file.repository}

    def _kept(self, key: str, said: Said) -> RepositorySettings | None:
        """What was good when it was made may not be any more: a proxy has gone from the file."""
        try:
            return self._checked(key, said)
        except RegproxyError as error:
            log.error("{key} is not served: {error}", key=key, error=error.text)  # noqa: TRY400 - it says what there is to say
            return None

    def _with_members(self, made: tuple[RepositorySettings, ...]) -> tuple[RepositorySettings, ...]:
        """Those that were made; of a virtual one those members stay that are still there."""
        keys = frozenset((*self._in_file, *(settings.key for settings in made)))
        return tuple(settings.with_members(keys.__contains__) for settings in made)

    async def _clear_behind(self, key: str, ended: "Deferred[object]") -> None:
        """What was arriving when a repository was removed goes with it, unless somebody has made another one meanwhile."""
        await ended
        if key not in self._in_file:
            await self._clear(key)

    def every(self) -> Sequence[RepositorySettings]:
        """All of them, those whose URL is not known too."""
        self.look()
        return self._served.repository

    # What the API asks.

    def keys(self) -> Collection[str]:
        """Of all of them."""
        return frozenset((*self._in_file, *self._said))

    def said(self, key: str) -> Said | None:
        """What was said of one that was made."""
        return None if key in self._in_file else self._said.get(key)

    @to_the_end("making repositories")
    async def create(self, every: Mapping[str, Said]) -> None:
        """Make some: all of them, or none where one will not do."""
        self.look()
        taken = {key.lower() for key in (*self._in_file, *self._said)}
        checked = []
        for key, said in every.items():
            if key.lower() in taken:
                raise RegproxyError(Kind.INVALID, f"there is a repository {key!a} already")
            taken.add(key.lower())
            checked.append(self._checked(key, given(**said)))
        self._check_members(checked)
        await self._leave(every)  # of a key that the file had, too: nobody took it out of them when it went
        for key, said in every.items():
            if not await self._declarations.put(key, given(**said), replace=False):
                raise RegproxyError(Kind.CONFLICT, f"{key} is being removed or made by somebody else at this moment")
            self._events.tell(What.REPOSITORY, repository=key, subject=key, change="created")
        self.look()

    @to_the_end("changing repositories")
    async def change(self, every: Mapping[str, Said]) -> None:
        """Change what is said of some, likewise."""
        merged = {key: self._merged(key, said) for key, said in every.items()}
        self._check_members([self._checked(key, whole) for key, whole in merged.items()])
        for key, whole in merged.items():
            if not await self._declarations.put(key, whole, replace=True):
                raise RegproxyError(Kind.CONFLICT, f"{key} has just been removed")
            self._events.tell(What.REPOSITORY, repository=key, subject=key, change="changed", detail=",".join(sorted(every[key])))
        self.look()

    def _merged(self, key: str, said: Said) -> Said:
        before = self._still(self._made(key))
        merged = {**before, **said}
        for name in FIXED:
            if merged.get(name) != before.get(name, merged.get(name)):
                raise RegproxyError(Kind.INVALID, f"{name} of {key} does not change: it is {before.get(name)!a}")
        if "customHttpHeaders" in said:
            merged["customHttpHeaders"] = _with_values(said["customHttpHeaders"], before.get("customHttpHeaders"))
        return given(**merged)

    @to_the_end("removing a repository")
    async def remove(self, key: str) -> int:
        """Remove one with everything in it; how many files.

        They are counted before: this process, and each of the others, may clear some of them. Rights go first: a process that is
        killed behind that leaves a repository that is closed.
        """
        self._made(key)
        await self._forget(key)
        files = await self._declarations.remove(key)
        if files is None:
            raise _unknown(key)
        self._events.tell(What.REPOSITORY, repository=key, subject=key, change="removed")
        self.look()
        await self._leave((key,))
        await self._clear(key)
        return files

    async def _leave(self, keys: Collection[str]) -> None:
        """Whoever makes a repository of one of these keys does not make it a member of those that another one was one of."""
        for virtual, said in list(self._said.items()):
            left = _keeping(said, lambda key: key not in keys)
            if left != said:
                await self._declarations.put(virtual, left, replace=True)
        self.look()

    def _still(self, said: Said) -> Said:
        """What was said of one, without members that are not there any more."""
        there = {settings.key for settings in self._served.repository}
        return _keeping(said, there.__contains__)

    def _check_members(self, changed: Sequence[RepositorySettings]) -> None:
        mistakes = Mistakes()
        keys = {settings.key for settings in changed}
        others = [each for each in self._served.repository if each.key not in keys]
        for settings in changed:
            check_virtual(settings, (*others, *changed), "", mistakes)
        if mistakes.lines:
            raise RegproxyError(Kind.INVALID, "; ".join(mistakes.lines))

    async def _clear(self, key: str) -> None:
        while await self._declarations.clear(key):
            pass

    async def resume(self) -> None:
        """Go on with what a stop has interrupted."""
        for key in self._declarations.leaving():
            if key not in self._in_file:
                await self._clear(key)

    def _made(self, key: str) -> Said:
        self.look()
        if key in self._in_file:
            raise RegproxyError(Kind.CONFLICT, f"{key} is declared in the configuration file, and is changed there only")
        said = self._said.get(key)
        if said is None:
            raise _unknown(key)
        return said

    def _checked(self, key: str, said: Said) -> RepositorySettings:
        """Read and check it; ``RegproxyError`` (INVALID) has everything that is wrong."""
        mistakes = Mistakes()
        if said.get("rclass") in NOT_YET:
            raise RegproxyError(
                Kind.INVALID,
                f"rclass ({key[:80]}): {said['rclass']} repositories are not there yet: local, remote and virtual ones are",
            )
        for name in FILES:
            if said.get(name):
                mistakes.add(
                    name,
                    "expected nothing: files and programs of this machine are named in the configuration file only",
                    key[:80],
                )
        if said.get("url") == AUTO:
            mistakes.add(
                "url",
                "expected an http or https URL: the clients of this machine are asked for the configuration file only",
                key[:80],
            )
        known: dict[str, Any] = {"key": key, **{name: value for name, value in said.items() if name in KNOWN}}
        if known["key"] != key:
            mistakes.add("key", f"expected {key}, as in the address", key[:80])
        settings = table(RepositorySettings, known, "", mistakes)
        if settings is not None:
            check_repository(settings, self._file, self._formats, mistakes)
        if mistakes.lines or settings is None:
            raise RegproxyError(Kind.INVALID, "; ".join(mistakes.lines))
        return settings


def _unknown(key: str) -> RegproxyError:
    return RegproxyError(Kind.NOT_FOUND, f"there is no repository {key!a}")


def _keeping(said: Said, is_one: Callable[[object], bool]) -> Said:
    """What is said of one, with those members only."""
    left, named, deployment = dict(said), said.get("repositories"), said.get("defaultDeploymentRepo")
    if isinstance(named, list):
        left["repositories"] = list(filter(is_one, named))
    if deployment and not is_one(deployment):
        left["defaultDeploymentRepo"] = ""
    return left


def _with_values(headers: object, before: object) -> object:
    """Values of headers are never shown: one that comes back empty is meant as it was."""
    if not isinstance(headers, Sequence) or not isinstance(before, Sequence):
        return headers
    known = {header["name"]: header["value"] for header in before}
    return [
        {**header, "value": header.get("value") or known.get(header.get("name"), "")} if isinstance(header, dict) else header
        for header in headers
    ]
