"""A program that stores blobs until it is killed, and prints the name of each one when it is committed."""

import hashlib
import itertools
import os
import sys
from pathlib import Path
from random import Random

from regproxy.store.disk import DiskStore


def main(root: str, seed: str) -> None:
    """Never return."""
    store, random = DiskStore(Path(root)), Random(seed)
    for number in itertools.count():
        body = random.randbytes(random.randrange(60_000))
        writer = store.create(len(body) if number % 2 else None)
        middle = len(body) // 2
        writer.write_at(middle, [body[middle:]])
        writer.write_at(0, [body[:middle]])
        name = hashlib.sha256(body).hexdigest()
        writer.commit(name, durable=number % 3 == 0)
        os.write(1, f"{name}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
