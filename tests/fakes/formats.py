"""Formats that serve nothing, for tests of the configuration, and what servings of canned answers have in common."""

from collections.abc import Mapping
from typing import Self

from attrs import frozen
from twisted.web.iweb import IRequest

from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action
from regproxy.model.node import Node
from regproxy.repo.interface import Format, Serving
from regproxy.repo.interface_auto import AutoUrl
from regproxy.repo.tree import Tree


class Permissive:
    """The part of ``repo.interface.Serving`` that lets everybody do everything."""

    @property
    def tree(self) -> Tree:
        """Nothing is held."""
        raise NotImplementedError("canned answers are no tree")

    def permit(self, request: IRequest, action: Action, path: str) -> str:
        """Anybody."""
        return "anonymous"

    def permit_somewhere(self, request: IRequest, action: Action) -> str:
        """Anybody."""
        return "anonymous"

    def permits(self, request: IRequest, action: Action, path: str) -> bool:
        """Yes."""
        return True

    def sign(self, request: IRequest, path: str, *actions: Action) -> str:
        """Nobody is asked who he is."""
        return "signed"

    def seen_by(self, request: IRequest) -> Self:
        """All of it."""
        return self

    async def permit_below(self, request: IRequest, action: Action, path: str) -> None:
        """Anybody."""

    def beside(self, request: IRequest, key: str) -> Serving:
        """Nothing is beside it."""
        raise RegproxyError(Kind.NOT_FOUND, f"there is no repository {key!a}")

    def sees(self, request: IRequest, node: Node) -> bool:
        """Yes."""
        return True


@frozen
class NamedFormat:
    """Knows its package types, and how to ask a client for its registry."""

    package_types: frozenset[str]
    auto: AutoUrl | None = None
    api: str | None = None
    rclasses: frozenset[str] = frozenset({"remote"})


def named_formats(auto: AutoUrl | None = None) -> Mapping[str, Format]:
    """Stand-ins for the shipped formats; ``pypi`` has the given AutoUrl."""
    found = {name: NamedFormat(frozenset({name})) for name in ("docker", "oci", "huggingfaceml")}
    found["generic"] = NamedFormat(frozenset({"generic"}), rclasses=frozenset({"remote", "local"}))
    found["pypi"] = NamedFormat(
        frozenset({"pypi"}), auto or AutoUrl((("pip", "config", "list"),), lambda printed: printed.strip() or None)
    )
    return found  # type: ignore[return-value]  # the configuration asks a format for these attributes only
