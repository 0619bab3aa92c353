"""Files with mistakes: one line each, with file, key and what was expected."""

from pathlib import Path

import pytest

from regproxy.config import ConfigurationError, load
from tests.fakes.formats import named_formats

KINDS = 'repository[0].rclass (a): expected "remote" or "local" or "virtual"'
REPOSITORY = '[[repository]]\nkey = "r"\nrclass = "remote"\nurl = "https://r.example"\n'
DOCKER = REPOSITORY + 'packageType = "docker"\n'


def mistakes(tmp_path: Path, text: str) -> list[str]:
    """The lines about a file, without its name."""
    file = tmp_path / "f.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load(file, formats=named_formats(), environment={})
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{file}: ") for line in lines)
    return [line.removeprefix(f"{file}: ") for line in lines]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = ", "end of document: expected TOML"),
        ("[server\n", "line 1, column"),
        ("[server]\nlisten = 'tcp:1'", "server.listen: expected a list, got a string"),
        ("[server]\nworkers = '1'", "server.workers: expected a whole number, got a string"),
        ("[server]\nworkers = 0", "server.workers: expected a number from 1 to 30"),
        ("[server]\nworkers = 31", "server.workers: expected a number from 1 to 30"),
        ("[server]\nworkrs = 1", "server.workrs: expected a key that regproxy knows; did you mean workers?"),
        ("[server]\nlisten = ['tcp:http:many']", "server.listen[0]: expected a Twisted endpoint"),
        ("[server]\nlisten = ['nonsense']", "server.listen[0]: expected a Twisted endpoint"),
        ("[server]\nlisten = []", "server.listen: expected at least one"),
        ("[server]\nbaseUrl = 'example.org'", "server.baseUrl: expected an http or https URL"),
        ("[server]\ntrustedProxies = ['lan']", "server.trustedProxies[0]: expected an address"),
        ("[server]\ndataDir = ''", "server.dataDir: expected a folder"),
        ("[server]\nsendfile = 'on'", 'server.sendfile: expected "auto" or "off"'),
        ("[[server.listener]]\naddress = 'x'", "server.listener[0].certificate: expected a string, but it is missing"),
        ("[[oidc]]\nname = 'x'\nissuer = 'https://x'", "oidc[0].audience: expected a list, but it is missing"),
        ("server = 1", "server: expected a table"),
        ("[store]\nmaxBytes = '5 boxes'", "store.maxBytes: expected a size"),
        ("[store]\nparkedMaxBytes = ''", "store.parkedMaxBytes: expected a size"),
        ("[archives]\natOnce = -1", "archives.atOnce: expected 0 or more"),
        ("[archives]\nmaxFiles = -1", "archives.maxFiles: expected 0 or more"),
        ("[archives]\nmaxBytes = ''", "archives.maxBytes: expected a size"),
        ("[store]\nparkedHours = -1", "store.parkedHours: expected 0 or more"),
        ("[store]\nuploadHours = 0", "store.uploadHours: expected more than 0"),
        ("[store]\ntype = 's3'", 'store.type: expected "disk"'),
        ("[repository]\nkey = 'a'", "repository: expected a list of tables, written as [[repository]]"),
        (
            "[[repository]]\nkey = 'a'\nurl = 'http://a'",
            f"{KINDS}, but it is missing",
        ),
        (
            "[[repository]]\nkey = 'a'\nrclass = 'virtual'\nurl = 'http://a'",
            "repository[0].rclass (a): expected local or remote: generic has no other",
        ),
        ("[[repository]]\nkey = 'a'\nrclass = 'local'\nurl = 'http://a'", "repository[0].url (a): expected nothing"),
        (
            "[[repository]]\nkey = 'a'\nrclass = 'local'\npackageType = 'docker'",
            "repository[0].rclass (a): expected remote: docker has",
        ),
        ("[access]\nanonymousWrite = 'yes'", 'access.anonymousWrite: expected "loopback" or "anywhere" or "never"'),
        (REPOSITORY + "packageType = 'floppy'", "repository[0].packageType (r): expected one of docker, generic"),
        (
            REPOSITORY + "socketTimeoutMilis = 5",
            "repository[0].socketTimeoutMilis (r): expected a key that regproxy knows; did you",
        ),
        (REPOSITORY + "socketTimeoutMillis = -5", "repository[0].socketTimeoutMillis (r): expected at least 0"),
        (
            REPOSITORY + "socketTimeoutMillis = '5'",
            "repository[0].socketTimeoutMillis (r): expected a whole number, got a string",
        ),
        (REPOSITORY + "allowedHosts = ['a', 1]", "repository[0].allowedHosts[1] (r): expected a string, got a whole number"),
        (REPOSITORY + "allowedHosts = ['https://a/']", "repository[0].allowedHosts[0] (r): expected a host"),
        (REPOSITORY + "hardFail = 1", "repository[0].hardFail (r): expected true or false, got a whole number"),
        (REPOSITORY + "proxy = 'p'", "repository[0].proxy (r): expected the key of a [[proxy]]"),
        (REPOSITORY + "clientTlsCertificate = 'p'", "repository[0].clientTlsCertificate (r): expected the alias"),
        (REPOSITORY + "queryParams = '?a=1'", "repository[0].queryParams (r): expected what stands behind"),
        (REPOSITORY + "caFile = 'none.pem'", "repository[0].caFile (r): expected a readable file"),
        (REPOSITORY + "passwordFile = 'none'", "repository[0].passwordFile (r): expected a readable file that holds one line"),
        (
            REPOSITORY + "password = 'a'\npasswordFile = 'none'",
            "repository[0].passwordFile (r): expected this or password, not both",
        ),
        (REPOSITORY + "segmentThreshold = 'x'", "repository[0].segmentThreshold (r): expected a size"),
        (REPOSITORY + "segments = 999", "repository[0].segments (r): expected at most 64"),
        (REPOSITORY + "localAddress = 'here'", "repository[0].localAddress (r): expected an address"),
        ("[log]\naccessFile = '/nowhere/access.log'", "log.accessFile: expected a file that can be written"),
        ("[log]\naccessFile = '/'", "log.accessFile: expected a file that can be written"),
        (REPOSITORY + "username = '${NOBODY_SET}'", "repository[0].username: expected the environment variable NOBODY_SET"),
        (
            REPOSITORY + "customHttpHeaders = [{name='Host', value='a'}]",
            "repository[0].customHttpHeaders[0] (r): expected a header",
        ),
        (REPOSITORY + "customHttpHeaders = [{name='X'}]", "repository[0].customHttpHeaders[0].value (r): expected a string, but"),
        (REPOSITORY + REPOSITORY, "repository[1].key (r): expected a name that no other one has"),
        (DOCKER.replace('"r"', '"Hub"'), "repository[0].key (Hub): expected lower-case"),
        (REPOSITORY.replace("https:", "ftp:"), "repository[0].url (r): expected an http or https URL"),
        (REPOSITORY.replace("https://r.example", ""), "repository[0].url (r): expected an http or https URL"),
        (REPOSITORY.replace("https://r.example", "auto"), "repository[0].url (r): expected an http or https URL: no client of"),
        ("[docker]\ndefaultRepository = 'r'\n" + REPOSITORY, "docker.defaultRepository: expected the key of a docker"),
        ("[docker.namespaces]\n'docker.io' = 'x'\n" + DOCKER, 'docker.namespaces."docker.io": expected the key of a docker'),
        ("[docker.namespaces]\n'a b' = 'r'\n" + DOCKER, "docker.namespaces: expected a host"),
        ("[docker.namespaces]\nx = 1", "docker.namespaces[...]: expected a string, got a whole number"),
        ("[[proxy]]\nkey = 'p'\nurl = 'socks5://p'", "proxy[0].url (p): expected the URL of an HTTP proxy"),
    ],
)
def test_each_mistake(tmp_path: Path, text: str, expected: str) -> None:
    """The line that an operator sees, by its beginning."""
    lines = mistakes(tmp_path, text)
    assert [line for line in lines if line.startswith(expected)] == lines[:1]


