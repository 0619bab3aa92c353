"""The scene of every test of a hub's client: a hub with a model and a dataset, a regproxy in front of it, a client.

A client runs in its own virtual environment, with an ``HF_HOME`` of its own, so what it gets comes over the wire.
"""

import json
import os
import random
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.fakes.clients import find_python
from tests.fakes.hub import Hub
from tests.fakes.process import Regproxy

KEY = "hf"
MODEL, DATASET = "acme/tiny", "acme/rows"
WEIGHTS = "model.safetensors"
SECONDS = 60.0
LARGE = 30_000_000


def model_files() -> dict[str, bytes]:
    """Small files, one in a folder with a space in its name, an empty one, and one LFS file."""
    return {
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "README.md": b"# tiny\n",
        "config.json": b'{"model_type": "bert"}\n',
        "empty.txt": b"",
        "onnx/a b.txt": b"in a folder\n",
        "vocab.txt": b"a\nb\n" * 1000,
        WEIGHTS: random.Random(7).randbytes(LARGE),
    }


def dataset_files() -> dict[str, bytes]:
    """Small files only."""
    return {"README.md": b"# rows\n", "data/train.csv": b"a,b\n1,2\n"}


@define(eq=False)
class ClientScene:
    """A proxy, and a client that is pointed to a repository of it.

    Attributes:
        environment: which virtual environment the client is run in.
        key: of the repository.
        front: another address of the proxy, if clients are to use it.
        env: more of the client's environment.
    """

    proxy: Regproxy
    folder: Path
    environment: str
    key: str = KEY
    front: str = ""
    token: str = "hf_of_the_client"
    env: Mapping[str, str] = field(factory=dict)
    homes: int = 0

    @property
    def endpoint(self) -> str:
        """What clients have as ``HF_ENDPOINT``: with Artifactory's prefix, as most are configured."""
        return f"{self.front or self.proxy.base_url}/artifactory/api/huggingfaceml/{self.key}"

    def command(self, *words: str | Path, again: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a program of the client's environment, with nothing cached, or ``again`` with what the last one left there."""
        self.homes += not again
        python = find_python(self.environment)
        assert python is not None
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "PYTHON"))}
        own = {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(self.folder / f"home-{self.homes}"),
            "HF_TOKEN": self.token,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "NO_PROXY": "127.0.0.1",
        }
        return subprocess.run(
            [str(python.parent / words[0]), *map(str, words[1:])],
            env={**kept, **own, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def call(self, code: str) -> Any:
        """Run Python that leaves what is asked for in ``found``, after ``from huggingface_hub import *``."""
        program = f"import json\nfrom huggingface_hub import *\n{code}\nprint(json.dumps(found))"
        done = self.command("python", "-c", program)
        assert done.returncode == 0, f"{code}: {done.stderr[-3000:]}\n{self.proxy.tail}"
        return json.loads(done.stdout.splitlines()[-1])


@define(eq=False, kw_only=True)
class HubScene(ClientScene):
    """The same with a hub behind the proxy.

    Attributes:
        commits: of ``main`` by repository.
    """

    hub: Hub
    commits: dict[str, str]

    def snapshot(self, repo: str, kind: str = "model", revision: str = "main") -> dict[str, bytes]:
        """Download a whole repository: path → bytes."""
        code = f"found = snapshot_download({repo!r}, repo_type={kind!r}, revision={revision!r})"
        folder = Path(self.call(code))
        assert folder.name == self.commits[repo], folder
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make_hub_scene(start: Callable[..., Regproxy], hub: Hub, folder: Path, environment: str, *further: str) -> HubScene:
    """Fill the hub and start the proxy; ``further`` lines of the repository's configuration."""
    commits = {
        MODEL: hub.repo("models", MODEL).commit(model_files()),
        DATASET: hub.repo("datasets", DATASET).commit(dataset_files()),
    }
    return HubScene(start(hub.remote(KEY, *further)), folder, environment, hub=hub, commits=commits)
