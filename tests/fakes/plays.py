"""What a scripted upstream does over several requests: honest answers, and plays of faults that end in honest ones."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from attrs import define, evolve, field

from regproxy.model.ranges import Unsatisfiable, parse_range
from tests.fakes.upstream import Answers, Script, Seen


@define(eq=False)
class Honest:
    """Answers for one artifact as a good server does: ranges, If-Range, conditional requests.

    Attributes:
        etag: its validator; empty: none.
        ranges: False: Range is ignored.
        more: every script is made with these fields too.
    """

    body: bytes
    etag: str = field()
    ranges: bool = True
    media_type: str = "application/octet-stream"
    headers: dict[str, str] = field(factory=dict)
    more: dict[str, Any] = field(factory=dict)

    @etag.default
    def _of_the_body(self) -> str:
        return f'"{sha256(self.body).hexdigest()[:16]}"'

    def __call__(self, seen: Seen) -> Script:
        """Answer."""
        fields = {"content-type": self.media_type, **({"etag": self.etag} if self.etag else {}), **self.headers}
        if self.etag and seen.headers.get("if-none-match") == self.etag:
            return Script(status=304, headers=fields)
        if self.ranges:
            fields["accept-ranges"] = "bytes"
        # The answer to a HEAD says the length, however a body would be framed.
        more = {**self.more, "framing": "length"} if seen.method == "HEAD" else self.more
        whole = Script(self.body, headers=fields, **more)
        asked = seen.headers.get("range")
        if asked is None or not self.ranges or seen.headers.get("if-range", self.etag) != self.etag:
            return whole
        size = len(self.body)
        try:
            spans = parse_range(asked, size)
        except Unsatisfiable:
            return Script(status=416, headers={"content-range": f"bytes */{size}"})
        if spans is None or len(spans) != 1:
            return whole
        (span,) = spans
        part = {**fields, "content-range": f"bytes {span.start}-{span.stop - 1}/{size}"}
        return Script(self.body[span.start : span.stop], 206, part, **self.more)


@define(eq=False)
class Play:
    """``acts`` for the first GETs, in order; then, and to every HEAD, the last answer."""

    acts: list[Answers]
    last: Answers

    def __call__(self, seen: Seen) -> Script:
        """Answer."""
        act = self.acts.pop(0) if seen.method == "GET" and self.acts else self.last
        return act(seen) if callable(act) else act


def changed(answer: Answers, **fields: Any) -> Callable[[Seen], Script]:
    """The same answer, told to misbehave: ``fields`` are those of ``Script``; ``headers`` are added."""

    def change(seen: Seen) -> Script:
        script = answer(seen) if callable(answer) else answer
        headers = {**script.headers, **fields.get("headers", {})}
        return evolve(script, **{**fields, "headers": headers})

    return change


def raw(data: bytes, *, stay: bool = False, reset: bool = False) -> Script:
    """Bytes in place of an answer."""
    return Script(raw=data, stay=stay, reset=reset)