@pytest.mark.parametrize(
    "key",
    ["", "a b", "-a", "a/b", "x" * 65, "é", "api", "v2", "metrics", "pypi-cache"],
)
def test_refused_keys(tmp_path: Path, key: str) -> None:
    """Keys that would not fit into an address, or stand for something else there."""
    lines = mistakes(tmp_path, REPOSITORY.replace('"r"', f'"{key}"'))
    assert len(lines) == 1
    assert lines[0].startswith("repository[0].key")


def test_all_at_once(tmp_path: Path) -> None:
    """One mistake does not hide those of other tables."""
    text = "[server]\nworkers = 'x'\nbogus = 1\n[store]\ntype = 'tape'\n"
    text += "[[repository]]\nkey = 'a'\n[[repository]]\nrclass = 'remote'\n"
    keys = [line.partition(": ")[0] for line in mistakes(tmp_path, text)]
    assert keys == ["server.bogus", "server.workers", "store.type", "repository[0].rclass (a)", "repository[1].key"]


def test_all_references_at_once(tmp_path: Path) -> None:
    """Nor do mistakes of meaning."""
    lines = mistakes(tmp_path, DOCKER + "proxy = 'x'\n[docker]\ndefaultRepository = 'y'\n[store]\nmaxBytes = 'z'\n")
    assert [line.partition(": ")[0] for line in lines] == [
        "store.maxBytes",
        "repository[0].proxy (r)",
        "docker.defaultRepository",
    ]


