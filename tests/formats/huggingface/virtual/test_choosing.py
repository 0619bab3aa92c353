"""Whose a repository of the hub is: order, names of local ones, gates, outages, and what is remembered."""

import pytest
import pytest_twisted
from attrs import evolve

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.failures import GATED, REVISION
from regproxy.formats.huggingface.failures import REPO as NO_REPO
from regproxy.formats.huggingface.plan import CODE, MESSAGE, PLACE
from regproxy.formats.huggingface.virtual.choosing import SECONDS, Choosing
from regproxy.model.head import Head
from regproxy.model.headers import Headers
from regproxy.repo.interface import Answer, Missing, Refused, Serving, Text, Unavailable
from tests.formats.huggingface.virtual.scene import CHECK, INFO, REPO, Bytes, Member, asking, document, local, remote, several

INFO_OF_NO_BRANCH = "_info.json"
PATH = "models/acme/tiny/main/a"
NO_BRANCH = Missing("no", Headers(((CODE, REVISION),)))
HAS = {INFO: document()}
SHOWS = {INFO: document(b'{"gated": "auto"}')}
CLOSED: dict[str, Answer] = {**SHOWS, CHECK: Refused(403, "ask for it")}
OTHER = evolve(REPO, name="other")
CALLED = {INFO: document(b'{"id": "acme/Other"}')}
LED: dict[str, Answer] = {
    INFO: evolve(document(), head=Head(kept=Headers(((PLACE, "/hub/api/models/acme/other/revision/main"),))))
}
DOWN = {INFO: Unavailable(503, "down")}
PRIVATE = {INFO: Refused(401, "no", Headers(((MESSAGE, "Invalid username or password."),)))}
REFUSING = {INFO: Refused(403, "no", Headers(((CODE, GATED), (MESSAGE, "restricted"))))}


async def choose(*members: Member, shared: bool = False) -> Serving | Answer:
    """Ask for the file."""
    return await Choosing(several(*members, shared=shared)).choose(asking(), REPO, PATH)


