"""Deleting a folder into the trash can, when the database takes nothing."""

from typing import Any

from twisted.internet.defer import Deferred, fail

from regproxy.errors import Kind, RegproxyError
from regproxy.repo.trash import Trash
from tests.fakes.remote import SMALL, bench, blob, fetched


def test_what_went_wrong_with_a_file_is_told() -> None:
    """As it is."""

    class Full:
        def take(self, _: object) -> "Deferred[bool]":
            return fail(RegproxyError(Kind.STORAGE, "full"))

    made = bench()
    fetched(made, blob(SMALL, "f/a"), SMALL).readable.release()
    got: list[Any] = []
    trash = Trash(made.parts, Full())  # type: ignore[arg-type] # as much of it as is used
    Deferred.fromCoroutine(trash.keep_all("r", "f/", "somebody")).addBoth(got.append)
    got[0].trap(RegproxyError)
