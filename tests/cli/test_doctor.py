"""``regproxy doctor``: what is well, what is not, and what to do about it."""

import json
import os
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from click.testing import CliRunner

from regproxy.cli.doctoring import machine, upstreams
from regproxy.cli.doctoring.finding import Finding
from regproxy.cli.main import main
from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import RepositorySettings
from tests.fakes.certificates import Authority
from tests.fakes.files import remote, serving
from tests.fakes.index import Index
from tests.fakes.process import CHECKOUT, free_port

HEAD = '[server]\nlisten = ["tcp:0"]\ndataDir = "{}"\n'


def written(folder: Path, *tables: str) -> Path:
    """A configuration with a data folder of its own."""
    (folder / "data").mkdir(mode=0o700)
    file = folder / "regproxy.toml"
    file.write_text(HEAD.format(folder / "data") + "\n".join(tables))
    return file


def offline(file: Path) -> tuple[int, dict[str, Finding]]:
    """What is found without asking anybody: the last word on each subject."""
    done = CliRunner().invoke(main, ["doctor", "--offline", "--json", "--config", str(file)])
    found = [Finding(**each) for each in json.loads(done.stdout)]
    return done.exit_code, {each.subject: each for each in found}


def test_upstreams(tmp_path: Path) -> None:
    """Each is asked as the server would ask it; one that refuses us and one that is not there make the status 1."""
    shut = free_port()
    with serving({"/": b"x"}) as files, Index() as index:
        tables = [
            remote(files.url),
            remote(f"http://127.0.0.1:{shut}").replace('"files"', '"gone"'),
            remote(files.url, "offline = true").replace('"files"', '"off"'),
            remote(files.url, 'credentialHelper = ["false"]').replace('"files"', '"helped"'),
            index.remote("pypi"),
        ]
        file = written(tmp_path, *tables)
        done = subprocess.run(
            [sys.executable, "-m", "regproxy", "doctor", "--config", str(file), "--json"],
            cwd=CHECKOUT,
            env={**os.environ, "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    found = {each["subject"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 1
    states = {name: found[f"repository {name}"]["state"] for name in ("files", "gone", "off", "helped", "pypi")}
    assert states == {"files": "ok", "gone": "bad", "off": "ok", "helped": "bad", "pypi": "ok"}
    assert "refuses connections" in found["repository gone"]["text"]
    assert "credential helper" in found["repository helped"]["text"]
    assert found["clock"]["state"] == "ok"
    assert "Traceback" not in done.stderr


def test_a_machine_that_is_well(tmp_path: Path) -> None:
    """Every line is ok, and the status 0; people read lines."""
    file = written(tmp_path)
    code, found = offline(file)
    assert (code, {each.state for name, each in found.items() if name != "descriptors"} <= {"ok", "warning"}) == (0, True)
    assert found["dataDir"].text == f"{tmp_path}/data can be written to"
    shown = CliRunner().invoke(main, ["doctor", "--offline", "--config", str(file)]).stdout.splitlines()
    assert shown[0] == f"ok   configuration: {file} is good, with 0 repositories"


def test_what_others_can_see(tmp_path: Path) -> None:
    """The folder, files of secrets, a configuration with a password, and the password that is still there."""
    (tmp_path / "secret").write_text("s")
    (tmp_path / "secret").chmod(0o644)
    inside = remote("http://127.0.0.1:9", 'username = "u"', 'password = "p"').replace('"files"', '"b"')
    file = written(tmp_path, remote("http://127.0.0.1:9", 'username = "u"', 'passwordFile = "secret"'), inside)
    (tmp_path / "data" / "admin.password").write_text("p")
    (tmp_path / "data").chmod(0o755)
    file.chmod(0o644)
    done = CliRunner().invoke(main, ["doctor", "--offline", "--config", str(file)])
    warnings = [line for line in done.stdout.splitlines() if line.startswith("WARN")]
    for part in ("chmod 700", f"chmod 600 {tmp_path}/secret", f"chmod 640 {file}", "change it (regproxy user create admin)"):
        assert [line for line in warnings if part in line], (part, done.stdout)
    assert done.exit_code == 0


def test_a_proxy_in_front(tmp_path: Path) -> None:
    """That may make everybody one who is on this machine is worth a word."""
    file = written(tmp_path)
    file.write_text(file.read_text().replace("[server]\n", '[server]\nbaseUrl = "https://a.example"\n'))
    code, found = offline(file)
    assert (code, found["anonymousWrite"].state) == (0, "warning")
    assert "trustedProxies" in found["anonymousWrite"].advice


def test_mistakes(tmp_path: Path) -> None:
    """Of the configuration end it, with status 3."""
    file = tmp_path / "regproxy.toml"
    file.write_text("[server]\nnothing = 1\n")
    done = CliRunner().invoke(main, ["doctor", "--config", str(file)])
    assert (done.exit_code, "nothing" in done.stderr) == (3, True)


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is bad, and one that is too small for what it is to hold is worth a word."""
    file = written(tmp_path, '[store]\nmaxBytes = "9000TiB"')
    monkeypatch.setattr(machine, "LEAST_FREE", 1 << 60)
    code, found = offline(file)
    assert (code, found["disk"].state) == (1, "warning")
    assert "more than the disk has" in found["disk"].text
    monkeypatch.setattr(machine, "_FAR", (machine._file_system(tmp_path),))
    assert offline(file)[1]["dataDir"].advice == "the index and the locks need a local file system"


def test_certificates(tmp_path: Path) -> None:
    """One that ends soon is worth a word; what is none is bad."""
    authority = Authority.make(tmp_path)
    pairs = [authority.server(f"for-{days}", days=days) for days in (30, 5)]
    assert [machine._certificate("x", pair.certificate).state for pair in pairs] == ["ok", "warning"]
    (tmp_path / "c.pem").write_text("none")
    assert machine._certificate("x", tmp_path / "c.pem").state == "bad"


@pytest.mark.parametrize(
    ("status", "login", "state"),
    [(200, "", "ok"), (404, "", "ok"), (401, "", "warning"), (403, "u", "bad"), (429, "u", "warning"), (503, "", "warning")],
)
def test_what_an_answer_means(status: int, login: str, state: str) -> None:
    """By its status, and by whether we have shown who we are."""
    settings = RepositorySettings(key="k", rclass="remote", package_type="docker", url="https://r.example", username=login)
    assert upstreams._judged("k", settings, "r.example", status, 0.1).state == state
    assert upstreams._probe(settings) == "https://r.example/v2/"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("x could not agree on TLS with us", "caFile"),
        ("the credential helper of x gave none", "by hand"),
        ("x refuses", "resolver"),
    ],
)
def test_advice(text: str, part: str) -> None:
    """Fits the trouble."""
    assert part in upstreams._advice(RegproxyError(Kind.UPSTREAM_DOWN, text))


def test_the_clock() -> None:
    """The middle one of several says how far ours is off."""
    now = time.time()
    dates = [formatdate(now + off, usegmt=True) for off in (0, 400, 401)]
    ahead = [each for each in (upstreams._ahead(date, now) for date in [*dates, "nonsense", None]) if each is not None]
    assert [each.state for each in upstreams._clock(ahead)] == ["bad"]
    assert [each.state for each in upstreams._clock([0.0, 1.0, -500.0])] == ["ok"]
    assert [each.state for each in upstreams._clock([60.0])] == ["warning"]
    assert upstreams._clock([]) == []
