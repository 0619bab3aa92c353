"""Documents of local repositories: what is remembered by its bytes is not served where patterns close the place."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import pytest_twisted
from attrs import define, field

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.huggingface.address import Id, Type
from regproxy.formats.huggingface.local.archive import Archive
from regproxy.formats.huggingface.local.places import references_place
from regproxy.formats.huggingface.local.references import References
from regproxy.model.head import Head
from regproxy.model.node import Node
from regproxy.model.want import Want
from regproxy.repo.interface import Answer, Refused
from tests.formats.huggingface.virtual.scene import document

OPEN, CLOSED = (Id(Type.MODELS, "acme", name) for name in ("open", "closed"))
REFERENCES = References({"main": "1" * 40})


@define(eq=False)
class Place:
    """A repository, its tree and its serving in one: both repositories of the hub have the same branches."""

    asked: list[str] = field(factory=list)

    @property
    def tree(self) -> "Place":
        """Itself."""
        return self

    def node(self, path: str) -> Node:
        """The one document."""
        return Node("hub", path, "0" * 64, 1, Head())

    def refusal(self, path: str) -> Refused | None:
        """One of the two is closed."""
        return Refused(403, "closed by a pattern") if path == references_place(CLOSED) else None

    async def resolve(self, want: Want) -> Answer:
        """Open the document."""
        self.asked.append(want.path)
        return document(REFERENCES.to_json())

    async def parse(self, answer: Any, limit: int, parse: Callable[[bytes], Any]) -> Any:
        """Read it."""
        return parse(answer.readable.data)


@pytest_twisted.ensureDeferred
async def test_what_is_remembered_is_closed_too() -> None:
    """The same bytes were read at an open place: there they are read once, at the closed one never."""
    place = Place()
    archive = Archive(cast(Any, place), cast(Any, place))
    for _ in range(2):
        read = await archive.known(OPEN)
        assert read.references == REFERENCES
        with pytest.raises(RegproxyError, match="closed by a pattern") as caught:
            await archive.known(CLOSED)
        assert caught.value.kind is Kind.DENIED
    assert place.asked == [references_place(OPEN)]
    assert (archive.is_open(OPEN), archive.is_open(CLOSED)) == (True, False)
