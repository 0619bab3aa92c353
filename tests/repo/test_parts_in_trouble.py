"""What is parked, while upstream has trouble only with parts."""

from typing import Any

import pytest

from regproxy.model.ranges import Span
from regproxy.repo.interface import Unavailable
from tests.fakes.remote import Body
from tests.repo.test_fill import LARGE, LARGE_BLOB, parked


@pytest.mark.parametrize("trouble", [{"status": 500}, {"status": 503, "retry_after": "2"}])
def test_an_upstream_that_fails_whenever_it_is_asked_for_a_part(trouble: dict[str, Any]) -> None:
    """It may have all of it: it is asked for that the second time. Until all is stored, what is parked stays."""
    made = parked()
    for _ in range(2):
        got = made.resolve(LARGE_BLOB)
        made.upstream.answer(**trouble)
        assert isinstance(got[0], Unavailable)
        made.clock.advance(2)
        got = made.resolve(LARGE_BLOB)
        made.upstream.answer(**trouble)
        assert made.upstream.questions[-1].headers.first("range") is None
        made.upstream.answer(502)
        assert isinstance(got[0], Unavailable)
        assert len(made.parts.parking) == 1
        made.clock.advance(2)
        got = made.resolve(LARGE_BLOB)
        made.upstream.answer(**trouble)
        body = made.upstream.answer(200, Body(len(LARGE)), etag='"v1"')
        body.send(LARGE[:200_000])
        got[0].readable.release()
        made.clock.advance(2)
        assert [left.extents for left in made.store.left()] == [(Span(0, 200_000),)]
    got = made.resolve(LARGE_BLOB)
    assert made.upstream.questions[-1].headers.first("range") == "bytes=200000-"
