"""The origins: nginx with static files over HTTP and HTTPS, and one that is far away (``bench.far``); what each has sent."""

import re
import sys
from pathlib import Path

from attrs import define

from bench.blobs import Blob
from bench.programs import Program, found
from tests.fakes.certificates import Authority, Pair

COMMIT = "c" * 40


class OriginError(Exception):
    """The origin cannot be run."""


@define(eq=False)
class Origin:
    """Both, and the certificates that everything here uses."""

    files: Path
    certificates: Path
    near: Program
    far: Program
    authority: Authority
    pair: Pair

    @classmethod
    def make(cls, work: Path, files: Path) -> "Origin":
        """Certificates anew; nothing runs yet."""
        nginx = found("nginx")
        if nginx is None:
            raise OriginError("nginx is not installed: it is the origin")
        certificates = work / "certificates"
        certificates.mkdir(parents=True)
        files.mkdir(parents=True, exist_ok=True)
        authority = Authority.make(certificates)
        pair = authority.server()
        values = {"files": files, "certificate": pair.certificate, "key": pair.key, "commit": COMMIT}
        near = Program("origin", work / "origin", ["nginx-origin.conf"], [nginx, "-c", "@dir@/nginx-origin.conf"], values)
        command = [sys.executable, "-m", "bench.far", "@port@", "@files@", "@dir@/access.log"]
        return cls(files, certificates, near, Program("far origin", work / "far", [], command, values), authority, pair)

    def start(self) -> None:
        """Both."""
        self.near.start()
        self.far.start()

    def stop(self) -> None:
        """Both."""
        self.near.stop()
        self.far.stop()

    def sent(self, blob: Blob) -> int:
        """Bytes of a blob's body that were sent, at whatever address it has."""
        return self.sent_as(blob.sha256)

    def _lines(self) -> list[str]:
        logs = (program.folder / "access.log" for program in (self.near, self.far))
        return [line for log in logs if log.exists() for line in log.read_text(encoding="ascii").splitlines()]

    def sent_as(self, name: str) -> int:
        """Bytes of bodies of whatever has this name in its address."""
        return sent_in(self._lines(), name)

    def ciphers(self) -> set[str]:
        """Those it has spoken with."""
        lines = (self.near.folder / "access.log").read_text(encoding="ascii").splitlines()
        return {line.split()[4] for line in lines} - {"-"}


def sent_in(lines: list[str], name: str) -> int:
    """Bytes of bodies in an access log whose address has a name in it."""
    pattern = re.compile(rf"GET \d+ (\d+) \S*{re.escape(name)}")
    return sum(int(seen[1]) for seen in map(pattern.match, lines) if seen)
