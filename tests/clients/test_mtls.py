"""A real nginx that wants client certificates, as an upstream: served with ours, refused without, and through a rotation."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from regproxy.errors import RegproxyError
from regproxy.model.settings import ClientCertificate, Configuration
from tests.fakes.asking import get, upstream_for
from tests.fakes.certificates import Authority
from tests.fakes.clients import find_program
from tests.fakes.process import free_port

pytestmark = pytest.mark.client("nginx")
SIZE = 3 << 20

CONFIGURATION = """\
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.crt; ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/authority.pem; ssl_verify_client on;
    location = /who {{ return 200 $ssl_client_s_dn; }}
    location / {{ root {folder}/files; }}
  }}
}}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[str]:
    """Its address; the authority's folder is ``tmp_path``."""
    program = find_program("nginx")
    assert program is not None
    port = free_port()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "blob").write_bytes(b"x" * SIZE)
    yield from run(program, tmp_path, port)


def run(program: Path, folder: Path, port: int) -> Iterator[str]:
    """Start it and wait until it listens; stop it afterwards."""
    authority = Authority.make(folder)
    authority.server()
    file = folder / "nginx.conf"
    file.write_text(CONFIGURATION.format(folder=folder, port=port))
    with subprocess.Popen([program, "-c", file, "-p", folder], stderr=subprocess.DEVNULL) as process:
        for _ in range(100):
            if (folder / "pid").exists():
                break
            assert process.poll() is None, (folder / "error.log").read_text()
            time.sleep(0.05)
        authority.client("alice")
        authority.client("bob")
        yield f"https://127.0.0.1:{port}/"
        process.terminate()


def configuration_of(folder: Path) -> Configuration:
    """Shows ``alice``."""
    certificate = ClientCertificate(alias="mine", certificate=str(folder / "alice.crt"), key=str(folder / "alice.key"))
    return Configuration(certificate=(certificate,))


@pytest_twisted.ensureDeferred
async def test_shown(nginx: str, tmp_path: Path) -> None:
    """With the certificate everything is served."""
    authority = str(tmp_path / "authority.pem")
    upstream = upstream_for(reactor, nginx, configuration_of(tmp_path), ca_file=authority, client_tls_certificate="mine")
    assert await get(upstream, f"{nginx}who") == (200, b"CN=alice")
    assert await get(upstream, f"{nginx}blob") == (200, b"x" * SIZE)
    await upstream.close()


@pytest_twisted.ensureDeferred
async def test_not_shown(nginx: str, tmp_path: Path) -> None:
    """Without it nginx refuses, while another remote of the same host is being served; connections are not shared."""
    authority = str(tmp_path / "authority.pem")
    configuration = configuration_of(tmp_path)
    served = upstream_for(reactor, nginx, configuration, ca_file=authority, client_tls_certificate="mine")
    assert (await get(served, f"{nginx}who"))[0] == 200
    nobody = upstream_for(reactor, nginx, configuration, ca_file=authority)
    try:
        status, _ = await get(nobody, f"{nginx}who")
    except RegproxyError:
        status = 0
    assert status in {0, 400}
    await served.close()
    await nobody.close()


@pytest_twisted.ensureDeferred
async def test_rotation(nginx: str, tmp_path: Path) -> None:
    """A certificate that is replaced on disk is the one that nginx sees next."""
    authority = str(tmp_path / "authority.pem")
    upstream = upstream_for(reactor, nginx, configuration_of(tmp_path), ca_file=authority, client_tls_certificate="mine")
    assert await get(upstream, f"{nginx}who") == (200, b"CN=alice")
    for suffix in ("crt", "key"):
        (tmp_path / f"alice.{suffix}").write_bytes((tmp_path / f"bob.{suffix}").read_bytes())
    assert await get(upstream, f"{nginx}who") == (200, b"CN=bob")
    await upstream.close()
