"""What is read of requirements and platforms, and how a server in trouble is asked again."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from regproxy.cli.prefetching.platforms import platform_for, this_platform
from regproxy.cli.prefetching.requirements import Requirements
from regproxy.cli.prefetching.server import Outside, Server, UnavailableError


def test_a_file_of_requirements(tmp_path: Path) -> None:
    """Comments, continued lines, options, other files; what is no project of an index is told apart."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "base.in").write_text("c[x,y]>=1 ; python_version>'3'\n-c bounds.in\n")
    (tmp_path / "more" / "bounds.in").write_text("d<2\n")
    file = tmp_path / "r.txt"
    file.write_text(
        "# all\na==1.0 --hash=sha256:00 \\\n  --hash=sha256:11\n\nb  # newest\n-r more/base.in\n--pre\n"
        "-e ../own\nz @ https://a.example/z.whl\n./local.whl\n"
    )
    found = Requirements()
    found.read(file)
    assert [str(each) for each in found.wanted] == ["a==1.0", "b", 'c[x,y]>=1; python_version > "3"']
    assert [str(each) for each in found.bounds] == ["d<2"]
    assert found.others == ["-e ../own", "z @ https://a.example/z.whl", "./local.whl"]
    file.write_text("-r r.txt\n")
    with pytest.raises(OSError, match="name one another"):
        Requirements().read(file)


@pytest.mark.parametrize(
    ("platform", "tag", "machine"),
    [
        ("manylinux_2_28_x86_64", "cp312-abi3-manylinux2014_x86_64", "x86_64"),
        ("manylinux_2_28_aarch64", "py3-none-any", "aarch64"),
        ("musllinux_1_2_x86_64", "cp312-cp312-musllinux_1_1_x86_64", "x86_64"),
        ("macosx_14_0_arm64", "cp312-cp312-macosx_11_0_universal2", "arm64"),
        ("win_amd64", "cp312-cp312-win_amd64", "AMD64"),
    ],
)
def test_platforms(platform: str, tag: str, machine: str) -> None:
    """Wheels for older systems fit, too; markers say what they would say there."""
    found = platform_for("3.12", platform)
    assert tag in map(str, found.tags)
    assert (found.environment["platform_machine"], str(found.python)) == (machine, "3.12.0")
    assert "cp311-cp311-win_amd64" not in map(str, found.tags)


def test_this_platform() -> None:
    """Fits what is installed here."""
    assert str(this_platform().tags[0]).startswith("cp3")
    with pytest.raises(ValueError, match="expected a version"):
        platform_for("three", "")


class _Troubled(BaseHTTPRequestHandler):
    """Too busy at first, then cut, then well; another path is never well."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Quiet."""

    def do_GET(self) -> None:
        """Answer."""
        self.asked.append(self.path)
        times = self.asked.count(self.path)
        busy = self.path == "/never" or times == 1
        self.send_response(503 if busy else 200)
        if busy:
            self.send_header("Retry-After", "7")
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"0123456789"[: 4 if times == 2 else 10])
        self.close_connection = times == 2


@pytest.fixture
def troubled() -> Iterator[str]:
    """Its URL."""
    _Troubled.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Troubled) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_server_in_trouble(troubled: str) -> None:
    """Is asked again when it says, and not for ever."""
    waits: list[float] = []
    server = Server(Outside(troubled), waits.append)
    got = server.get("/x")
    assert (got.size, got.held, waits) == (10, False, [7.0, 2.0])
    waits.clear()
    with pytest.raises(UnavailableError, match="503"):
        server.get("/never")
    assert waits == [7.0] * 3
    server.leave()
