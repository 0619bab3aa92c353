"""The programs that are measured, by name: how each is started in front of the origin. Their tuning is in ``bench/conf``."""

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import package_peers
from bench.installed import BENCH, DEBIAN, LIBRARIES, program
from bench.origins import Origin
from bench.programs import Program

Make = Callable[[Path, Origin, Mapping[str, object]], Program]


def make(name: str, work: Path, origin: Origin, values: Mapping[str, object]) -> Program:
    """A peer that does not run yet; ``values`` are what a workload sets: scheme, origin, workers, segments."""
    return PEERS[name](work / name, origin, {**_usual(origin, str(values.get("scheme", "http"))), **values})


def _usual(origin: Origin, scheme: str) -> Mapping[str, object]:
    return {
        "scheme": scheme,
        "origin": origin.near.tls_port if scheme == "https" else origin.near.port,
        "authority": origin.authority.path,
        "certificate": origin.pair.certificate,
        "key": origin.pair.key,
        "workers": 1,
        "segments": 1,
        "prefix": DEBIAN,
        "bench": BENCH,
    }


def _regproxy(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    twist = "from twisted.application.twist._twist import Twist; Twist.main()"
    command = [sys.executable, "-c", twist, "--log-level=error", "regproxy", "--config", "@dir@/regproxy.toml"]
    return Program(folder.name, folder, ["regproxy.toml"], command, values, caches=["data"])


def _nginx(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    command = [program("nginx"), "-c", "@dir@/nginx-cache.conf"]
    return Program("nginx", folder, ["nginx-cache.conf"], command, values, caches=["cache"])


def _nginx_slice(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    command = [program("nginx"), "-c", "@dir@/nginx-slice.conf"]
    return Program("nginx-slice", folder, ["nginx-slice.conf"], command, values, caches=["cache"])


def _docker_registry(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    command = [program("docker-registry"), "serve", "@dir@/docker-registry.yml"]
    return Program("docker-registry", folder, ["docker-registry.yml"], command, values, caches=["data"])


def _varnish(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    command = [program("varnishd", DEBIAN / "usr/sbin"), "-F", "-j", "none", "-n", "@dir@/state", "-f", "@dir@/varnish.vcl"]
    command += ["-a", "127.0.0.1:@port@", "-T", "none", "-s", "malloc,3G"]
    # Bodies come in pieces of 1 MiB in place of 16 KiB, and nothing is given up after a minute of a slow client.
    command += ["-p", "fetch_chunksize=1m", "-p", "send_timeout=600", "-p", "thread_pool_min=200"]
    command += ["-p", f"vmod_path={DEBIAN}/usr/lib/x86_64-linux-gnu/varnish/vmods"]
    return Program("varnish", folder, ["varnish.vcl"], command, values, LIBRARIES)


def _squid(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    squid = [program("squid", DEBIAN / "usr/sbin"), "--foreground", "-f", "@dir@/squid.conf"]
    root = os.geteuid() == 0
    owner = "nobody" if root else getpass.getuser()
    # Root gives the folder, and the way to it, to whom squid runs as; squid's own way down would lose the path of its libraries.
    if root:
        squid = [program("setpriv"), f"--reuid={owner}", "--regid=nogroup", "--clear-groups", *squid]
    prepare = [["chown", "-R", owner, "@dir@"], ["chmod", "a+x", str(folder.parent)]] if root else []
    prepare.append([*squid, "-z"])
    return Program(
        "squid", folder, ["squid.conf"], squid, {**values, "owner": owner}, LIBRARIES, prepare=prepare, caches=["cache"]
    )


def _bare(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    return Program("bare", folder, [], [sys.executable, "-m", "bench.bare", "@port@", "@origin@", "@dir@/spool"], values)


def _twisted_web(folder: Path, _: Origin, values: Mapping[str, object]) -> Program:
    return Program("twisted.web", folder, [], [sys.executable, "-m", "bench.twisted_web", "@port@", "@file@"], values)


PEERS: Mapping[str, Make] = {
    "regproxy": _regproxy,
    "regproxy-2-workers": _regproxy,
    "nginx": _nginx,
    "nginx-slice": _nginx_slice,
    "docker-registry": _docker_registry,
    "varnish": _varnish,
    "squid": _squid,
    "bare": _bare,
    "twisted.web": _twisted_web,
    "devpi": package_peers.devpi,
    "proxpi": package_peers.proxpi,
    "verdaccio": package_peers.verdaccio,
    "olah": package_peers.olah,
    "apt-cacher-ng": package_peers.apt_cacher_ng,
}
# Those that serve any blob of the origin as it is.
BLOB_PEERS = ("regproxy", "nginx", "docker-registry", "varnish", "squid")
