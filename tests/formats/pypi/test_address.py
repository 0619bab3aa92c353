"""Addresses below a repository."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.pypi.address import (
    Address,
    File,
    Moved,
    Page,
    Projects,
    Release,
    Stored,
    advertise,
    parse_address,
)
from regproxy.formats.pypi.names import Part, is_file
from regproxy.model.digest import Digest
from regproxy.web.paths import split_path

SHA = "ab" * 32
WHEEL = "demo_pkg-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (("",), Moved("simple/")),
        (("simple",), Moved("simple/")),
        (("simple", ""), Projects()),
        (("simple", "demo-pkg", ""), Page("demo-pkg")),
        (("simple", "demo-pkg"), Moved("demo-pkg/")),
        (("simple", "Demo.Pkg"), Moved("demo-pkg/")),
        (("simple", "Demo.Pkg", ""), Moved("../demo-pkg/")),
        (("simple", "simple", ""), Page("simple")),
        (("packages", "demo-pkg", "1.0", SHA, WHEEL), File("demo-pkg", WHEEL, Part.FILE, Digest("sha256", SHA))),
        (("packages", "demo-pkg", "1.0", "-", f"{WHEEL}.metadata"), File("demo-pkg", WHEEL, Part.METADATA)),
        (("demo-pkg", "1.0", WHEEL), File("demo-pkg", WHEEL, Part.FILE)),
        (("pypi", "Demo.Pkg", "json"), Release("demo-pkg", "")),
        (("pypi", "demo-pkg", "1.0", "json"), Release("demo-pkg", "1.0")),
        ((".pypi", "demo-pkg.json"), Stored(".pypi/demo-pkg.json")),
        ((".pypi", ".projects.json"), Stored(".pypi/.projects.json")),
        ((".pypi", "api", "demo-pkg.json"), Stored(".pypi/api/demo-pkg.json")),
        ((".pypi", "api", "demo-pkg", "1.0.json"), Stored(".pypi/api/demo-pkg/1.0.json")),
    ],
)
def test_addresses(rest: tuple[str, ...], expected: Address) -> None:
    """What each means."""
    assert expected == parse_address(rest)


@pytest.mark.parametrize(
    "rest",
    [
        (),
        ("simple", "", ""),
        ("simple", "-bad-", ""),
        ("simple", "a", "b"),
        ("packages", "demo-pkg", "2.0", SHA, WHEEL),  # not the version of this file
        ("packages", "Demo.Pkg", "1.0", SHA, WHEEL),  # a second address of the same thing
        ("packages", "demo-pkg", "1.0", "AB" * 32, WHEEL),
        ("packages", "demo-pkg", "1.0", "http:", WHEEL),
        ("packages", "demo-pkg", "1.0", SHA, ""),
        ("pypi", "demo-pkg", "nonsense", "json"),
        (".pypi", "Demo.Pkg.json"),
        (".pypi", "api", "demo-pkg", "x", "y.json"),
        (".pypi",),
        ("demo-pkg", "", WHEEL),
    ],
)
def test_no_addresses(rest: tuple[str, ...]) -> None:
    """Everything else is not found, and each thing has one address."""
    with pytest.raises(RegproxyError) as raised:
        parse_address(rest)
    assert raised.value.kind is Kind.NOT_FOUND


@given(st.text(min_size=1, max_size=30), st.sampled_from(Part), st.booleans())
def test_what_is_advertised_is_found(text: str, part: Part, known: bool) -> None:  # noqa: FBT001 - drawn
    """Every file that a page names has an address that leads back to it, through the one place that decodes paths."""
    if not is_file(text):
        return
    digest = Digest("sha256", SHA) if known else None
    segments = split_path(f"/{advertise('demo', text, digest, part)}".encode()).segments
    assert File("demo", text, part, digest) == parse_address(segments)


def test_an_address_shows_no_upstream() -> None:
    """Only names and the digest stand in it."""
    assert advertise("demo-pkg", WHEEL, Digest("sha256", SHA)) == f"packages/demo-pkg/1.0/{SHA}/{WHEEL}"
    assert advertise("demo-pkg", WHEEL, Digest("md5", "ab" * 16)) == f"packages/demo-pkg/1.0/-/{WHEEL}"
    assert advertise("t", "t-1.0+cpu-py3-none-any.whl", None) == "packages/t/1.0%2Bcpu/-/t-1.0%2Bcpu-py3-none-any.whl"
