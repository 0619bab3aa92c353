"""Puts one token in another's place, in one change of the directory: a process that is killed leaves the old one or the new one.

What a token is refreshed by is good once. Once used it is in two hands: whoever shows it again ends what came of it, the other
one's too, unless it was used just now and the answer may have been lost.
"""

import hmac
from collections.abc import Sequence

from attrs import frozen

from regproxy.access.making import Made, Making, Wish
from regproxy.access.tokens import family_of, hash_of, is_refresh, refreshed_by
from regproxy.index.interface_directory import Ledger
from regproxy.model.principals import TokenRow, User

AGAIN_WITHIN = 30.0
"""Seconds for which a client whose answer was lost may refresh once more by what is used up."""
SPENT = "this refresh token is none, or was used"
SHUT_OUT = "the owner of this token may not log in"


@frozen
class Refreshed:
    """What was revoked, and what was made in its place, or why nothing was: no exception, for what was revoked stays so."""

    revoked: Sequence[TokenRow]
    made: Made | None = None
    refusal: str = ""


def refreshed(ledger: Ledger, secret: str, making: Making) -> Refreshed:
    """Do it, by what was given with a token."""
    identifier = refreshed_by(secret)
    row = ledger.token(identifier)
    if row is None and is_refresh(secret, making.key):
        family = ledger.tokens(family_of(identifier))
        row = next((each for each in family if each.replaces == identifier and making.now < each.replaced + AGAIN_WITHIN), None)
        if row is None:
            return Refreshed([each for each in family if ledger.revoke(each.id)], refusal=SPENT)
    elif row is None or not row.refresh or not hmac.compare_digest(row.refresh, hash_of(secret)):
        return Refreshed((), refusal=SPENT)
    if row.kept is not None and row.kept <= making.now:
        return Refreshed((), refusal=SPENT)
    owner = ledger.get(User, row.subject)
    if owner is None or not owner.enabled:
        return Refreshed((), refusal=SHUT_OUT)
    made = making.make(_again(row), identifier, row.replaced if row.replaces == identifier else making.now)
    ledger.revoke(row.id)
    ledger.add(made.row, making.now)
    return Refreshed((row,), made)


def _again(row: TokenRow) -> Wish:
    return Wish(
        username=row.subject,
        scope=row.scope,
        expires_in=int(row.expires or row.issued) - int(row.issued),
        description=row.description,
        include_reference_token=bool(row.reference),
        refreshable=True,
    )