@pytest.mark.parametrize(
    ("members", "at"),
    [
        ([remote("a"), remote("b", HAS)], 1),
        ([remote("a", HAS), remote("b", HAS)], 0),
        ([remote("a", HAS), local(holds=True)], 1),
        ([remote("a", HAS), local()], 0),
        ([remote("a", HAS), remote("b", HAS, holds=True)], 1),
        ([local(holds=True), remote("b", HAS, priority_resolution=True)], 1),
        ([local("x"), local("y", holds=True)], 1),
        ([local("x", holds=True, hidden=Kind.NOT_FOUND), local("y", holds=True)], 1),
        ([remote("a", DOWN), remote("b", HAS)], 1),
        ([remote("a", DOWN, holds=True), remote("b", HAS)], 0),
        ([remote("a", holds=True), remote("b", HAS)], 0),
        ([remote("a", PRIVATE), remote("b", HAS)], 1),
        ([remote("a", REFUSING), remote("b", HAS)], 1),
        ([remote("a", CLOSED), remote("b", HAS)], 1),
        ([remote("a", CLOSED, holds=True), remote("b", HAS)], 1),
        ([remote("a", SHOWS), remote("b", HAS)], 0),
        ([remote("a"), remote("b", CLOSED)], 1),
        ([remote("b", CLOSED), local(hidden=Kind.UNAUTHENTICATED)], 0),
        ([remote("a", {INFO: NO_BRANCH}), remote("b", HAS)], 0),
        ([remote("a", CALLED), local(holds=True, has=OTHER), remote("b", HAS)], 2),
        ([remote("a", {INFO: NO_BRANCH, INFO_OF_NO_BRANCH: CALLED[INFO]}), local(holds=True, has=OTHER), remote("b", HAS)], 2),
        ([remote("a", LED), local(holds=True, has=OTHER), remote("b", HAS)], 2),
        ([remote("a", CALLED), local(), remote("b", HAS)], 0),
        ([remote("a", CALLED, priority_resolution=True), local(holds=True, has=OTHER)], 0),
        ([remote("a", {INFO: document(b'{"id": "../x"}')}), local(holds=True, has=OTHER)], 0),
        ([remote("a", {INFO: document(b"[")}), remote("b", HAS)], 1),
        ([local(holds=True, has=evolve(REPO, name="other")), remote("b", HAS)], 1),
        ([local(holds=True, has=evolve(REPO, name="Tiny")), remote("b", HAS, priority_resolution=True)], 1),
    ],
)
@pytest_twisted.ensureDeferred
async def test_chosen(members: list[Member], at: int) -> None:
    """The first that has it; what a local one has is no remote's, a gate gives way, and whoever holds it goes first."""
    assert members[at] is await choose(*members)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([remote("a"), local()], (404, NO_REPO)),
        ([remote("a", PRIVATE), remote("b")], (404, NO_REPO)),
        ([remote("a"), remote("b", REFUSING)], (403, GATED)),
        ([remote("a", PRIVATE), remote("b", REFUSING)], (403, GATED)),
        ([remote("a", DOWN), remote("b", REFUSING), remote("c")], (503, "Unavailable")),
        ([remote("a", DOWN, hard_fail=True), remote("b", HAS)], (503, "Unavailable")),
        ([remote("a", {INFO: document(b"[")}), remote("b")], (502, "BadUpstream")),
        ([local(holds=True, hidden=Kind.NOT_FOUND), remote("a", HAS)], (404, NO_REPO)),
        ([local(holds=True, blacked_out=True), remote("a", HAS)], (404, NO_REPO)),
        ([local(holds=True, has=evolve(REPO, name="Tiny")), remote("a", HAS)], (404, NO_REPO)),
        ([local(holds=True, has=evolve(REPO, namespace="ACME")), remote("a", HAS, holds=True)], (404, NO_REPO)),
        ([], (404, NO_REPO)),
    ],
)
@pytest_twisted.ensureDeferred
async def test_nobody(members: list[Member], expected: tuple[int, str]) -> None:
    """No outage is "not there", a gate is more than that, and no upstream takes the place of what is hidden."""
    found = await choose(*members)
    assert isinstance(found, Text)
    assert expected == (found.status, found.headers.first(CODE))


@pytest_twisted.ensureDeferred
async def test_names_that_are_owned() -> None:
    """No upstream hears of one; who shows no name logs in first. A shared name is nobody's."""
    upstream, mine = remote("a", HAS), local(holds=True, hidden=Kind.UNAUTHENTICATED)
    with pytest.raises(RegproxyError) as caught:
        await choose(upstream, mine)
    assert Kind.UNAUTHENTICATED is caught.value.kind
    assert [] == upstream.asked
    assert upstream is await choose(upstream, mine, shared=True)


@pytest_twisted.ensureDeferred
async def test_remembered() -> None:
    """For some seconds, for those who see the same; a local repository that is made meanwhile is seen at once."""
    far, mine = remote("a", HAS), local()
    choosing = Choosing(several(far, mine))
    for _ in range(3):
        assert far is await choosing.choose(asking(), REPO, PATH)
    assert [INFO] == far.asked
    assert far is await choosing.choose(asking(1000.0 + SECONDS), REPO, PATH)
    assert [INFO] * 2 == far.asked
    mine.holds = True
    assert mine is await choosing.choose(asking(), REPO, PATH)
    mine.holds = False
    far.hidden = Kind.NOT_FOUND
    assert not isinstance(await choosing.choose(asking(), REPO, PATH), Member)


@pytest_twisted.ensureDeferred
async def test_documents_are_released() -> None:
    """Once, whatever they say."""
    info, check = Bytes(b'{"gated": "manual"}'), Bytes(b"OK")
    answers = {INFO: document(), CHECK: document()}
    for path, data in ((INFO, info), (CHECK, check)):
        answers[path] = type(answers[path])(answers[path].head, data, answers[path].origin)  # type: ignore[arg-type] # as much as is used
    member = remote("a", answers)
    assert member is await choose(member)
    assert (1, 1) == (info.released, check.released)
