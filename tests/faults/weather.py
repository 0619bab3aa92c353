"""An upstream in changing weather: most answers are honest, the others go wrong in ways that a seed decides.

Artifacts with a digest in their address meet every fault; files that only have a validator meet those that can be told without
one.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable

from attrs import define, field, frozen

from tests.fakes.plays import Honest, changed
from tests.fakes.upstream import Answers, Script, Seen
from tests.faults.scene import KIB, MIB, content, no_answer

FAULT_SHARE = 0.3
SIZES = (4 * KIB, 200 * KIB, 1 * MIB, 3 * MIB, 8 * MIB)
LOGIN = Script(b"<html>please log in</html>", headers={"content-type": "text/html"})


@frozen
class Artifact:
    """What upstream has: its address there and at the proxy, its bytes, whether the address says what they must be."""

    upstream: str
    path: str
    data: bytes
    named: bool


def artifacts(count: int, seed: int) -> list[Artifact]:
    """Half of them blobs of a registry, half plain files, of all sizes."""
    made = []
    for number in range(count):
        size = SIZES[number // 2 % len(SIZES)] + number
        data = f"{seed}-{number}".encode().ljust(64) + content(max(SIZES) + count, seed & 0xFF)[64:size]
        if number % 2:
            made.append(Artifact(f"/plain/{number}.bin", f"/files/{number}.bin", data, named=False))
        else:
            path = f"/v2/soak/{number}/blobs/sha256:{hashlib.sha256(data).hexdigest()}"
            made.append(Artifact(path, path, data, named=True))
    return made


@define(eq=False)
class Weather:
    """Answers for one upstream.

    Attributes:
        fair: nothing goes wrong any more.
        seen: how often each fault was played, and ``honest``.
    """

    chance: random.Random
    fair: bool = False
    seen: Counter[str] = field(factory=Counter)

    def answers(self, artifact: Artifact) -> Callable[[Seen], Script]:
        """For every request of one artifact."""
        by_length = Honest(artifact.data)
        chunked = Honest(artifact.data, more={"framing": "chunked"})

        def answer(seen: Seen) -> Script:
            honest = chunked if self.chance.random() < 0.3 else by_length
            if self.fair or seen.method == "HEAD" or self.chance.random() > FAULT_SHARE:
                self.seen["honest"] += 1
                return honest(seen)
            faults = self._visible(honest) | (self._hidden(honest) if artifact.named else {})
            name = self.chance.choice(sorted(faults))
            self.seen[name] += 1
            act = faults[name]
            return act(seen) if callable(act) else act

        return answer

    def _visible(self, honest: Honest) -> dict[str, Answers]:
        """What shows by itself, whatever the artifact."""
        size = len(honest.body)
        at = self.chance.randrange(size)
        return {
            "cut by FIN": changed(honest, cut=at),
            "cut by RST": changed(honest, cut=at, reset=True),
            "stall": changed(honest, stall=at),
            "length too long": changed(honest, length=size + 1 + at, framing="length"),
            "slow": changed(honest, pace=(max(KIB, size // 20), 0.1)),
            "late head": changed(honest, delay=0.8),
            "429": Script(b"", 429, {"retry-after": "1"}),
            "503": Script(b"", 503),
            "no answer": no_answer(),
            "half a head": Script(raw=b"HTTP/1.1 200 OK\r\nContent-Le"),
            "Range ignored": Honest(honest.body, ranges=False),
        }

    def _hidden(self, honest: Honest) -> dict[str, Answers]:
        """What only a digest can tell."""
        size = len(honest.body)
        return {
            "flipped bit": changed(honest, flip=self.chance.randrange(size)),
            "length too short": changed(honest, length=size // 2, framing="length"),
            "neither length nor chunks": changed(honest, framing="close", cut=size // 2),
            "other bytes": Honest(bytes(reversed(honest.body)), etag=honest.etag),
            "login page": LOGIN,
        }
