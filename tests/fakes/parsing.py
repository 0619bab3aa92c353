"""A response as it comes in, byte by byte: head, framing, and whether its end was a good one."""

from attrs import define, field


@define(eq=False)
class Incoming:
    """Feed it what a socket gives; it returns what of that is body.

    Attributes:
        status: 0 before the head is there.
        headers: names in lower case; of repeated ones the last.
        complete: the end of the framing was seen; a body that only the end of the connection ends is never complete.
        broken: the framing is nonsense.
        excess: bytes behind the end.
    """

    bodiless: bool = False
    status: int = field(default=0, init=False)
    headers: dict[str, str] = field(factory=dict, init=False)
    complete: bool = field(default=False, init=False)
    broken: bool = field(default=False, init=False)
    excess: int = field(default=0, init=False)
    _buffer: bytes = field(default=b"", init=False)
    _left: int | None = field(default=0, init=False)
    _chunked: bool = field(default=False, init=False)

    def feed(self, data: bytes) -> bytes:
        """Take bytes."""
        if not self.status:
            data = self._head(data)
        if self.complete or self.broken:
            self.excess += len(data)
            return b""
        if not self.status or not data:
            return b""
        return self._dechunked(data) if self._chunked else self._counted(data)

    def _head(self, data: bytes) -> bytes:
        self._buffer += data
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return b""
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._buffer = b""
        self._chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        length = self.headers.get("content-length")
        self._left = int(length) if length is not None else None
        if self.bodiless or self.status in {204, 304} or (self._left == 0 and not self._chunked):
            self.complete = True
        elif self._chunked:
            self._left = 0
        return rest

    def _counted(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        body = data[: self._left]
        self.excess += len(data) - len(body)
        self._left -= len(body)
        self.complete = self._left == 0
        return body

    def _dechunked(self, data: bytes) -> bytes:
        data, self._buffer = self._buffer + data, b""
        body = []
        while data and not self.complete:
            if self._left:
                body.append(data[: self._left])
                data = data[len(body[-1]) :]
                self._left -= len(body[-1])
                continue
            line, end, rest = data.lstrip(b"\r\n").partition(b"\r\n")
            if not end:
                self._buffer = data
                break
            try:
                self._left = int(line.partition(b";")[0], 16)
            except ValueError:
                self.broken = True
                break
            data, self.complete = rest, self._left == 0
        return b"".join(body)
