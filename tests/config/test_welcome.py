"""What is printed at the start."""

import pytest

from regproxy.model.settings import Configuration, Listener, RepositorySettings, Server
from regproxy.welcome import address_of, welcome


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (Server(), "http://127.0.0.1:8081"),
        (Server(listen=("tcp:80",)), "http://127.0.0.1:80"),
        (Server(listen=("tcp:port=80:interface=0.0.0.0",)), "http://127.0.0.1:80"),
        (Server(listen=(r"tcp:80:interface=\:\:1",)), "http://[::1]:80"),
        (Server(base_url="https://cache.example/"), "https://cache.example"),
        (Server(listen=(), listener=(Listener(address="cache:8443", certificate="c", key="k"),)), "https://cache:8443"),
    ],
)
def test_address(server: Server, expected: str) -> None:
    """What a client on this machine would use."""
    assert address_of(Configuration(server=server)) == expected


def test_lines() -> None:
    """The address, the repositories, what needs attention and at most two lines to copy."""
    repositories = tuple(
        RepositorySettings(key=kind, rclass="remote", package_type=kind, url="https://x.example")
        for kind in ("generic", "huggingfaceml", "docker")
    )
    pypi = RepositorySettings(key="pypi", rclass="remote", package_type="pypi", url="auto")
    own = RepositorySettings(key="own", rclass="local", package_type="docker")  # with nothing in it that could be pulled
    lines = welcome(Configuration(repository=(own, *repositories, pypi)), ("pypi",)).splitlines()
    assert lines[:2] == ["regproxy serves http://127.0.0.1:8081", "repositories: own, generic, huggingfaceml, docker, pypi"]
    assert lines[2].startswith("needs url: pypi ")
    assert lines[3:] == [
        "try:",
        "  podman pull --tls-verify=false 127.0.0.1:8081/docker/library/alpine",
        "  HF_ENDPOINT=http://127.0.0.1:8081/api/huggingfaceml/huggingfaceml hf download hf-internal-testing/tiny-random-gpt2",
    ]


def test_nothing_to_serve() -> None:
    """An empty configuration is said to be one."""
    assert welcome(Configuration()).splitlines() == ["regproxy serves http://127.0.0.1:8081", "repositories: none"]
