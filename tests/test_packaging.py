"""What an installation needs to find: the plugin, the commands, the files beside the code."""

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.process import CHECKOUT, environment, twist


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program somewhere else than in the checkout."""
    return subprocess.run(arguments, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    """The metadata."""
    parser = configparser.ConfigParser()
    parser.read(CHECKOUT / "setup.cfg")
    return parser


def test_twist_lists_the_plugin(tmp_path: Path) -> None:
    """``twist --help`` has us among its commands."""
    done = run(tmp_path, *twist("--help"))
    assert done.returncode == 0
    assert "    regproxy " in done.stdout


def test_plugin_folder_is_no_package(setup_cfg: configparser.ConfigParser) -> None:
    """With an ``__init__.py`` there, Twisted's own plugins would be hidden; without the entry, the wheel would not have ours."""
    assert list((CHECKOUT / "twisted").rglob("__init__.py")) == []
    assert setup_cfg["options.packages.find"]["include"].split() == ["regproxy*", "twisted.plugins"]


def test_bad_configuration_ends_with_3(tmp_path: Path) -> None:
    """``twist regproxy`` prints a line for each mistake and no traceback."""
    (tmp_path / "bad.toml").write_text("[server]\nworkers = 'x'\nnonsense = 1\n")
    done = run(tmp_path, *twist("regproxy", "--config", "bad.toml"))
    assert done.returncode == 3
    assert [line.partition(": expected")[0] for line in done.stderr.splitlines()] == [
        "bad.toml: server.nonsense",
        "bad.toml: server.workers",
    ]
    assert "Traceback" not in done.stdout


def test_shipped_configuration_is_good(tmp_path: Path) -> None:
    """``regproxy config check`` says so, with the formats that exist."""
    done = run(tmp_path, sys.executable, "-m", "regproxy", "config", "check", str(CHECKOUT / "etc" / "regproxy.toml"))
    assert (done.returncode, done.stderr) == (0, "")


def test_help_is_quick(tmp_path: Path) -> None:
    """``regproxy --help`` loads neither the server nor Twisted."""
    code = (
        "import sys, regproxy.cli.main; print([name for name in ('twisted', 'klein', 'rich', 'msgspec') if name in sys.modules])"
    )
    assert run(tmp_path, sys.executable, "-c", code).stdout == "[]\n"


def test_data_files_are_listed(setup_cfg: configparser.ConfigParser) -> None:
    """What is not Python goes into the wheel only if it is named."""
    data = {name.strip(): patterns.split() for name, patterns in setup_cfg["options.package_data"].items()}
    files = [path for path in (CHECKOUT / "regproxy").rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}]
    unlisted = [
        str(path.relative_to(CHECKOUT))
        for path in files
        if not any(path.match(pattern) for pattern in data.get(".".join(path.parent.relative_to(CHECKOUT).parts), []))
    ]
    assert unlisted == []
