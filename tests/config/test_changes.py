"""What differs between two configurations."""

from regproxy.config_changes import Changes, changed
from regproxy.model.settings import ClientCertificate, Configuration, Docker, Proxy, RepositorySettings, Server, Store


def remote(key: str, url: str = "https://x.example", **more: str) -> RepositorySettings:
    """A repository."""
    return RepositorySettings(key=key, rclass="remote", url=url, **more)  # type: ignore[arg-type]  # keys of type str only


def test_nothing() -> None:
    """Equal configurations, no changes."""
    assert changed(Configuration(repository=(remote("a"),)), Configuration(repository=(remote("a"),))) == Changes()


def test_repositories() -> None:
    """Added, removed and replaced are told apart; the order in the file means nothing."""
    old = Configuration(repository=(remote("a"), remote("b"), remote("c")))
    new = Configuration(repository=(remote("d"), remote("c", "https://y.example"), remote("a")), docker=Docker())
    assert changed(old, new) == Changes(added=("d",), removed=("b",), replaced=("c",))


def test_what_a_repository_names() -> None:
    """Another proxy or certificate behind the same name replaces those that use it."""
    repositories = (remote("a", proxy="p"), remote("b", client_tls_certificate="c"), remote("d"))
    old = Configuration(
        repository=repositories,
        proxy=(Proxy(key="p", url="http://one:1"),),
        certificate=(ClientCertificate(alias="c", certificate="/1", key="/1"),),
    )
    new = Configuration(
        repository=repositories,
        proxy=(Proxy(key="p", url="http://two:1"),),
        certificate=(ClientCertificate(alias="c", certificate="/2", key="/1"),),
    )
    assert changed(old, new).replaced == ("a", "b")


def test_mappings() -> None:
    """``[docker]`` is swapped without a restart."""
    assert changed(Configuration(), Configuration(docker=Docker(default_repository="a"))) == Changes(mappings=True)


def test_restart() -> None:
    """What a running process cannot change is refused, each key by its name."""
    new = Configuration(server=Server(listen=("tcp:1",), data_dir="/x"), store=Store(max_bytes="1"))
    refused = [line.partition(": ")[0] for line in changed(Configuration(), new).refused]
    assert refused == ["server.listen", "server.dataDir", "store.maxBytes"]
