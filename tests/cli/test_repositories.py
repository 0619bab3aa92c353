"""``regproxy repo`` as operators run it, beside a server."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner

from regproxy.cli.main import main
from regproxy.control import SOCKET
from tests.fakes.deploying import ask, local
from tests.fakes.files import remote
from tests.fakes.process import Regproxy
from tests.wire.test_life import is_listening, wait_until


def run(data_dir: Path, *words: str) -> tuple[int, str]:
    """Status and output."""
    done = CliRunner().invoke(main, [*words, "--data-dir", str(data_dir)])
    return done.exit_code, done.output


def test_repositories(twist_regproxy: Callable[..., Regproxy]) -> None:
    """Listed, shown, made, changed and removed; each change is served at once, and what the file says stays."""
    regproxy = twist_regproxy(remote("http://127.0.0.1:9") + "\n" + local("own"), server="workers = 2\n")
    folder = regproxy.data_dir
    wait_until(lambda: is_listening(folder / SOCKET))
    assert run(folder, "repo", "list") == (
        0,
        "files\tremote\tgeneric\thttp://127.0.0.1:9\tfile\nown\tlocal\tgeneric\t\tfile\n",
    )
    made = run(folder, "repo", "create", "packages", "--type", "local", "--package-type", "pypi", "--set", 'maxBytes="1GiB"')
    assert made == (0, "packages: local pypi repository\n")
    assert ask(regproxy, "GET", "/api/pypi/packages/simple/").status == 200
    code, text = run(folder, "repo", "list", "--type", "local", "--package-type", "pypi", "--json")
    assert (code, [(each["key"], each["declared"]) for each in json.loads(text)]) == (0, [("packages", "api")])
    assert run(folder, "repo", "update", "packages", "--description", "ours", "--unset", "maxBytes")[0] == 0
    shown = json.loads(run(folder, "repo", "show", "packages")[1])
    assert (shown["description"], shown["maxBytes"]) == ("ours", "")
    assert "say --yes" in run(folder, "repo", "delete", "packages")[1]
    assert run(folder, "repo", "delete", "packages", "--yes") == (0, "packages: removed, 0 files\n")
    assert ask(regproxy, "GET", "/api/pypi/packages/simple/").status == 404


def test_what_cannot_be_done(twist_regproxy: Callable[..., Regproxy]) -> None:
    """One line that says why, and status 1; 2 for what is no command."""
    folder = twist_regproxy(local("own")).data_dir
    wait_until(lambda: is_listening(folder / SOCKET))
    for words, said in (
        (("show", "none"), "there is no repository 'none'"),
        (("create", "own", "--type", "local", "--package-type", "generic"), "there is a repository 'own' already"),
        (("create", "more", "--type", "remote", "--package-type", "pypi", "--set", "nothing=1"), "url"),
        (("update", "own", "--url", "http://a"), "declared in the configuration file"),
        (("delete", "none", "--yes"), "there is no repository 'none'"),
    ):
        code, text = run(folder, "repo", *words)
        assert (code, said in text, text.count("\n")) == (1, True, 1), text
    assert run(folder, "repo", "update", "own", "--set", "=")[0] == 2
    code, text = run(folder, "cache", "is-cached", "own", "--json")
    assert (code, json.loads(text)) == (1, {"nodes": 0, "bytes": 0, "pinned": 0})
