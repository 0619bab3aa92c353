"""Where a repository of the hub is kept. Pure.

{type}/{ns}/{name}/_refs.json               branches and tags: with this document the repository begins and ends
{type}/{ns}/{name}/_commits/{commit}.json   one commit
{type}/{ns}/{name}/_trees/{commit}.json     its files
{type}/{ns}/{name}/{commit}/{file}          a file, below the commit that brought it
{type}/{ns}/{name}/_lfs/{sha256}            an object that was sent, and that no commit has named yet, for seven days
{type}/{ns}/{name}/_xet/{day}/{xorb}        what objects are made of that are sent by Xet, for two days
"""

from urllib.parse import quote

from regproxy.formats.huggingface.address import Id
from regproxy.formats.huggingface.local.snapshot import Entry
from regproxy.formats.huggingface.names import folder_of

OBJECTS = "_lfs"
XORBS = "_xet"


def references_place(repo: Id) -> str:
    """Of branches and tags."""
    return f"{folder_of(repo)}/_refs.json"


def commit_place(repo: Id, commit: str) -> str:
    """Of a commit."""
    return f"{folder_of(repo)}/_commits/{commit}.json"


def tree_place(repo: Id, commit: str) -> str:
    """Of a commit's files."""
    return f"{folder_of(repo)}/_trees/{commit}.json"


def file_place(repo: Id, entry: Entry) -> str:
    """Of a file."""
    return f"{folder_of(repo)}/{entry.at}/{entry.path}"


def objects_folder(repo: Id) -> str:
    """Of objects before their commit."""
    return f"{folder_of(repo)}/{OBJECTS}/"


def object_place(repo: Id, oid: str) -> str:
    """Of one of them."""
    return f"{objects_folder(repo)}{oid}"


def xorbs_folder(repo: Id) -> str:
    """Of xorbs."""
    return f"{folder_of(repo)}/{XORBS}/"


def xorb_place(repo: Id, generation: int, xorb: str) -> str:
    """Of a xorb."""
    return f"{xorbs_folder(repo)}{generation}/{xorb}"


def reference_place(repo: Id, name: str) -> str:
    """Where a branch or tag counts as lying, for rights; no node has such a path."""
    return f"{folder_of(repo)}/_refs/{quote(name, safe='')}"


def shown_place(repo: Id, revision: str, path: str) -> str:
    """Where a file of a revision counts as lying, for rights, before it is known which commit has brought it."""
    return f"{folder_of(repo)}/{quote(revision, safe='')}/{path}"
