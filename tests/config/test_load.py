"""Files that are right: what they become."""

from pathlib import Path

import msgspec
import pytest

from regproxy.config import ConfigurationError, load
from regproxy.model.settings import Configuration, RepositorySettings
from tests.fakes.formats import named_formats

REMOTE = '[[repository]]\nkey = "files"\nrclass = "remote"\nurl = "https://files.example"\n'


def read(tmp_path: Path, text: str, **environment: str) -> Configuration:
    """Load a text as a file."""
    file = tmp_path / "regproxy.toml"
    file.write_text(text)
    return load(file, formats=named_formats(), environment=environment)


def test_empty_file_is_all_defaults(tmp_path: Path) -> None:
    """Nothing set means every default."""
    assert read(tmp_path, "") == Configuration()


def test_keys_of_a_repository(tmp_path: Path) -> None:
    """JSON keys, unchanged; whole numbers are fine where a number is expected."""
    text = (
        REMOTE + 'socketTimeoutMillis = 5\nmetadataRetrievalTimeoutSecs = 3\nallowedHosts = ["cdn.example"]\nmaxBytes = "5GiB"\n'
    )
    expected = RepositorySettings(
        key="files",
        rclass="remote",
        url="https://files.example",
        socket_timeout_millis=5,
        metadata_retrieval_timeout_secs=3,
        allowed_hosts=("cdn.example",),
        max_bytes="5GiB",
    )
    assert read(tmp_path, text).repository == (expected,)


def test_environment(tmp_path: Path) -> None:
    """``${NAME}`` is replaced wherever a string stands; ``$${NAME}`` is not."""
    settings = read(
        tmp_path, REMOTE + 'username = "u-${WHO}"\npassword = "${PW}"\nnotes = "$${WHO}"\n', WHO="me", PW="a$b"
    ).repository[0]
    assert (settings.username, settings.password, settings.notes) == ("u-me", "a$b", "${WHO}")


def test_secret_files_are_relative_to_the_file(tmp_path: Path) -> None:
    """A file's only line is the secret, without its line end."""
    (tmp_path / "pw").write_text("s3cret \n")
    (tmp_path / "tk").write_bytes(b"tok\r\n")
    settings = read(tmp_path, REMOTE + 'passwordFile = "pw"\ntokenFile = "tk"\n').repository[0]
    assert (settings.password, settings.token) == ("s3cret ", "tok")


def test_certificates_become_absolute(tmp_path: Path) -> None:
    """PEM files are found beside the configuration, whatever the working directory is."""
    for name in ("c.pem", "k.pem", "ca.pem"):
        (tmp_path / name).write_text("x")
    text = '[[certificate]]\nalias = "me"\ncertificate = "c.pem"\nkey = "k.pem"\n' + REMOTE
    text += 'clientTlsCertificate = "me"\ncaFile = "ca.pem"\n'
    found = read(tmp_path, text)
    assert found.certificate[0].key == str(tmp_path / "k.pem")
    assert found.repository[0].ca_file == str(tmp_path / "ca.pem")


def test_auto_where_the_format_can_ask(tmp_path: Path) -> None:
    """``auto`` stays until it is resolved."""
    assert read(tmp_path, '[[repository]]\nkey="p"\nrclass="remote"\npackageType="pypi"\nurl="auto"').repository[0].url == "auto"


def test_no_secret_in_repr(tmp_path: Path) -> None:
    """A configuration may be logged."""
    text = REMOTE + 'password = "hunter2"\ntoken = "hunter2"\nqueryParams = "sig=hunter2"\n'
    text += 'customHttpHeaders = [{name = "X-Key", value = "hunter2", sensitive = true}]\n'
    text += '[[proxy]]\nkey = "p"\nurl = "http://proxy:3128"\npassword = "hunter2"\n'
    configuration = read(tmp_path, text)
    assert "hunter2" not in repr(configuration)
    assert b"hunter2" in msgspec.json.encode(configuration)


def test_shipped_endpoints_are_known(tmp_path: Path) -> None:
    """TCP on any interface, TLS listeners and systemd's sockets."""
    listen = ["tcp:8081:interface=127.0.0.1", "tcp:0", r"tcp:80:interface=\:\:1", "systemd:domain=INET:index=0", "unix:/tmp/s"]
    text = "[server]\nlisten = [" + ", ".join(f"'{item}'" for item in listen) + "]\n"
    assert list(read(tmp_path, text).server.listen) == listen


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is a mistake like others."""
    with pytest.raises(ConfigurationError, match=r"none.toml: line 1: expected a readable file: No such file"):
        load(tmp_path / "none.toml", formats=named_formats())
