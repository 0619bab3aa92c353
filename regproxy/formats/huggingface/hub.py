"""One repository as a hub: address → answer. Thin: names, plan and documents are pure, the repository does the rest.

A branch or tag is asked about once a minute; everything that is read of it is read of its commit. So a client sees one state of a
repository, whatever happens upstream meanwhile, and what was fetched stays there when upstream is not.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from attrs import evolve, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import Address, AuthCheck, File, Fixed, Info, PathsInfo, Tree, is_commit
from regproxy.formats.huggingface.documents import asked_paths, entries, next_query, read_commit, without_xet
from regproxy.formats.huggingface.failures import error_text, explained
from regproxy.formats.huggingface.names import EXPANDED, RECURSIVE, Document, api_path, document_want, file_want
from regproxy.formats.huggingface.plan import COMMIT
from regproxy.model.want import DOCUMENT_LIMIT
from regproxy.repo.interface import Answer, Body, Described, Missing, Serving, Text, Unavailable

T = TypeVar("T")

JSON = "application/json; charset=utf-8"
PAGES = 2000
FOLDERS = 20
DEFAULT_BRANCH = "main"
NONSENSE = Unavailable(502, "upstream sent something else than the document that was asked for")
_READER = {
    "type": "user",
    "id": "regproxy",
    "name": "regproxy",
    "fullname": "regproxy",
    "isPro": False,
    "orgs": [],
    "auth": {"type": "access_token", "accessToken": {"displayName": "regproxy", "role": "read"}},
}


@frozen
class Asked:
    """One request, as far as it matters here.

    Attributes:
        address: what is asked for.
        endpoint: the client's ``HF_ENDPOINT``; links lead there.
        body: False for HEAD.
        query: as it was sent.
        authorized: whether the client sent a token; it goes no further.
        content, media_type: of a POST.
    """

    address: Address
    endpoint: str = ""
    body: bool = True
    query: str = ""
    authorized: bool = False
    content: bytes = b""
    media_type: str = ""


class _Nothing(Exception):  # noqa: N818 - no error, but the answer
    """Upstream has no such thing, or cannot be asked: the answer is at hand."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


