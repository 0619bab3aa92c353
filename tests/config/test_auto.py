"""``url = "auto"``: whom it asks, what it remembers."""

import sys
from collections.abc import Sequence

import pytest
import pytest_twisted
from attrs import define, field

from regproxy.auto import Resolved, resolve, run_program, without_credentials
from regproxy.errors import Kind, RegproxyError
from regproxy.model.settings import Configuration, RepositorySettings
from regproxy.repo.interface_auto import AutoUrl
from tests.fakes.formats import named_formats

FIXED = RepositorySettings(key="files", rclass="remote", url="https://files.example")
AUTO = RepositorySettings(key="pypi", rclass="remote", package_type="pypi", url="auto")
FORMATS = named_formats(AutoUrl((("first",), ("second",)), lambda printed: printed or None))


@define
class Machine:
    """Clients that print something, and an index that remembers."""

    prints: dict[str, str | None]
    words: dict[str, str] = field(factory=dict)

    async def run(self, command: Sequence[str]) -> str | None:
        """What a client prints."""
        return self.prints.get(command[0])

    async def remember(self, name: str, word: str) -> None:
        """Keep it."""
        self.words[name] = word

    async def resolve(self, *repositories: RepositorySettings) -> Resolved:
        """Resolve a configuration of these."""
        return await resolve(Configuration(repository=repositories), FORMATS, self.run, self.words.get, self.remember)


def urls(resolved: Resolved) -> list[str]:
    """The URLs in order."""
    return [item.url for item in resolved.configuration.repository]


@pytest_twisted.ensureDeferred
async def test_first_client_that_knows() -> None:
    """Clients are asked in order; the answer is remembered; other repositories stay as they are."""
    machine = Machine({"first": None, "second": "https://mirror.example/simple"})
    resolved = await machine.resolve(FIXED, AUTO)
    assert (urls(resolved), resolved.needs_url) == (["https://files.example", "https://mirror.example/simple"], ())
    assert machine.words == {"auto.pypi": "https://mirror.example/simple"}


@pytest_twisted.ensureDeferred
async def test_remembered() -> None:
    """Where no client answers, what was remembered stands in."""
    machine = Machine({}, {"auto.pypi": "https://old.example"})
    assert urls(await machine.resolve(AUTO)) == ["https://old.example"]


@pytest_twisted.ensureDeferred
async def test_needs_url() -> None:
    """Where nothing is known, the repository says so and the others work."""
    resolved = await Machine({"first": "not a url"}).resolve(FIXED, AUTO)
    assert (urls(resolved), resolved.needs_url) == (["https://files.example", "auto"], ("pypi",))


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_remembered() -> None:
    """What the index says is raised as it is, whichever of the repositories it was about."""

    class Full(Machine):
        async def remember(self, name: str, word: str) -> None:
            raise RegproxyError(Kind.STORAGE, "the disk is full")

    with pytest.raises(RegproxyError, match="the disk is full"):
        await Full({"first": "https://mirror.example"}).resolve(FIXED, AUTO)


@pytest_twisted.ensureDeferred
async def test_credentials() -> None:
    """A client's credentials are used, and not remembered."""
    machine = Machine({"first": "https://me:s%40crt@mirror.example/simple"})
    settings = (await machine.resolve(AUTO)).configuration.repository[0]
    assert (settings.url, settings.username, settings.password) == ("https://mirror.example/simple", "me", "s@crt")
    assert machine.words == {"auto.pypi": "https://mirror.example/simple"}


@pytest_twisted.ensureDeferred
async def test_ourselves() -> None:
    """A pip that is set to this very server says nothing about the index behind it."""
    machine = Machine({"first": "http://localhost:8081/api/pypi/pypi/simple/"}, {"auto.pypi": "https://old.example"})
    assert urls(await machine.resolve(AUTO)) == ["https://old.example"]
    assert urls(await Machine({"first": "http://localhost:3141/simple"}).resolve(AUTO)) == ["http://localhost:3141/simple"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.example/x?y=1#z\n", ("https://a.example/x?y=1", "", "")),
        ("http://[::1]:80/", ("http://[::1]:80/", "", "")),
        ("http://[::1/", None),
        ("ftp://a.example", None),
        ("https://", None),
        ("", None),
    ],
)
def test_without_credentials(text: str, expected: tuple[str, str, str] | None) -> None:
    """Only a URL of http or https counts."""
    assert without_credentials(text) == expected


def test_run_program() -> None:
    """A client's output counts only if it exists and ends well."""
    python = (sys.executable, "-c")
    assert run_program([*python, "print('here')"]) == "here\n"
    assert run_program([*python, "print('here'); raise SystemExit(1)"]) is None
    assert run_program(["no-such-program-anywhere"]) is None
