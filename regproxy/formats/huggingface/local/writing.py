"""What is put into a local repository and taken out of it, call by call. Whatever is refused has changed nothing."""

from collections.abc import Mapping, Sequence

from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import AddressError, Id
from regproxy.formats.huggingface.failures import bad_address
from regproxy.formats.huggingface.hub import JSON
from regproxy.formats.huggingface.local import asked, calls
from regproxy.formats.huggingface.local.changing import Changing, ExistsError
from regproxy.formats.huggingface.local.committing import Committer, Committing
from regproxy.formats.huggingface.local.hosted import to_json
from regproxy.formats.huggingface.local.objects import Objects
from regproxy.formats.huggingface.local.places import objects_folder, reference_place, references_place, shown_place, xorbs_folder
from regproxy.formats.huggingface.local.publishing import Publisher
from regproxy.formats.huggingface.local.snapshot import Entry
from regproxy.formats.huggingface.names import folder_of
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS
from regproxy.repo.interface import Text
from regproxy.stream.apart import apart
from regproxy.web.body import read_whole
from regproxy.web.errors import STATUS
from regproxy.web.request import ProxyRequest

QUESTION_LIMIT = 4 << 20
_OLD = "hf_hub/0."
_NO = (b"", b"0", b"false", b"False")


@frozen
class Writing:
    """One request; ``endpoint`` is the client's ``HF_ENDPOINT``."""

    _publisher: Publisher
    _request: ProxyRequest
    _endpoint: str

    async def answer(self, call: calls.Call) -> Text:
        """Do what is asked; ``AddressError`` for what cannot be done, or makes no sense."""
        match self._request.method, call:
            case b"POST", calls.NewCommit():
                return await self._commit(call)
            case b"POST", calls.Preupload():
                return await self._preupload(call)
            case b"POST" | b"DELETE", calls.Repos():
                return await self._repository(call)
            case b"POST" | b"DELETE", calls.Branch() | calls.Tag() | calls.Squash():
                return await self._reference(call)
            case b"POST" | b"PUT", calls.Batch() | calls.Object() | calls.Verify() | calls.Pieces():
                return await self._object(call)
        raise not_there()

    async def _object(self, call: calls.Call) -> Text:
        objects = Objects(self._publisher.serving, self._publisher.repository, self._request, self._endpoint)
        match self._request.method, call:
            case b"POST", calls.Batch():
                return await objects.batch(call, asked.read(await self._body(), asked.Batch))
            case b"PUT", calls.Object():
                return await objects.put(call)
            case b"POST", calls.Verify():
                return await objects.verify(call, asked.read(await self._body(), asked.Object))
            case b"PUT", calls.Pieces() if call.number:
                return await objects.put_part(call)
            case b"POST", calls.Pieces():
                await self._body()
                return await objects.complete(call)
        raise not_there()

    async def _commit(self, call: calls.NewCommit) -> Text:
        self._permit_change(call)
        committing = Committing(self._publisher, call, self._committer, int(self._request.began))
        commit = await apart(committing.run(self._request.body), f"a commit to {self._publisher.repository.key}")
        url = f"{self._page(call.repo)}/commit/{commit}"
        return to_json({"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})

    def _permit_change(self, call: calls.NewCommit | calls.Preupload) -> None:
        """Refuse what can be refused before its body."""
        self._request.node = reference_place(call.repo, call.revision)
        self._publisher.serving.permit(self._request, Action.WRITE, self._request.node)
        if (self._request.args or {}).get(b"create_pr", [b"0"])[0] not in _NO:
            text = "pull requests are not served here: commit to a branch of your own (create_pr=False, revision=...)"
            raise AddressError(Kind.INVALID, "NotSupported", text)
        if not call.repo.namespace:
            text = f"a repository here is called namespace/name, and not {call.repo.name!a} alone"
            raise AddressError(Kind.INVALID, "BadRequest", text)

    async def _preupload(self, call: calls.Preupload) -> Text:
        self._permit_change(call)
        body = await self._body()
        said = await self._publisher.serving.apart(lambda: asked.read(body, asked.Preupload))
        held = await self._held(call)
        await self._check_room(call, said.files, held)
        rows = []
        for each in said.files:
            entry = held.get(each.path)
            oid = entry.etag if entry is not None and entry.is_lfs == each.is_lfs and self._sees(call, each.path) else None
            mode = "lfs" if each.is_lfs else "regular"
            rows.append({"path": each.path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return to_json({"files": rows})

    async def _check_room(self, call: calls.Preupload, files: Sequence[asked.File], held: Mapping[str, Entry]) -> None:
        """Refuse here what the repository has no room for: of an upload by Xet that is refused later, clients show no reason.

        A file whose size has not changed may be sent for nothing, and what was sent before and waits for its commit has its room.
        """
        new = sum(each.size for each in files if each.path not in held or held[each.path].size != each.size)
        waiting = await self._publisher.serving.tree.children(objects_folder(call.repo)) if new else ()
        self._publisher.repository.check_room(new - sum(each.node.size for each in waiting if each.node is not None))

    async def _held(self, call: calls.Preupload) -> Mapping[str, Entry]:
        """The files of a revision; none of one that is still to be made.

        A client of generation 0 that finds nothing changed fails on the address that it makes of an endpoint with a path; told
        nothing, it sends a commit that changes nothing, and is content.
        """
        if _OLD in (self._request.getHeader("user-agent") or ""):
            return {}
        try:
            return (await self._publisher.archive.state(call.repo, call.revision)).snapshot.files
        except AddressError:
            return {}

    def _sees(self, call: calls.Preupload, path: str) -> bool:
        return self._publisher.serving.permits(self._request, Action.READ, shown_place(call.repo, call.revision, path))

    async def _repository(self, call: calls.Repos) -> Text:
        if (self._request.method, call.verb) not in ((b"POST", "create"), (b"DELETE", "delete")):
            raise not_there()
        said = asked.read(await self._body(), asked.NewRepo)
        repo = calls.repo_of(said.type or "", said.organization, said.name, self._committer.who)
        if call.verb == "delete":
            return await self.delete(repo)
        about = {"url": self._page(repo), "name": str(repo), "id": str(repo)}
        try:
            await self._create(repo)
        except ExistsError as error:
            found = bad_address(error, STATUS[error.kind])
            return Text(to_json({"error": error.text, **about}).body, JSON, headers=found.headers, status=found.status)
        return to_json(about)

    async def _create(self, repo: Id) -> None:
        """``ExistsError`` also for who may read it and make none: clients of generation 0 that make sure that it is there before
        an upload fail on a refusal, without its reason, and hear that of the upload otherwise.
        """
        try:
            await apart(self._changing.create(repo), "a new repository")
        except RegproxyError as error:
            serving, place = self._publisher.serving, references_place(repo)
            if error.kind is not Kind.DENIED or not serving.permits(self._request, Action.READ, place):
                raise
            if await self._publisher.archive.references(repo) is None:
                raise
            raise ExistsError(f"{repo} is there already") from error

    async def delete(self, repo: Id) -> Text:
        """Delete a repository."""
        serving, folder = self._publisher.serving, f"{folder_of(repo)}/"
        self._request.node = folder
        serving.permit(self._request, Action.DELETE, references_place(repo))
        await self._publisher.archive.known(repo)
        await serving.permit_below(self._request, Action.DELETE, folder)
        await serving.tree.remove(xorbs_folder(repo))
        await self._publisher.repository.delete(folder)
        return to_json({})

    async def _reference(self, call: calls.Branch | calls.Tag | calls.Squash) -> Text:
        changing, body = self._changing, await self._body()
        match self._request.method, call:
            case b"POST", calls.Branch():
                change = changing.add_branch(call, asked.read(body, asked.NewBranch).starting_point or "")
            case b"DELETE", calls.Branch():
                change = changing.remove_branch(call)
            case b"POST", calls.Tag():
                change = changing.add_tag(call, asked.read(body, asked.NewTag).tag)
            case b"DELETE", calls.Tag():
                change = changing.remove_tag(call)
            case b"POST", calls.Squash():
                change = changing.squash(call, asked.read(body, asked.NewSquash).message)
            case _:
                raise not_there()
        await apart(change, f"a change of {self._publisher.repository.key}")
        return to_json({})

    async def _body(self) -> bytes:
        """A body that is a question; that of a DELETE has come before."""
        request = self._request
        if request.method == b"DELETE":
            found: bytes = b"" if request.content is None else request.content.read()
            return found
        return await read_whole(request.body, QUESTION_LIMIT)

    @property
    def _changing(self) -> Changing:
        return Changing(self._publisher, self._committer, int(self._request.began))

    @property
    def _committer(self) -> Committer:
        serving, request = self._publisher.serving, self._request
        return Committer(
            name_of(request),
            lambda action, path: serving.permit(request, action, path),
            lambda node: serving.sees(request, node),
        )

    def _page(self, repo: Id) -> str:
        """The address of a repository that every client can read the id out of."""
        return f"{self._endpoint}/{repo.type.value}/{repo}"


def name_of(request: ProxyRequest) -> str:
    """Who asks."""
    return ANONYMOUS if request.principal is None else request.principal.name


def not_there() -> AddressError:
    """The method is none of the address."""
    return AddressError(Kind.METHOD_NOT_ALLOWED, "MethodNotAllowed", "that cannot be done there")
