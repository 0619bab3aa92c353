"""Scopes of tokens."""

import pytest

from regproxy.access.scopes import LONGEST, Scope
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action


def test_whatever_the_owner_may() -> None:
    """His own scope narrows nothing."""
    scope = Scope.of("applied-permissions/user")
    assert scope.allows("r", Action.DELETE, "p")
    assert (False, None) == (scope.admin, scope.groups)
    assert Scope.of("applied-permissions/admin").admin


def test_groups() -> None:
    """Their names."""
    assert Scope.of("applied-permissions/groups:a,b").groups == ("a", "b")


@pytest.mark.parametrize(
    ("action", "repository", "path", "expected"),
    [
        (Action.READ, "files", "a/x", True),
        (Action.WRITE, "files", "a/x", True),
        (Action.DELETE, "files", "a/x", False),
        (Action.READ, "files", "b/x", False),
        (Action.READ, "other", "a/x", False),
        (Action.DELETE, "free", "any/thing", True),
    ],
)
def test_artifacts(action: Action, repository: str, path: str, expected: bool) -> None:  # noqa: FBT001 - the expectation
    """The actions that stand there, at those paths, in that repository."""
    scope = Scope.of("artifact:files/a/**:r,w artifact:free:*")
    assert scope.allows(repository, action, path) is expected
    assert scope.reaches("files")
    assert not scope.reaches("other")


def test_numbers() -> None:
    """They are seen by it, and nothing is allowed by it."""
    scope = Scope.of("system:metrics:r")
    assert scope.metrics
    assert not any(scope.allows(repository, action, "p") for repository in ("r", "") for action in Action)
    assert not scope.reaches("r")
    assert Scope.of("system:metrics:r artifact:r:r").allows("r", Action.READ, "p")
    assert not Scope.of("artifact:r:r").metrics


@pytest.mark.parametrize(
    "text",
    [
        "",
        "root",
        "system:metrics:w",
        "artifact:files",
        "artifact:files:x",
        "artifact:files:",
        "applied-permissions/user applied-permissions/groups:a",
        "artifact:a:r " * LONGEST,
    ],
)
def test_what_is_none(text: str) -> None:
    """Is refused, never read as less or more."""
    with pytest.raises(RegproxyError) as caught:
        Scope.of(text)
    assert caught.value.kind is Kind.INVALID
