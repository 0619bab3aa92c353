"""curl against a local repository, as scripts use it."""

import hashlib
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.deploying import ask, local
from tests.fakes.process import Regproxy

pytestmark = pytest.mark.client("curl")

DATA = random.Random(10).randbytes(5 << 20)


@pytest.fixture
def files(twist_regproxy: Callable[..., Regproxy], tmp_path: Path) -> Regproxy:
    """A server, and a file to be sent."""
    (tmp_path / "in").write_bytes(DATA)
    return twist_regproxy(local("files", f'maxBytes = "{12 << 20}"'))


def curl(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and output."""
    done = subprocess.run(
        ["curl", "-sS", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False, errors="replace"
    )
    return done.returncode, done.stdout + done.stderr


STATUS = ("-o", "out", "-w", "%{http_code} %{size_upload}")


@pytest.mark.parametrize("name", ["sha256", "sha1", "md5"])
def test_checksum_headers(files: Regproxy, tmp_path: Path, name: str) -> None:
    """The right one is 201, the wrong one 409 with the reason, also over a file that is there."""
    url = f"{files.base_url}/artifactory/files/d/{name}"
    right = hashlib.new(name, DATA).hexdigest()
    assert (0, f"201 {len(DATA)}") == curl(tmp_path, *STATUS, "-T", "in", "-H", f"X-Checksum-{name}: {right}", url)
    code, text = curl(tmp_path, "-T", "in", "-H", f"X-Checksum-{name}: {'0' * len(right)}", url)
    assert (0, True) == (code, f"expected {name}:000" in text)
    code, headers = curl(tmp_path, "-D", "-", "-o", "out", url)
    assert (0, DATA) == (code, (tmp_path / "out").read_bytes())
    assert f"x-checksum-{name}: {right}" in headers.lower()
    assert (0, f"201 0") == curl(  # noqa: F541 - as above
        tmp_path, *STATUS, "-X", "PUT", "-H", "X-Checksum-Deploy: true", "-H", f"X-Checksum-{name}: {right}", f"{url}-again"
    )
    assert (0, "204 0") == curl(tmp_path, *STATUS, "-X", "DELETE", url)


def test_properties(files: Regproxy, tmp_path: Path) -> None:
    """By matrix parameters and by the storage API, with the globbing that curl does switched off."""
    url, api = f"{files.base_url}/artifactory/files/x", f"{files.base_url}/artifactory/api/storage/files/x"
    assert (0, f"201 {len(DATA)}") == curl(tmp_path, *STATUS, "-T", "in", f"{url};build.name=web;build.number=7")
    assert (0, "204 0") == curl(tmp_path, *STATUS, "-g", "-X", "PUT", f"{api}?properties=a=1,2;b=x|c=3")
    assert (0, "204 0") == curl(tmp_path, *STATUS, "-X", "DELETE", f"{api}?properties=b")
    assert {"a": ["1", "2"], "build.name": ["web"], "build.number": ["7"], "c": ["3"]} == ask(
        files, "GET", "/api/storage/files/x?properties"
    ).json["properties"]


@pytest.mark.parametrize("how", [(), ("-H", "Expect:"), ("-H", "Transfer-Encoding: chunked"), ("--http1.0",)])
def test_refusals_are_readable(files: Regproxy, tmp_path: Path, how: tuple[str, ...]) -> None:
    """A file over quota, whichever way it is sent: curl shows the reason and does not call it a network error."""
    for number in range(2):
        assert (0, f"201 {len(DATA)}") == curl(tmp_path, *STATUS, "-T", "in", f"{files.base_url}/files/{number}")
    code, text = curl(tmp_path, *how, "-T", "in", f"{files.base_url}/files/2")
    assert (0, True) == (code, "may hold" in text), text
    assert ask(files, "GET", "/files/2").status == 404
    # Fewer than everything was sent where curl asks first.
    code, text = curl(tmp_path, *STATUS, "-H", "Expect: 100-continue", "-T", "in", f"{files.base_url}/files/3")
    assert (0, "413 0") == (code, text)


def test_cut_and_again(files: Regproxy, tmp_path: Path) -> None:
    """An upload that curl gives up leaves nothing, and the next one succeeds."""
    url = f"{files.base_url}/files/x"
    code, _ = curl(tmp_path, "--limit-rate", "1M", "--max-time", "1", "-T", "in", url)
    assert code == 28
    assert ask(files, "GET", "/files/x").status == 404
    assert (0, f"201 {len(DATA)}") == curl(tmp_path, *STATUS, "-T", "in", url)
    assert ask(files, "GET", "/files/x").body == DATA


def test_parallel(files: Regproxy, tmp_path: Path) -> None:
    """Several at once to one path: each is told that it succeeded, and the file is whole."""
    url = f"{files.base_url}/files/x"
    code, text = curl(tmp_path, "-Z", *(part for _ in range(4) for part in ("-T", "in", url, *STATUS)))
    assert (0, 4) == (code, text.count(f"201 {len(DATA)}"))
    assert ask(files, "GET", "/files/x").body == DATA
