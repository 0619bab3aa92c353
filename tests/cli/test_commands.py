"""The ``regproxy`` command, in this process, with a control socket that a real reactor serves."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import click
import pytest
import pytest_twisted
from click.testing import CliRunner, Result
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from regproxy import __version__
from regproxy.cli.main import main
from regproxy.cli.showing import size
from regproxy.control import SOCKET, Control, Draining, DrainSwitch, LiveFill

FILLS = [
    LiveFill(repository="hub", path="young", received=10, size=None, age=1.0, followers=1, rate=5.0),
    LiveFill(repository="hub", path="old\x1b[2J", received=3 << 20, size=6 << 30, age=90.0, followers=12, rate=2e6),
]

LEFT = Draining(draining=True, responses=3, fills=2)


def regproxy(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest_twisted.async_yield_fixture
async def served(tmp_path: Path) -> AsyncIterator[Path]:
    """A data directory whose control socket is served."""
    asked = {b"drain": DrainSwitch(lambda: LEFT)}
    control = Control(reactor, tmp_path / SOCKET, lambda: FILLS, asked)  # type: ignore[arg-type]  # the reactor is a module to mypy
    control.startService()
    yield tmp_path
    await control.stopService()  # type: ignore[misc]  # it listens, so there is something to wait for


def test_version() -> None:
    """One word."""
    assert regproxy("version").output == f"{__version__}\n"
    assert json.loads(regproxy("version", "--json").output) == {"version": __version__}


def test_json_everywhere() -> None:
    """Every command has it."""

    def without(command: click.Command, name: str) -> list[str]:
        if isinstance(command, click.Group):
            return [found for word, each in command.commands.items() for found in without(each, f"{name} {word}")]
        return [] if any("--json" in parameter.opts for parameter in command.params) else [name]

    assert [] == without(main, "regproxy")


def test_check_of_a_good_file(tmp_path: Path) -> None:
    """Says so, and exits with 0."""
    file = tmp_path / "f.toml"
    file.write_text("[server]\n")
    result = regproxy("config", "check", file)
    assert (result.exit_code, result.output) == (0, f"{file}: good, 0 repositories\n")
    assert json.loads(regproxy("config", "check", file, "--json").output) == {"good": True, "repositories": 0}


def test_check_of_a_bad_file(tmp_path: Path) -> None:
    """Every line on stderr, and status 3."""
    file = tmp_path / "f.toml"
    file.write_text("[server]\nworkers = 'x'\nnonsense = 1\n")
    result = regproxy("config", "check", file)
    assert (result.exit_code, result.stdout) == (3, "")
    assert [line.partition(": ")[0] for line in result.stderr.splitlines()] == [str(file)] * 2
    told = regproxy("config", "check", file, "--json")
    assert (told.exit_code, json.loads(told.stdout)) == (3, {"good": False, "mistakes": result.stderr.splitlines()})


def test_wrong_usage() -> None:
    """Status 2, as click has it."""
    assert regproxy("fetch").exit_code == 2


@pytest_twisted.ensureDeferred
async def test_fetches_as_json(served: Path) -> None:
    """For programs: a list of objects."""
    result = await deferToThread(regproxy, "fetches", "--json", "--data-dir", served)
    assert result.exit_code == 0
    assert [fill["received"] for fill in json.loads(result.output)] == [10, 3 << 20]


@pytest_twisted.ensureDeferred
async def test_fetches_as_lines(served: Path) -> None:
    """For people in a pipe: plain lines, the oldest first, without control characters of names; dataDir comes from the file."""
    file = served / "f.toml"
    file.write_text(f'[server]\ndataDir = "{served}"\n')
    result = await deferToThread(regproxy, "fetches", "--config", file)
    assert result.output.splitlines() == [
        "hub\told?[2J\t3.0 MiB\t6.0 GiB\t90 s\t12\t1.9 MiB/s",
        "hub\tyoung\t10 B\t?\t1 s\t1\t5 B/s",
    ]


@pytest_twisted.ensureDeferred
async def test_drain(served: Path) -> None:
    """Says what is left; who waits in vain is told so by status 1."""
    result = await deferToThread(regproxy, "drain", "--data-dir", served)
    assert (result.exit_code, result.output) == (0, "draining: 3 responses and 2 fills are left\n")
    result = await deferToThread(regproxy, "drain", "--wait", "0.1", "--data-dir", served)
    assert (result.exit_code, result.stderr) == (1, "draining: 3 responses and 2 fills are left\n")


@pytest_twisted.ensureDeferred
async def test_socket_is_private_and_leaves(tmp_path: Path) -> None:
    """Mode 0600, in place of what a crash left; gone when the server has stopped."""
    (tmp_path / "control.sock").write_text("stale")
    control = Control(reactor, tmp_path / SOCKET, list)  # type: ignore[arg-type]  # as above
    control.startService()
    assert control.path.is_socket()
    assert control.path.stat().st_mode & 0o777 == 0o600
    await control.stopService()  # type: ignore[misc]  # as above
    assert not control.path.exists()


def test_nobody_to_ask(tmp_path: Path) -> None:
    """Without a server: one line, status 1."""
    result = regproxy("fetches", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == f"{tmp_path}/control.sock: no regproxy to ask (No such file or directory)\n"


def test_a_data_dir_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is where the server has it; a variable that is not set is a line about the configuration."""
    file = tmp_path / "regproxy.toml"
    file.write_text('[server]\ndataDir = "${STATE}/data"\n')
    monkeypatch.setenv("STATE", str(tmp_path))
    assert f"{tmp_path}/data/{SOCKET}: no regproxy to ask" in regproxy("fetches", "--config", file).stderr
    monkeypatch.delenv("STATE")
    result = regproxy("fetches", "--config", file)
    assert (result.exit_code, result.stderr) == (
        3,
        f"{file}: server.dataDir: expected the environment variable STATE to be set\n",
    )


def test_no_configuration(tmp_path: Path) -> None:
    """Without a file to find dataDir in: status 3."""
    assert regproxy("fetches", "--config", tmp_path / "none.toml").exit_code == 3


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB"), (3e18, "2728484.1 TiB")]
)
def test_size(number: float, expected: str) -> None:
    """Units of 1024."""
    assert size(number) == expected
