"""Short words for single changes of a directory."""

from twisted.internet.defer import Deferred

from regproxy.index.interface_directory import Directory
from regproxy.model.principals import Entry, TokenRow


def put(directory: Directory, entry: Entry, *, replace: bool = True) -> Deferred[bool]:
    """Keep an entry."""
    return directory.change(lambda ledger: ledger.put(entry, replace=replace))


def remove(directory: Directory, kind: type[Entry], name: str) -> Deferred[bool]:
    """Forget one."""
    return directory.change(lambda ledger: ledger.remove(kind, name))


def add(directory: Directory, token: TokenRow, now: float) -> Deferred[None]:
    """Keep a token."""
    return directory.change(lambda ledger: ledger.add(token, now))


def revoke(directory: Directory, identifier: str) -> Deferred[bool]:
    """Forget one."""
    return directory.change(lambda ledger: ledger.revoke(identifier))
