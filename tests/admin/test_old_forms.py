"""What older scripts write, in today's words and back."""

import pytest

from regproxy.admin.forms import read
from regproxy.admin.old_permissions import OldTargetForm, show_old_target
from regproxy.admin.old_tokens import scope_of
from regproxy.errors import Kind, RegproxyError
from regproxy.model.access import Action


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("", ""),
        ("api:*", ""),
        ("api:* member-of-groups:*", "applied-permissions/user"),
        ("member-of-groups:a,b api:*", "applied-permissions/groups:a,b"),
        ('member-of-groups:"a"', "applied-permissions/groups:a"),
        ("jfrt@01c0:admin member-of-groups:*", "applied-permissions/admin applied-permissions/user"),
        ("artifact:files:r", "artifact:files:r"),
        ("evil:admin", "evil:admin"),
    ],
)
def test_scopes(text: str, scope: str) -> None:
    """What is none stays what it is, to be refused."""
    assert scope == scope_of(text)


def test_permission_targets() -> None:
    """There and back; actions on what is not there are left out."""
    said = b"""{"name": "t", "includesPattern": "a/**, b/*", "repositories": ["files", "ANY LOCAL"],
        "principals": {"users": {"ann": ["r", "w", "n", "d", "m", "mxm"]}, "groups": {"crew": ["r"]}}}"""
    target = read(said, OldTargetForm).target("t")
    assert (("a/**", "b/*"), ()) == (target.includes, target.excludes)
    assert {"ann": tuple(Action)} == {name: tuple(sorted(may, key=list(Action).index)) for name, may in target.users.items()}
    assert {
        "name": "t",
        "includesPattern": "a/**,b/*",
        "excludesPattern": "",
        "repositories": ["files", "ANY LOCAL"],
        "principals": {"users": {"ann": ["r", "w", "n", "d", "m"]}, "groups": {"crew": ["r"]}},
    } == show_old_target(target)


def test_a_letter_that_is_none() -> None:
    """It is refused rather than left out: somebody would think that it was given."""
    with pytest.raises(RegproxyError) as caught:
        read(b'{"repositories": ["files"], "principals": {"users": {"ann": ["q"]}}}', OldTargetForm).target("t")
    assert (Kind.INVALID, "'q' is no action") == (caught.value.kind, caught.value.text.partition(":")[0])