@frozen
class Hub:
    """Answers for one repository."""

    _serving: Serving

    async def answer(self, asked: Asked) -> Answer:
        """Find what was asked for."""
        match asked.address:
            case Fixed.WHO_AM_I:
                return _who_am_i(authorized=asked.authorized)
            case Fixed.VALIDATE_YAML:
                return _json({"errors": [], "warnings": []})
            case File() | Tree() | PathsInfo() as address:
                return await self._below_commit(address, asked)
            case document:
                try:
                    return await (self._check(document) if isinstance(document, AuthCheck) else self._document(document, asked))
                except _Nothing as nothing:
                    return explained(nothing.answer, document)

    async def _check(self, address: AuthCheck) -> Answer:
        """Whether upstream lets us read it; what it says beside 200 means nothing."""
        await self._read(address, "", len)
        return _json({})

    async def _below_commit(self, address: File | Tree | PathsInfo, asked: Asked) -> Answer:
        commit = ""
        try:
            commit = await self._commit(address)
            match address:
                case File():
                    found = await self._file(evolve(address, revision=commit), body=asked.body)
                    return explained(_of_commit(found, commit), address, commit)
                case PathsInfo(repo):
                    return await self._paths_info(Tree(repo, commit), asked)
                case Tree():
                    return await self._document(evolve(address, revision=commit), asked)
        except _Nothing as nothing:
            return explained(nothing.answer, address, commit)

    async def _file(self, file: File, *, body: bool) -> Answer:
        """A file of a commit.

        Of an empty one no client asks for the body, so a HEAD has to do for it to be kept. In an outage the commit's tree may
        know that there is no such file: transformers asks for many that are not there.
        """
        want = file_want(file, body=body)
        found = await self._serving.repository.resolve(want)
        if isinstance(found, Described) and found.head.length == 0:
            return await self._serving.repository.resolve(evolve(want, body=True))
        if isinstance(found, Unavailable) and await self._is_known_absent(file):
            return Missing(f"there is no {file.path} in this commit")
        return found

    async def _is_known_absent(self, file: File) -> bool:
        """Whether the whole tree of the commit is held, and the file is not in it; upstream is not asked."""
        tree, query = Tree(file.repo, file.revision), RECURSIVE
        for _ in range(PAGES):
            if not self._serving.repository.has(document_want(tree, query).path):
                return False
            found, following = await self._page(tree, query)
            if any(entry.get("path") == file.path for entry in found):
                return False
            if following is None:
                return True
            query = following
        return False

    async def _commit(self, address: File | Tree | PathsInfo) -> str:
        """What a revision means now."""
        if is_commit(address.revision):
            return address.revision
        commit, _ = await self._read(Info(address.repo, address.revision), "", read_commit)
        return commit

    async def _document(self, address: Document, asked: Asked) -> Answer:
        body, found = await self._read_or_same(address, asked.query)
        headers = found.head.kept.only(("x-total-count",)).plus(*self._next(found, address, asked))
        return Text(body, JSON, headers=headers, origin=found.origin, age=found.age)

    def _next(self, found: Body, address: Document, asked: Asked) -> list[tuple[str, str]]:
        """The link to the next page: absolute, for clients read no other, and ours, for they would send their token there."""
        query = next_query(found.head.kept.first("link"))
        return [("link", f'<{asked.endpoint}/{api_path(address)}?{query}>; rel="next"')] if query else []

    async def _paths_info(self, tree: Tree, asked: Asked) -> Answer:
        """Look the paths up in the commit's whole tree, which clients ask for anyway, and which does not change.

        Pages of an expanded tree are small and do change: then their folders are listed, as long as they are few.
        """
        try:
            paths, expand = asked_paths(asked.content, asked.media_type)
        except (ValueError, RecursionError) as error:
            raise RegproxyError(Kind.INVALID, "the body names no paths") from error
        wanted = set(paths)
        folders = {path.rpartition("/")[0] for path in wanted}
        if not expand:
            return _json(await self._found(tree, RECURSIVE, wanted))
        if len(folders) > FOLDERS:
            return _json(await self._found(tree, f"{EXPANDED}&{RECURSIVE}", wanted))
        found = []
        for folder in sorted(folders):
            inside = {path for path in wanted if path.rpartition("/")[0] == folder}
            try:
                found += await self._found(evolve(tree, folder=folder), EXPANDED, inside)
            except _Nothing as nothing:
                if not isinstance(nothing.answer, Missing):
                    raise
        return _json(found)

    async def _found(self, tree: Tree, start: str, wanted: set[str]) -> list[dict[str, Any]]:
        """The entries of these paths in a tree, read from its page ``start`` until all are found."""
        found: list[dict[str, Any]] = []
        query: str | None = start
        for _ in range(PAGES):
            if query is None or len(found) >= len(wanted):
                break
            page, query = await self._page(tree, query)
            found += [entry for entry in page if entry.get("path") in wanted]
        return found

    async def _page(self, tree: Tree, query: str) -> tuple[list[dict[str, Any]], str | None]:
        """One page of a tree, and the query of the next."""
        page, found = await self._read(tree, query, entries)
        return page, next_query(found.head.kept.first("link"))

    async def _read_or_same(self, address: Document, query: str) -> tuple[bytes, Body]:
        """What is shown of a document; in an outage, of a commit, that of the default branch if it is held and means it."""
        try:
            return await self._read(address, query, without_xet)
        except _Nothing as nothing:
            outage = isinstance(nothing.answer, Unavailable)
            if not outage or query or not isinstance(address, Info) or not is_commit(address.revision):
                raise
            branch = Info(address.repo, DEFAULT_BRANCH)
            if not self._serving.repository.has(document_want(branch).path):
                raise
            (commit, shown), found = await self._read(branch, query, lambda data: (read_commit(data), without_xet(data)))
            if commit != address.revision:
                raise
            return shown, found

    async def _read(self, address: Document, query: str, parse: Callable[[bytes], T]) -> tuple[T, Body]:
        found = await self._serving.repository.resolve(document_want(address, query))
        if not isinstance(found, Body):
            raise _Nothing(found)
        try:
            return await self._serving.parse(found, DOCUMENT_LIMIT, parse), found
        except (ValueError, RecursionError):
            raise _Nothing(NONSENSE) from None


def _of_commit(found: Answer, commit: str) -> Answer:
    """A file with the commit that it is of: the one that was asked for, whatever upstream calls it."""
    match found:
        case Body(head) | Described(head):
            return found.showing(evolve(head, kept=head.kept.plus((COMMIT, commit))))
        case _:
            return found


def _who_am_i(*, authorized: bool) -> Text:
    """Nobody in particular; never the owner of the token that upstream is asked with."""
    if authorized:
        return _json(_READER)
    return error_text(401, "Unauthorized", "Invalid credentials in Authorization header")


def _json(content: object) -> Text:
    return Text(msgspec.json.encode(content), JSON)
