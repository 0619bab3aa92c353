"""A multipart form as it arrives: a few small fields that are kept, and one file that is handed on as a ``Source``.

Rules:

1. Of the file nothing is in memory beyond what one piece of the body brings: while nobody takes it, the body is paused.
2. Fields that were not asked for are thrown away as they come; those that were come once, and before the file.
3. The file is complete when the form is: its delivery fires behind the last boundary and the end of the body.
"""

from collections import deque
from collections.abc import Callable, Collection
from typing import Any

from attrs import define, field
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from regproxy.errors import Kind, RegproxyError
from regproxy.stream.source import Consumer, Source

KEPT = 64 << 10
"""Bytes of all fields that are kept."""
THROWN_AWAY = 32 << 20
"""Bytes of all others."""
PARTS = 4000
_BOUNDARY = 200


async def open_form(body: Source, content_type: str, wanted: Collection[str], file: str) -> "FormFile":
    """Read a form up to the part named ``file``; ``RegproxyError`` (INVALID) for what is no such form.

    Of the fields ``wanted`` those that came are in ``fields`` then. Whoever is given the file delivers or aborts it.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary or len(boundary) > _BOUNDARY:
        body.abort()
        raise _invalid("the body is no multipart form")
    try:
        parser = PushMultipartParser(boundary, max_segment_count=PARTS)
    except (MultipartError, UnicodeEncodeError) as error:
        body.abort()
        raise _invalid("the boundary of the form is none") from error
    found = FormFile(body, parser, frozenset(wanted), file)
    await found.opened()
    return found


@implementer(IPushProducer)
@define(eq=False)
class FormFile:
    """The file of a form.

    Attributes:
        fields: those that were asked for.
        filename: as the client says it.
    """

    _body: Source
    _parser: PushMultipartParser
    _wanted: frozenset[str]
    _name: str
    fields: dict[str, str] = field(factory=dict, init=False)
    filename: str = field(default="", init=False)
    _opened: "Deferred[None] | None" = field(default=None, init=False)
    _landed: "Deferred[None] | None" = field(default=None, init=False)
    _delivery: "Deferred[None]" = field(init=False)
    _producer: IPushProducer | None = field(default=None, init=False)
    _consumer: Consumer | None = field(default=None, init=False)
    _queue: deque[bytes] = field(factory=deque, init=False)
    _paused: bool = field(default=True, init=False)
    _is_here: bool = field(default=False, init=False)
    _part: str | None = field(default=None, init=False)
    _value: list[bytes] = field(factory=list, init=False)
    _take: Callable[[bytes], None] = field(init=False)
    _kept: int = field(default=0, init=False)
    _thrown_away: int = field(default=0, init=False)
    _error: Failure | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._take = self._throw_away

    def opened(self) -> "Deferred[None]":
        """Begin to read; fires when the head of the file's part is there."""
        waiting: Deferred[None] = Deferred(lambda _: self.abort())
        self._opened = waiting
        self._delivery = self._body.deliver(self)
        self._delivery.addCallbacks(self._ended, self._failed)
        return waiting

    # Of the source.

    @property
    def length(self) -> None:
        """A part of a form does not say it."""

    def deliver(self, consumer: Consumer) -> "Deferred[None]":
        """Send the file to the consumer."""
        landed: Deferred[None] = Deferred(lambda _: self._delivery.cancel())
        self._landed, self._consumer = landed, consumer
        consumer.start(self)
        if self._error is not None:
            landed.errback(self._error)
        else:
            self.resumeProducing()
        return landed

    def abort(self) -> None:
        """Nobody wants it."""
        self._queue.clear()
        self._body.abort()

    # Of the consumer, which pauses us.

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Enough for now."""
        self._paused = True
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Go on."""
        self._paused = False
        while self._queue and not self._paused and self._consumer is not None:
            self._consumer.write(self._queue.popleft())
        if not self._paused and self._producer is not None:
            self._producer.resumeProducing()

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """No more."""
        self.abort()

    # Of the body.

    def start(self, producer: IPushProducer) -> None:
        """Note whom to pause."""
        self._producer = producer

    def write(self, data: bytes) -> None:
        """Read more of the form."""
        if self._error is not None or not data:  # an empty piece would be the end
            return
        try:
            for event in self._parser.parse(data):
                self._read(event)
        except MultipartError as error:
            self._refuse(RegproxyError(Kind.INVALID, "the form cannot be read", detail=repr(error)))
        except RegproxyError as error:
            self._refuse(error)

    def _read(self, event: Any) -> None:
        match event:
            case MultipartSegment():
                self._begin(event)
            case None:
                self._end()
            case _:
                self._take(event)

    def _begin(self, part: MultipartSegment) -> None:
        self._take = self._throw_away
        if part.name == self._name and part.filename is not None:
            if self._is_here:
                raise _invalid(f"two files {self._name!a} in one form")
            self._is_here, self.filename, self._take = True, part.filename, self._pass_on
            self.pauseProducing()
            self._tell_opened(None)
        elif part.name in self._wanted and part.name is not None:
            if self._is_here or part.name in self.fields:
                raise _invalid(f"the field {part.name!a} comes twice, or behind the file")
            self._part, self._take = part.name, self._keep

    def _end(self) -> None:
        if self._part is not None:
            try:
                self.fields[self._part] = b"".join(self._value).decode()
            except UnicodeDecodeError:
                raise _invalid(f"the field {self._part!a} is not UTF-8") from None
            self._part, self._value = None, []
        self._take = self._throw_away

    def _pass_on(self, data: bytes) -> None:
        if self._paused or self._queue or self._consumer is None:
            self._queue.append(data)
        else:
            self._consumer.write(data)

    def _keep(self, data: bytes) -> None:
        self._kept += len(data)
        if self._kept > KEPT:
            raise RegproxyError(Kind.TOO_LARGE, f"the fields of the form are larger than {KEPT} bytes")
        self._value.append(data)

    def _throw_away(self, data: bytes) -> None:
        self._thrown_away += len(data)
        if self._thrown_away > THROWN_AWAY:
            raise RegproxyError(Kind.TOO_LARGE, f"the form has more than {THROWN_AWAY} bytes beside its file")

    def _refuse(self, error: RegproxyError) -> None:
        self._error = Failure(error)
        self.abort()

    def _ended(self, _: None) -> None:
        try:
            self._parser.close()
        except MultipartError:
            self._settle(Failure(_invalid("the form ends before its last boundary")))
        else:
            self._settle(None if self._is_here else Failure(_invalid(f"the form has no file {self._name!a}")))

    def _failed(self, failure: Failure) -> None:
        self._settle(self._error or failure)

    def _settle(self, failure: Failure | None) -> None:
        self._error = self._error or failure
        self._tell_opened(failure)
        if self._landed is not None and not self._landed.called:
            if failure is not None:
                self._landed.errback(failure)
            else:
                self._landed.callback(None)

    def _tell_opened(self, failure: Failure | None) -> None:
        opened, self._opened = self._opened, None
        if opened is None or opened.called:
            return
        if failure is not None:
            opened.errback(failure)
        else:
            opened.callback(None)


def _invalid(text: str) -> RegproxyError:
    return RegproxyError(Kind.INVALID, text)
