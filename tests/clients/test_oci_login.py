"""Clients of a registry log in: private images are pulled and pushed by those who may, and do not exist for others."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import ANONYMOUS, Target, TokenRow, User
from tests.fakes.people import HASH, PASSWORD, populate
from tests.fakes.process import Regproxy
from tests.fakes.registry import Registry
from tests.fakes.registry_image import digest_of
from tests.fakes.registry_scene import KEY, NAME, SECONDS, TAG, Scene, make_scene, run_client

pytestmark = pytest.mark.client("docker-registry", "skopeo")

MINE = '[[repository]]\nkey = "mine"\nrclass = "local"\npackageType = "docker"'
READ = (Action.READ, Action.WRITE)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An upstream."""
    with Registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def private(registry: Registry, twist_regproxy: Callable[..., Regproxy]) -> tuple[Scene, str]:
    """The upstream's images are ann's, and so is a local repository, which all may read; with a token of hers."""
    scene = make_scene(twist_regproxy, registry, MINE)
    (token,) = populate(
        scene.proxy,
        Target(name=OPEN[0].name, repositories=("mine",), users={ANONYMOUS: (Action.READ,)}),
        Target(name=OPEN[1].name),
        User(name="ann", password=HASH),
        User(name="bob", password=HASH),
        Target(name="ann", repositories=(KEY, "mine"), users={"ann": (*READ, Action.DELETE)}),
        TokenRow(id="1", subject="ann", scope="applied-permissions/user", issued=1.0),
    )
    return scene, token


def refused(command: list[str]) -> str:
    """What a client says that fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def logged_in(scene: Scene, folder: Path, user: str, secret: str = PASSWORD) -> str:
    """Log in, and return the file that keeps it."""
    file = str(folder / f"{user}.json")
    run_client(["skopeo", "login", "--tls-verify=false", "--authfile", file, "-u", user, "-p", secret, scene.host])
    return file


def copy(source: str, target: str, auth: str = "") -> list[str]:
    """The command that copies an image with all its platforms."""
    options = ["--authfile", auth] if auth else ["--src-no-creds"] if source.startswith("docker:") else ["--dest-no-creds"]
    return ["skopeo", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", *options, source, target]


def test_pull(tmp_path: Path, private: tuple[Scene, str]) -> None:
    """By password and by token; others are told that there is nothing, or to log in."""
    scene, token = private
    source = f"docker://{scene.host}/{KEY}/{NAME}:{TAG}"
    for number, secret in enumerate((PASSWORD, token)):
        target = tmp_path / str(number)
        run_client(copy(source, f"dir:{target}", logged_in(scene, tmp_path, "ann", secret)))
        assert scene.image.index.digest == digest_of((target / "manifest.json").read_bytes())
    assert "unauthorized" in refused(copy(source, f"dir:{tmp_path}/none")).lower()
    said = refused(copy(source, f"dir:{tmp_path}/bob", logged_in(scene, tmp_path, "bob")))
    assert "no repository" in said or "name unknown" in said
    login = ["skopeo", "login", "--tls-verify=false", "--authfile", str(tmp_path / "x"), "-u", "ann", "-p", "wrong", scene.host]
    assert "invalid username/password" in refused(login)


def test_push(tmp_path: Path, private: tuple[Scene, str]) -> None:
    """Who may, does, and everybody pulls it; who may not hears why."""
    scene, token = private
    run_client(copy(f"docker://{scene.host}/{KEY}/{NAME}:{TAG}", f"dir:{tmp_path}/got", logged_in(scene, tmp_path, "ann", token)))
    target = f"docker://{scene.host}/mine/app:1"
    run_client(copy(f"dir:{tmp_path}/got", target, str(tmp_path / "ann.json")))
    run_client(copy(target, f"dir:{tmp_path}/again"))
    assert scene.image.index.digest == digest_of((tmp_path / "again" / "manifest.json").read_bytes())
    said = refused(copy(f"dir:{tmp_path}/got", f"docker://{scene.host}/mine/other:1", logged_in(scene, tmp_path, "bob")))
    assert "bob may not write this in mine" in said
