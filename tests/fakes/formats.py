"""Formats that serve nothing, for tests of the configuration."""

from collections.abc import Mapping

from attrs import frozen

from regproxy.repo.interface import AutoUrl, Format


@frozen
class NamedFormat:
    """Knows its package types, and how to ask a client for its registry."""

    package_types: frozenset[str]
    auto: AutoUrl | None = None
    api: str | None = None


def named_formats(auto: AutoUrl | None = None) -> Mapping[str, Format]:
    """Stand-ins for the shipped formats; ``pypi`` has the given AutoUrl."""
    found = {name: NamedFormat(frozenset({name})) for name in ("generic", "docker", "oci", "huggingfaceml")}
    found["pypi"] = NamedFormat(
        frozenset({"pypi"}), auto or AutoUrl((("pip", "config", "list"),), lambda printed: printed.strip() or None)
    )
    return found  # type: ignore[return-value]  # the configuration asks a format for these attributes only
