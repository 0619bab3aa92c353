"""What is asked of the members of a virtual index, and that of each document that they hand out somebody lets go, once."""

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.iweb import IRequest

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.plan import JSON_TYPE
from regproxy.formats.pypi.several.asking import Asking
from regproxy.formats.pypi.several.pages import Pages
from regproxy.model.settings import RepositorySettings
from regproxy.repo.interface import ServingSeveral, Unavailable
from regproxy.repo.tree import Tree
from regproxy.repo.virtual import Virtual
from tests.formats.pypi.scene import PAGE_PATH, WHEEL, Canned, Serving, entry, page, result

DOWN = Unavailable(503, "down")
OTHER = entry(filename="demo-2.0.tar.gz")


@frozen
class Request:
    """As much of one as is looked at."""

    method: bytes = b"GET"


@frozen(eq=False)
class Member(Serving):
    """A remote, of which more may be asked than it holds."""

    @property
    def tree(self) -> Tree:
        """As much of one as is looked at."""
        return Tree(self.repository.key, cast(Any, None), cast(Any, None), cast(Any, None))


@define(eq=False)
class Several(Serving):
    """A virtual repository over remotes."""

    repository: Any = field(factory=lambda: Virtual(RepositorySettings(key="all", rclass="virtual", package_type="pypi")))
    remotes: Sequence[Canned] = ()
    unready: Sequence[str] = ()
    clock: Clock = field(factory=Clock)

    def members(self, request: IRequest) -> Sequence[Serving]:
        """They."""
        return [Member(each) for each in self.remotes]

    def owners(self, name: str) -> Sequence[Serving]:
        """Nobody."""
        return ()

    def shows(self, member: Serving) -> bool:
        """All."""
        return True


def several(*remotes: Canned, unready: Sequence[str] = ()) -> tuple[Asking, Pages]:
    """One over some."""
    serving = cast(ServingSeveral, Several(remotes=remotes, unready=unready))
    return Asking(serving, cast(Any, Request())), Pages(serving)


def holding(*entries: dict[str, Any], **more: Any) -> Canned:
    """A remote that has a page."""
    return Canned(held={PAGE_PATH: page(*entries)}, **more)


def released(*remotes: Canned) -> list[int]:
    """How often each document was let go."""
    return [body.released for remote in remotes for body in remote.bodies]


def test_each_document_is_let_go_once() -> None:
    """Read, or unread because the same page is there already, or because another one's outage is the answer."""
    one, two = holding(entry(yanked="why")), holding(entry(), OTHER)
    asking, pages = several(one, two)
    first = result(pages.page("demo", result(asking.page("demo")), JSON_TYPE))
    assert [(WHEEL, "why"), ("demo-2.0.tar.gz", False)] == [
        (each["filename"], each["yanked"]) for each in json.loads(first.body)["files"]
    ]
    again = result(pages.page("demo", result(asking.page("demo")), JSON_TYPE))
    assert (first.body, first.etag, [1] * 4) == (again.body, again.etag, released(one, two))
    down = Canned(answers={PAGE_PATH: DOWN})
    assert DOWN is result(several(one, down)[0].page("demo"))
    assert [1] * 3 == released(one)


DEEP = page({**entry(), "x": []}).replace(b'"x": []', b'"x": ' + b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize("data", [pytest.param(b"{", id="no JSON"), pytest.param(DEEP, id="nested too deeply")])
def test_a_document_that_cannot_be_read(data: bytes) -> None:
    """Is its upstream's fault, and the others are let go."""
    for order in (1, -1):
        remotes = [Canned(held={PAGE_PATH: data}), holding(entry())][::order]
        asking, pages = several(*remotes)
        with pytest.raises(RegproxyError) as caught:
            result(pages.page("demo", result(asking.page("demo")), None))
        assert Kind.UPSTREAM_BAD is caught.value.kind
        assert {1} == set(released(*remotes))


def test_html_in_one_of_them() -> None:
    """Makes the page HTML for those that take it."""
    html = Canned(held={PAGE_PATH: b'<a href="demo-3.0.tar.gz">x</a>'}, media_type="text/html")
    asking, pages = several(holding(entry()), html)
    answer = result(pages.page("demo", result(asking.page("demo")), f"{JSON_TYPE}, text/html;q=0.1"))
    assert ("text/html", 2) == (answer.media_type, answer.body.count(b"<a "))


def test_a_member_whose_upstream_is_not_known_yet() -> None:
    """Cannot be asked, so nobody behind it is, or beside it."""
    held = holding(entry())
    asking, _ = several(held, unready=("auto",))
    for ask in (asking.page("demo"), asking.projects()):
        with pytest.raises(RegproxyError, match="auto") as caught:
            result(ask)
        assert Kind.UPSTREAM_DOWN is caught.value.kind
    assert [] == held.bodies


def test_lists() -> None:
    """Are laid over one another too, and let go."""
    path = ".pypi/.projects.json"
    remotes = [
        Canned(held={path: json.dumps({"meta": {}, "projects": [{"name": each} for each in names]}).encode()})
        for names in (["Demo", "a"], ["demo", "b"])
    ]
    asking, pages = several(*remotes)
    for _ in range(2):
        answer = result(pages.projects(result(asking.projects()), JSON_TYPE))
        assert ["Demo", "a", "b"] == [each["name"] for each in json.loads(answer.body)["projects"]]
    assert [1] * 4 == released(*remotes)


def test_who_leaves_while_it_is_being_made() -> None:
    """Harms nobody: documents that were handed to him are let go, and what is being made is finished."""
    remote = holding(entry())
    asking, pages = several(remote, holding(OTHER))
    parts = result(asking.page("demo"))
    lock = pages._lock
    assert lock.acquire().called
    waiting = Deferred.fromCoroutine(pages.page("demo", parts, JSON_TYPE))
    waiting.cancel()
    waiting.addErrback(lambda _: None)
    lock.release()
    assert [1] == released(remote)
    answer = result(pages.page("demo", result(asking.page("demo")), JSON_TYPE))
    assert (2, [1, 1]) == (len(json.loads(answer.body)["files"]), released(remote))
