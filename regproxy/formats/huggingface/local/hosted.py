"""A local repository as a hub: what is asked of it. What is put into it: ``committing.py``, ``changing.py``, ``objects.py``."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from attrs import evolve, frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import (
    NO_NAMESPACE,
    AuthCheck,
    Commits,
    File,
    Id,
    Info,
    Listing,
    PathsInfo,
    Refs,
    Tree,
)
from regproxy.formats.huggingface.documents import asked_paths
from regproxy.formats.huggingface.failures import ENTRY, NO_HEADERS, error_text, reading
from regproxy.formats.huggingface.hub import JSON, Asked
from regproxy.formats.huggingface.local.archive import Archive, State
from regproxy.formats.huggingface.local.listing import (
    EXPANDED_PAGE,
    PAGE,
    About,
    Page,
    commit_json,
    entry_json,
    info_json,
    last_json,
)
from regproxy.formats.huggingface.local.places import file_place
from regproxy.formats.huggingface.local.snapshot import Entry, Folder, Snapshot
from regproxy.formats.huggingface.names import api_path, folder_of
from regproxy.formats.huggingface.plan import COMMIT, LINKED_ETAG, LINKED_SIZE, OCTETS
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.model.size import parse_size
from regproxy.model.want import Shape, Want
from regproxy.repo.interface import Answer, Body, Missing, Refused, Serving, Text

Read = File | Tree | PathsInfo | Info | Refs | Commits | Listing | AuthCheck


@frozen
class Hosted:
    """Answers for one repository; ``permit`` raises unless who asks may read a path, ``sees`` says whether he may."""

    _serving: Serving
    _archive: Archive
    _permit: Callable[[str], object]
    _sees: Callable[[str], bool]

    async def answer(self, address: Read, asked: Asked) -> Answer:
        """Find what was asked for; ``AddressError`` for what is not there, or closed to everybody."""
        with reading():
            return await self._answer(address, asked)

    async def _answer(self, address: Read, asked: Asked) -> Answer:
        match address:
            case Listing():
                return await self._listing(address, asked)
            case Refs(repo):
                return Text((await self._archive.known(repo)).references.to_json(), JSON)
            case AuthCheck(repo):
                await self._archive.known(repo)
                return to_json({})
            case _:
                return await self._at(address, await self._archive.state(address.repo, address.revision), asked)

    async def _at(self, address: File | Tree | PathsInfo | Info | Commits, state: State, asked: Asked) -> Answer:
        match address:
            case File():
                return await self._file(state, address.path, asked)
            case Tree():
                return await self._tree(address, state, asked)
            case PathsInfo():
                return await self._paths_info(state, asked)
            case Info():
                return await self._info(state, asked)
            case Commits():
                return await self._commits(address, state, asked)

    async def _file(self, state: State, path: str, asked: Asked) -> Answer:
        entry = state.snapshot.files.get(path)
        if entry is None:
            return _no_entry(state, path)
        place = file_place(state.repo, entry)
        self._permit(place)
        found = await self._serving.repository.resolve(Want(place, Shape.BLOB, body=asked.body))
        match found:
            case Body(head):
                told = [(COMMIT, state.shown)]
                if entry.is_lfs and entry.size > self._xet_from:
                    address = f"{asked.endpoint}/api/{state.repo.type.value}/{state.repo}/xet-read-token/{state.shown}"
                    told += [("x-xet-hash", entry.sha256), ("link", f'<{address}>; rel="xet-auth"')]
                return found.showing(evolve(head, kept=head.kept.plus(*told)))
            case Missing():
                raise RegproxyError(Kind.STORAGE, "the bytes of this file are lost", detail=place)
            case Refused(_, reason):
                raise RegproxyError(Kind.DENIED, reason)
            case _:
                return found

    @property
    def _xet_from(self) -> int:
        return parse_size(self._serving.repository.settings.xet_from)

    async def _tree(self, address: Tree, state: State, asked: Asked) -> Answer:
        paths = await self._serving.apart(lambda: _paths(state.snapshot, address.folder, asked.query))
        if paths is None:
            return _no_entry(state, address.folder)
        page = _tree_page(asked.query)
        part, following = page.cut(paths)
        found = [each for each in map(state.snapshot.find, part) if each is not None]
        rows = await self._rows(state, found, expand=page.is_said("expand"))
        return to_json(rows, self._link(evolve(address, revision=state.shown), asked, following))

    async def _rows(self, state: State, found: Sequence[Entry | Folder], *, expand: bool) -> list[dict[str, Any]]:
        rows = [entry_json(each, self._xet_from) for each in found]
        if expand:
            for row, each in zip(rows, found, strict=True):
                row["lastCommit"] = await self._last(state, each)
                row["securityFileStatus"] = None
        return rows

    async def _last(self, state: State, entry: Entry | Folder) -> dict[str, Any] | None:
        """The last commit that has changed a file, or anything below a folder, as far as history is kept."""
        files = state.snapshot.files
        ids = [entry.at] if isinstance(entry, Entry) else {files[path].at for path in state.snapshot.below(entry.path)}
        known = [(each, about) for each in ids if (about := await self._archive.commit(state.repo, each)) is not None]
        if not known:
            about = await self._archive.commit(state.repo, state.commit)
            return None if about is None else last_json(state.shown, about)
        return last_json(*max(known, key=lambda pair: pair[1].seconds))

    async def _paths_info(self, state: State, asked: Asked) -> Text:
        try:
            paths, expand = asked_paths(asked.content, asked.media_type)
        except (ValueError, RecursionError) as error:
            raise RegproxyError(Kind.INVALID, "the body names no paths") from error
        found = [each for each in map(state.snapshot.find, dict.fromkeys(paths)) if each is not None]
        return to_json(await self._rows(state, found, expand=expand))

    async def _info(self, state: State, asked: Asked) -> Text:
        blobs = Page.of(asked.query, PAGE).is_said("blobs")
        about = await self._about(state.repo, state.commit, state.shown)
        return Text(await self._serving.apart(lambda: msgspec.json.encode(info_json(about, state.snapshot, blobs=blobs))), JSON)

    async def _about(self, repo: Id, commit: str, shown: str) -> About:
        read = await self._archive.known(repo)
        return About(repo, shown, read.node.created, await self._archive.commit(repo, commit))

    async def _commits(self, address: Commits, state: State, asked: Asked) -> Text:
        page = Page.of(asked.query, EXPANDED_PAGE)
        found = await self._archive.history(state.repo, page.after or state.commit, page.limit + 1)
        following = Page.of(f"limit={page.limit}&cursor={found[-1][0]}", page.limit) if len(found) > page.limit else None
        query = None if following is None else "&".join(f"{name}={value}" for name, value in following.query.items())
        rows = [commit_json(*each) for each in found[: page.limit]]
        return to_json(rows, self._link(evolve(address, revision=state.shown), asked, query))

    async def _listing(self, address: Listing, asked: Asked) -> Text:
        if self._serving.repository.settings.blacked_out:
            raise RegproxyError(Kind.DENIED, f"repository {self._serving.repository.key} is blacked out")
        page = Page.of(asked.query, PAGE)
        repos = {str(repo): repo for repo in await self._repos(address)}
        wanted, author = page.query.get("search", "").lower(), page.query.get("author", "")
        names = sorted(name for name, repo in repos.items() if wanted in name.lower() and author in ("", repo.namespace))
        part, following = page.cut([] if "filter" in page.query else names)
        rows = []
        for name in part:
            read = await self._archive.references(repos[name])
            commit = None if read is None else read.references.commit(read.references.default)
            if commit is not None:
                rows.append(info_json(await self._about(repos[name], commit, commit), None))
        return to_json(rows, self._link(address, asked, following))

    async def _repos(self, address: Listing) -> Sequence[Id]:
        """Those that are there for who asks."""
        tree, top, found = self._serving.tree, f"{address.type.value}/", []
        for namespace in await tree.children(top):
            for each in await tree.children(f"{top}{namespace.name}/"):
                repo = Id(address.type, "" if namespace.name == NO_NAMESPACE else namespace.name, each.name)
                if each.node is None and self._archive.is_open(repo) and self._sees(f"{folder_of(repo)}/_info.json"):
                    found.append(repo)
        return found

    def _link(self, address: Tree | Commits | Listing, asked: Asked, query: str | None) -> Headers:
        """The link to the next page: absolute, for clients read no other."""
        return Headers.of(link=f'<{asked.endpoint}/{api_path(address)}?{query}>; rel="next"') if query else Headers()


def head_of(entry: Entry) -> Head:
    """What downloads of a file say."""
    etag = f'"{entry.etag}"'
    linked = Headers(((LINKED_ETAG, etag), (LINKED_SIZE, str(entry.size)))) if entry.is_lfs else Headers()
    return Head(media_type=OCTETS, etag=etag, kept=linked)


def to_json(content: object, headers: Headers = NO_HEADERS) -> Text:
    """An answer of the API."""
    return Text(msgspec.json.encode(content), JSON, headers=headers)


def _tree_page(query: str) -> Page:
    page = Page.of(query, PAGE)
    return Page.of(query, EXPANDED_PAGE, EXPANDED_PAGE) if page.is_said("expand") else page


def _paths(snapshot: Snapshot, folder: str, query: str) -> Sequence[str] | None:
    return snapshot.inside(folder, recursive=Page.of(query, PAGE).is_said("recursive"))


def _no_entry(state: State, path: str) -> Text:
    text = f"there is no {path[:200]!a} in this revision"
    return error_text(404, ENTRY, text, Headers(((COMMIT, state.shown),)))
