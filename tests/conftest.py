"""What all tests share: markers of tests that need something of the machine, and a regproxy process to talk to.

``@pytest.mark.client("skopeo", "docker-registry")`` and ``@pytest.mark.network`` skip where something is missing, with a reason
that says what. With ``REGPROXY_REQUIRE_CLIENTS=1``, as ``.ci/run`` sets it, nothing marked so may be skipped, for whatever
reason: it fails. ``@pytest.mark.full`` is left out unless ``REGPROXY_FULL=1``, as ``make faults`` sets it.
"""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.fakes import clients
from tests.fakes.process import Regproxy
from tests.fakes.process import free_port as find_free_port

REQUIRED = os.environ.get("REGPROXY_REQUIRE_CLIENTS") == "1"
FULL = os.environ.get("REGPROXY_FULL") == "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes too long for every commit."""
    if FULL:
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here."""
    for marker in item.iter_markers("client"):
        missing = [name for name in marker.args if not clients.is_here(name)]
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)} (.ci/run installs them)")
    if item.get_closest_marker("network") and not REQUIRED:
        pytest.skip("needs the package index; runs with REGPROXY_REQUIRE_CLIENTS=1")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip of a marked test into a failure where the clients are required."""
    report = yield
    marked = item.get_closest_marker("client") or item.get_closest_marker("network")
    if REQUIRED and marked and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but REGPROXY_REQUIRE_CLIENTS=1: {call.excinfo.value if call.excinfo else ''}"
    return report


@pytest.fixture
def free_port() -> int:
    """A TCP port on 127.0.0.1 for a server of the test."""
    return find_free_port()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty folder for state."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def client_program() -> Callable[[str], Path]:
    """Finds an installed client; the test must carry its ``client`` marker."""

    def find(name: str) -> Path:
        found = clients.find_program(name)
        assert found is not None, f"mark the test with client({name!r})"
        return found

    return find


@pytest.fixture
def client_python() -> Callable[[str], Path]:
    """Finds the interpreter of a client's virtual environment; the test must carry its ``client`` marker."""

    def find(name: str) -> Path:
        found = clients.find_python(name)
        assert found is not None, f"mark the test with client({name!r})"
        return found

    return find


@pytest.fixture
def twist_regproxy(tmp_path: Path) -> Iterator[Callable[..., Regproxy]]:
    """Starts ``twist regproxy`` with the given repositories (TOML) and waits until it is ready; stops it behind the test.

    ``twist_regproxy(repositories, server="…", env={…}, ready=True, files=64, memory=1 << 28)``; the test fails if a log has an
    uncaught exception in it.
    """
    started: list[Regproxy] = []

    def start(
        repositories: str,
        *,
        server: str = "",
        env: dict[str, str] | None = None,
        ready: bool = True,
        files: int | None = None,
        memory: int | None = None,
    ) -> Regproxy:
        process = Regproxy(tmp_path / f"regproxy-{len(started)}", repositories, server, env or {}, files, memory)
        started.append(process)
        process.start(ready=ready)
        return process

    yield start
    failures = []
    for process in started:
        try:
            process.close()
        except AssertionError as error:
            failures.append(str(error))
    assert failures == []
