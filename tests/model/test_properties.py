"""Properties in addresses."""

import pytest

from regproxy.model.properties import checked, gathered, parse_names, parse_properties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", {"a": ("1",)}),
        ("a=1,2;b=3", {"a": ("1", "2"), "b": ("3",)}),
        ("a=1|b=2;", {"a": ("1",), "b": ("2",)}),
        ("a=1;a=2;a=1", {"a": ("1", "2")}),
        (r"a=x\,y\|z\=w\\", {"a": ("x,y|z=w\\",)}),
        ("a=b=c", {"a": ("b=c",)}),
        ("a=", {"a": ("",)}),
        ("build.name=ü x", {"build.name": ("ü x",)}),
        ("", {}),
    ],
)
def test_statements(text: str, expected: dict[str, tuple[str, ...]]) -> None:
    """Values by commas, statements by semicolons or bars, and what a backslash protects."""
    assert expected == parse_properties(text)


@pytest.mark.parametrize("text", ["a", "=1", "a b=1", "a/b=1", "a*=1", "a=1;b", f"{'n' * 256}=1", f"a={'v' * 2401}", "a=\x01"])
def test_refusals(text: str) -> None:
    """What is no name or no value."""
    with pytest.raises(ValueError, match="propert"):
        parse_properties(text)


def test_too_many() -> None:
    """There is an end."""
    with pytest.raises(ValueError, match="propert"):
        checked(gathered((f"p{number}", "1") for number in range(201)))


def test_names() -> None:
    """Of properties to be removed."""
    assert ["a", "b"] == parse_names("a, b,,")
