"""The yardstick of a cold fill: receive, SHA-256, write and sendfile, and nothing else.

``python -m bench.bare PORT ORIGIN FOLDER``. One client at a time, one buffer, no parsing beyond the end of the headers.
"""

import hashlib
import os
import socket
import sys
from pathlib import Path

BUFFER = 1 << 20


def head(sock: socket.socket) -> tuple[bytes, bytes]:
    """Headers, and what came behind them."""
    seen = b""
    while b"\r\n\r\n" not in seen:
        more = sock.recv(65536)
        if not more:
            return seen, b""
        seen += more
    before, _, after = seen.partition(b"\r\n\r\n")
    return before + b"\r\n\r\n", after


def fill(client: socket.socket, origin: int, file: Path) -> str:
    """Answer one request from the origin, by way of a file."""
    request, _ = head(client)
    if not request:
        return ""
    buffer = memoryview(bytearray(BUFFER))
    running, sent = hashlib.sha256(), 0
    with socket.create_connection(("127.0.0.1", origin)) as upstream, file.open("w+b", buffering=0) as out:
        upstream.sendall(request)
        answer, body = head(upstream)
        client.sendall(answer)
        piece = memoryview(body)
        while piece:
            running.update(piece)
            out.write(piece)
            end = sent + len(piece)
            while sent < end:
                sent += os.sendfile(client.fileno(), out.fileno(), sent, end - sent)
            piece = buffer[: upstream.recv_into(buffer)]
    return running.hexdigest()


def main() -> None:
    """Serve until somebody ends it."""
    port, origin, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            client, _ = listening.accept()
            with client:
                digest = fill(client, origin, folder / "body")
            if digest:
                (folder / "body").unlink()


if __name__ == "__main__":
    main()