@pytest.mark.parametrize(
    "text",
    [
        REPOSITORY.replace("https://r.example", "https://user:hunter2@r.example"),
        REPOSITORY + "password = ['hunter2']",
        REPOSITORY + "token = 'hunter2'\ntokenFile = 'f.toml'",
        REPOSITORY + "queryParams = '#hunter2'",
        REPOSITORY + "customHttpHeaders = [{name = 'X', value = \"hunter2\\u0000\"}]",
        REPOSITORY + "landing = 'hunter2'",
        "[[proxy]]\nkey = 'p'\nurl = 'http://u:hunter2@p:1'",
    ],
)
def test_no_value_in_a_line(tmp_path: Path, text: str) -> None:
    """Mistakes are logged: what was written in place of what was expected is not."""
    assert "hunter2" not in "\n".join(mistakes(tmp_path, text))


def test_secret_file_stays_secret(tmp_path: Path) -> None:
    """A file of several lines is refused without a word of what it holds."""
    (tmp_path / "pw").write_text("hunter2\nhunter3\n")
    lines = mistakes(tmp_path, REPOSITORY + "passwordFile = 'pw'")
    assert lines == ["repository[0].passwordFile (r): expected a readable file that holds one line of text"]


def test_not_text(tmp_path: Path) -> None:
    """A binary file is refused as what it is."""
    file = tmp_path / "f.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="line 1: expected UTF-8"):
        load(file, formats=named_formats())


def test_a_variable_that_is_not_set_hides_no_other_mistake(tmp_path: Path) -> None:
    """It is told once, whatever else would be wrong with an empty value, and so is all the rest."""
    lines = mistakes(
        tmp_path, REPOSITORY.replace("https://r.example", "${NOBODY_SET}") + "segments = 0\nsegmentThreshold = 'x'\n"
    )
    assert ["repository[0].url", "repository[0].segments (r)", "repository[0].segmentThreshold (r)"] == [
        line.partition(": ")[0] for line in lines
    ]
