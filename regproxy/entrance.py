"""Puts together what knows people: the directory in the index, the authority over it, the gate that asks it, the thread in which
passwords are hashed; and what clients and the control socket may ask of them.

The control socket's commands are an administrator's: ``POST /user/{put,list,delete}`` and ``/token/{create,list,revoke}``.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec
from attrs import define, field
from twisted.internet.posixbase import PosixReactorBase
from twisted.web.resource import IResource, Resource

from regproxy.access import first
from regproxy.access.authority import Authority
from regproxy.access.exchange import Exchange
from regproxy.access.issuing import Issuing
from regproxy.access.making import Issued, Wish
from regproxy.access.quotas import Quotas
from regproxy.access.registering import Registering
from regproxy.access.roster import Roster
from regproxy.admin.access_people import AccessPeople
from regproxy.admin.desk import Desk
from regproxy.admin.forms import read, said, show_token, show_user
from regproxy.admin.old_tokens import OldTokens
from regproxy.admin.people import People
from regproxy.admin.token_server import TokenServer
from regproxy.admin.tokens import Tokens
from regproxy.errors import Kind, RegproxyError
from regproxy.index.interface_directory import Directory
from regproxy.index.sqlite import SqliteIndex
from regproxy.index.sqlite_directory import SqliteDirectory
from regproxy.issuers import keys_of
from regproxy.keeping import Command, Post
from regproxy.model.principals import User
from regproxy.model.settings import Configuration
from regproxy.stream.pool import WriterPool
from regproxy.telemetry.events import Events
from regproxy.web.addresses import BaseUrl
from regproxy.web.gate import Gate


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """What a user is made, or changed, by; without a password it stays, or there is none."""

    name: str
    password: str = ""
    email: str | None = None
    admin: bool | None = None


@define(eq=False)
class Entrance:
    """One for a process."""

    gate: Gate
    _directory: Directory
    _hashing: WriterPool
    _reactor: PosixReactorBase
    _data_dir: Path
    _environment: Mapping[str, str]
    _exchange: Exchange = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._exchange = Exchange(self._issuing, self._reactor, self.gate.events)

    @classmethod
    def of(
        cls, reactor: PosixReactorBase, configuration: Configuration, index: SqliteIndex, data_dir: Path, events: Events
    ) -> Self:
        """By the configuration."""
        hashing, directory, server = WriterPool(reactor, 1), SqliteDirectory(index), configuration.server
        certified = configuration.access.client_certificate
        authority = Authority(directory, configuration.access.anonymous, reactor, hashing)
        gate = Gate(authority, BaseUrl.of(server.base_url, server.trusted_proxies), events, certified, Quotas(reactor))
        return cls(gate, directory, hashing, reactor, data_dir, os.environ)

    def serve(self, configuration: Configuration) -> None:
        """Know the issuers and quotas of a configuration; what was learnt of one that is as before is kept."""
        if self.gate.quotas is not None:
            self.gate.quotas.configure(configuration.quota, configuration.server.workers)
        known = self._exchange.issuers
        self._exchange.configure(
            [
                (
                    issuer,
                    next((keys for each, keys in known if each == issuer), None) or keys_of(self._reactor, issuer, configuration),
                )
                for issuer in configuration.oidc
            ]
        )

    async def open(self) -> None:
        """Make the first administrator, if there is nobody; the index was started."""
        self._hashing.start()
        await first.begin(self._directory, self._data_dir, self._environment, self._hashing)

    def close(self) -> None:
        """Let nobody in any more."""
        self._hashing.stop()

    def people(self, keys: Callable[[], Collection[str]]) -> IResource:
        """The REST API of users, groups and permission targets; ``keys`` are those of all repositories."""
        return People(self._desk(keys)).resource()

    def access_people(self, keys: Callable[[], Collection[str]]) -> IResource:
        """The same, as ``/access`` has it."""
        return AccessPeople(self._desk(keys)).resource()

    def tokens(self) -> IResource:
        """The REST API of tokens."""
        return self._tokens_api.resource()

    def old_tokens(self) -> IResource:
        """The same, as older scripts ask for them."""
        return OldTokens(self.gate, self._tokens_api).resource()

    def sessions(self) -> IResource:
        """The token server of registries' clients."""
        return TokenServer(self.gate.authority, self._reactor).resource()

    async def admit(self, scope: str, seconds: int, purpose: str) -> Issued:
        """A token for a command of this machine, in the name of an administrator, for as much as its scope says."""
        owner = next((user.name for user in self._directory.every(User) if user.admin and user.enabled), "")
        return await self._issuing.issue(Wish(username=owner, scope=scope, expires_in=seconds, description=purpose[:100]))

    async def forget_repository(self, key: str) -> None:
        """One is about to be removed: nobody has rights in it any more."""
        await self._registering.change(lambda roster: roster.forget_repository(key))

    def commands(self) -> Mapping[bytes, Resource]:
        """What the control socket mounts."""
        users: dict[bytes, Command] = {b"put": self._put_user, b"list": self._users, b"delete": self._delete_user}
        tokens: dict[bytes, Command] = {b"create": self._create, b"list": self._tokens, b"revoke": self._revoke}
        mounted = {}
        for noun, commands in ((b"user", users), (b"token", tokens)):
            mounted[noun] = Resource()
            for verb, command in commands.items():
                mounted[noun].putChild(verb, Post(command))
        return mounted

    @property
    def _tokens_api(self) -> Tokens:
        return Tokens(self.gate, self._issuing, self._exchange)

    def _desk(self, keys: Callable[[], Collection[str]] = tuple) -> Desk:
        return Desk(self.gate, self._registering, keys)

    @property
    def _registering(self) -> Registering:
        return Registering(self._directory, self._hashing, self.gate.events)

    @property
    def _issuing(self) -> Issuing:
        return Issuing(self._directory, self._reactor, self.gate.events)

    async def _put_user(self, target: str) -> Mapping[str, object]:
        new = read(target.encode(), NewUser)

        def user(roster: Roster) -> User:
            known = roster.get(User, new.name.lower()) or roster.new_user(new.name, None)
            return msgspec.structs.replace(known, **said(email=new.email, admin=new.admin))

        kept, _ = await self._desk().keep_user(user, new.password or None)
        return show_user(kept)

    async def _users(self, _: str) -> Sequence[Mapping[str, object]]:
        return [show_user(user) for user in self._directory.every(User)]

    async def _delete_user(self, target: str) -> Mapping[str, object]:
        if not await self._registering.change(lambda roster: roster.remove(User, target.lower())):
            raise RegproxyError(Kind.NOT_FOUND, f"there is no user {target!a}")
        return {"deleted": target.lower()}

    async def _create(self, target: str) -> Issued:
        return await self._issuing.issue(read(target.encode(), Wish))

    async def _tokens(self, _: str) -> Sequence[Mapping[str, object]]:
        return [show_token(row) for row in self._directory.tokens()]

    async def _revoke(self, target: str) -> Mapping[str, object]:
        if not await self._issuing.revoke(target):
            raise RegproxyError(Kind.NOT_FOUND, f"there is no token {target!a}")
        return {"revoked": target}
