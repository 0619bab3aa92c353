"""Puts what the files of ``passwordFile`` and ``tokenFile`` hold where the rest of the program looks for passwords and tokens,
and finds the programs of ``credentialHelper``.

A mistake names the key and the kind of trouble, never what the file holds. Paths are relative to the configuration file.
"""

import os
import shutil
from pathlib import Path
from typing import TypeVar

import msgspec
from attrs import define

from regproxy.config_reading import Mistakes
from regproxy.model.settings import ClientCertificate, Configuration, Issuer, Listener, Proxy, RepositorySettings, Webhook

LIMIT = 64 << 10
HELPER_PREFIX = "docker-credential-"

Owner = TypeVar("Owner", RepositorySettings, Proxy, Webhook)

_PAIRS = (
    ("password", "password_file", "passwordFile"),
    ("token", "token_file", "tokenFile"),
    ("secret", "secret_file", "secretFile"),
)


def read_text(path: Path) -> str | None:
    """The file without the line ends at its end; None if it is no file of text, empty, or larger than any secret."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
        text = content.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if text and len(content) <= LIMIT and "\n" not in text else None


def is_readable(path: Path) -> bool:
    """Whether this process may read it as a file."""
    return path.is_file() and os.access(path, os.R_OK)


def is_writable(path: Path) -> bool:
    """Whether this process may append to a file, or make it."""
    return path.is_file() and os.access(path, os.W_OK) if path.exists() else os.access(path.parent, os.W_OK | os.X_OK)


def with_secrets(owner: Owner, where: str, folder: Path, mistakes: Mistakes) -> Owner:
    """Read the secret files of one repository or proxy."""
    found: dict[str, str] = {}
    name = owner.name if isinstance(owner, Webhook) else owner.key
    for value, file, written in _PAIRS:
        path = getattr(owner, file, "")
        if not path:
            continue
        if getattr(owner, value):
            mistakes.add(f"{where}.{written}", f"expected this or {value}, not both", name)
            continue
        text = read_text(folder / path)
        if text is None:
            mistakes.add(f"{where}.{written}", "expected a readable file that holds one line of text", name)
        else:
            found[value] = text
    return msgspec.structs.replace(owner, **found)


@define
class _Files:
    """Makes the paths of other files absolute, and notes those that cannot be read."""

    folder: Path
    mistakes: Mistakes

    def path(self, text: str, key: str, name: str = "") -> str:
        full = (self.folder / text).absolute()
        if not is_readable(full):
            self.mistakes.add(key, "expected a readable file", name)
        return str(full)

    def repository(self, item: RepositorySettings, where: str) -> RepositorySettings:
        filled = with_secrets(item, where, self.folder, self.mistakes)
        if filled.credential_helper:
            filled = self.program(filled, f"{where}.credentialHelper")
        if not filled.ca_file:
            return filled
        return msgspec.structs.replace(filled, ca_file=self.path(filled.ca_file, f"{where}.caFile", item.key))

    def webhook(self, item: Webhook, where: str) -> Webhook:
        filled = with_secrets(item, where, self.folder, self.mistakes)
        if not filled.ca_file:
            return filled
        return msgspec.structs.replace(filled, ca_file=self.path(filled.ca_file, f"{where}.caFile", item.name))

    def issuer(self, item: Issuer, where: str) -> Issuer:
        return (
            msgspec.structs.replace(item, ca_file=self.path(item.ca_file, f"{where}.caFile", item.name)) if item.ca_file else item
        )

    def program(self, item: RepositorySettings, key: str) -> RepositorySettings:
        """Find the program: a path, or a name on the PATH, where ``docker-credential-`` may be left out as docker has it."""
        name, *words = item.credential_helper
        names = [str((self.folder / name).absolute())] if "/" in name else [name, f"{HELPER_PREFIX}{name}"]
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None:
            self.mistakes.add(key, "expected a program that can be run", item.key)
            return item
        return msgspec.structs.replace(item, credential_helper=(found, *words))

    def certificate(self, item: ClientCertificate, where: str) -> ClientCertificate:
        certificate, key = self.path(item.certificate, f"{where}.certificate"), self.path(item.key, f"{where}.key")
        return msgspec.structs.replace(item, certificate=certificate, key=key)

    def listener(self, item: Listener, where: str) -> Listener:
        certificate, key = self.path(item.certificate, f"{where}.certificate"), self.path(item.key, f"{where}.key")
        client_ca = self.path(item.client_ca, f"{where}.clientCa") if item.client_ca else ""
        return msgspec.structs.replace(item, certificate=certificate, key=key, client_ca=client_ca)


def resolved(configuration: Configuration, folder: Path, mistakes: Mistakes) -> Configuration:
    """Read all secret files, and make the paths of certificates and authorities absolute; each must be readable."""
    files = _Files(folder, mistakes)
    server, log = configuration.server, configuration.log
    if log.access_file and not is_writable(Path(log.access_file)):
        mistakes.add("log.accessFile", "expected a file that can be written, in a folder that is there")
    listeners = tuple(files.listener(item, f"server.listener[{n}]") for n, item in enumerate(server.listener))
    return msgspec.structs.replace(
        configuration,
        repository=tuple(files.repository(item, f"repository[{n}]") for n, item in enumerate(configuration.repository)),
        certificate=tuple(files.certificate(item, f"certificate[{n}]") for n, item in enumerate(configuration.certificate)),
        proxy=tuple(with_secrets(item, f"proxy[{n}]", folder, mistakes) for n, item in enumerate(configuration.proxy)),
        oidc=tuple(files.issuer(item, f"oidc[{n}]") for n, item in enumerate(configuration.oidc)),
        webhook=tuple(files.webhook(item, f"webhook[{n}]") for n, item in enumerate(configuration.webhook)),
        server=msgspec.structs.replace(server, listener=listeners),
    )
