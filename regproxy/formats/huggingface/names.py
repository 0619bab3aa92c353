"""Where a hub's things are kept: address → want. Pure.

    {type}/{ns}/{name}/{commit}/{file}                 a file; a one-segment id has the namespace "_"
    {type}/{ns}/{name}/_refs/{revision}[?query]        what is known of a revision, its commit first of all
    {type}/{ns}/{name}/_trees/{commit}.json[?query]    one page of a commit's tree
    {type}/{ns}/{name}/_trees/{commit}/{folder}.json[?query]
    {type}/{ns}/{name}/_commits/{revision}.json[?query]
    {type}/{ns}/{name}/_refs.json[?query]              branches and tags
    {type}/{ns}/{name}/_info.json[?query]              what is known of its default branch
    {type}/{ns}/{name}/_auth-check                     that upstream lets us read it
    {type}/_list.json[?digest]                         one page of a search, by its query's digest

Revisions are percent-encoded, each is one segment; a folder keeps its slashes. Queries are canonical: booleans in lower case,
sorted, without what says nothing; so one document serves clients of all ages. What somebody has searched for is his own
business: whoever may see that a node is there reads its name, but not the query out of it.
"""

import hashlib
from urllib.parse import parse_qsl, quote, urlencode

from regproxy.errors import Kind
from regproxy.formats.huggingface.address import (
    NO_NAMESPACE,
    Address,
    AddressError,
    AuthCheck,
    Commits,
    File,
    Id,
    Info,
    Listing,
    PathsInfo,
    Refs,
    Tree,
    Type,
)
from regproxy.formats.huggingface.table import RULES
from regproxy.model.freshness import rule_for
from regproxy.model.want import Want

QUERY_LIMIT = 4096
RECURSIVE = "recursive=true"
EXPANDED = "expand=true"

_FIELDS = 64
_DIGITS = 32
_OF_TREES = frozenset({"recursive", "expand", "cursor", "limit"})
_FALSE = "false"

Document = Tree | Info | Refs | Commits | Listing | AuthCheck


def file_want(file: File, *, body: bool) -> Want:
    """A file of a commit: ``file.revision`` must be a full commit id."""
    path = f"{folder_of(file.repo)}/{file.revision}/{file.path}"
    upstream = f"{_files_of(file.repo)}/resolve/{file.revision}/{quote(file.path)}"
    return _want(path, upstream, file.repo, file.revision, body=body)


def document_want(address: Document, query: str = "") -> Want:
    """A document of the API; the revision of a ``Tree`` must be a full commit id: it is kept for ever."""
    asked = tree_query(query) if isinstance(address, Tree) else canonical(query)
    path, upstream = _places(address)
    called = hashlib.sha256(asked.encode()).hexdigest()[:_DIGITS] if asked and isinstance(address, Listing) else asked
    name = f"{path}?{called}" if called else path
    upstream = f"{upstream}?{asked}" if asked else upstream
    repo = None if isinstance(address, Listing) else address.repo
    return _want(name, upstream, repo, getattr(address, "revision", ""))


def node_of(address: Address) -> str:
    """Where the answer lies, as far as the address alone says it; empty for what is no node."""
    match address:
        case File(repo, revision, path):
            return f"{folder_of(repo)}/{_one(revision)}/{path}"
        case PathsInfo(repo, revision):
            return _places(Tree(repo, revision))[0]
        case Tree() | Info() | Refs() | Commits() | Listing() | AuthCheck():
            return _places(address)[0]
        case _:
            return ""


def api_path(address: Document) -> str:
    """The path of a document below an endpoint, encoded."""
    return _places(address)[1]


def folder_of(repo: Id) -> str:
    """Where the nodes of a hub's repository lie."""
    return f"{repo.type.value}/{repo.namespace or NO_NAMESPACE}/{repo.name}"


def canonical(query: str) -> str:
    """A query as every client could have written it; ``AddressError`` for an absurd one."""
    return urlencode(_pairs(query))


def tree_query(query: str) -> str:
    """As ``canonical``, of a tree: only what it knows, and no "false", which is what it does anyway."""
    return urlencode([(name, value) for name, value in _pairs(query) if name in _OF_TREES and value != _FALSE])


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_FIELDS) if len(query) <= QUERY_LIMIT else None
    except ValueError:
        pairs = None
    if pairs is None:
        raise AddressError(Kind.INVALID, "BadRequest", "the query is too long")
    return sorted((name, value.lower() if value in ("True", "False") else value) for name, value in pairs)


def _places(address: Document) -> tuple[str, str]:
    """Path of the node, and path below the endpoint."""
    if isinstance(address, Listing):
        return f"{address.type.value}/_list.json", f"api/{address.type.value}"
    folder, call = folder_of(address.repo), f"api/{address.repo.type.value}/{address.repo}"
    node, verb = _below_repository(address)
    return f"{folder}/{node}", f"{call}/{verb}" if verb else call


def _below_repository(address: Tree | Info | Refs | Commits | AuthCheck) -> tuple[str, str]:
    match address:
        case Tree(_, revision, folder):
            below = f"/{quote(folder)}" if folder else ""
            return f"_trees/{_one(revision)}{below}.json", "/".join(["tree", _one(revision), *([_one(folder)] if folder else [])])
        case Info(_, ""):
            return "_info.json", ""
        case Info(_, revision):
            return f"_refs/{_one(revision)}", f"revision/{_one(revision)}"
        case Commits(_, revision):
            return f"_commits/{_one(revision)}.json", f"commits/{_one(revision)}"
        case Refs():
            return "_refs.json", "refs"
        case AuthCheck():
            return "_auth-check", "auth-check"


def _one(text: str) -> str:
    return quote(text, safe="")


def _files_of(repo: Id) -> str:
    return str(repo) if repo.type is Type.MODELS else f"{repo.type.value}/{repo}"


def _want(path: str, upstream: str, repo: Id | None, revision: str, *, body: bool = True) -> Want:
    shape = rule_for(RULES, path).shape
    return Want(path, shape, body=body, name=str(repo or ""), version=revision, upstream=upstream)
