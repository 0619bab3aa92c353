"""What is to be promoted, as scripts say it. Pure.

Clients write an empty text, or null, for what they do not say; some write ``copy`` as text.
"""

import msgspec
from attrs import frozen

from regproxy.errors import Kind, RegproxyError
from regproxy.formats.oci.address import TAG, parse_name

_FLAGS = {"true": True, "false": False, "": False}


class _Wish(msgspec.Struct, rename="camel"):
    target_repo: str | None = None
    docker_repository: str | None = None
    target_docker_repository: str | None = None
    tag: str | None = None
    target_tag: str | None = None
    copy: bool | str | None = None


@frozen
class Order:
    """What is to be done: with one tag, or without with all of an image."""

    key: str
    image: str
    target_image: str
    tag: str
    target_tag: str
    moves: bool


def read_order(body: bytes) -> Order:
    """Read what is sent."""
    try:
        wish = msgspec.json.decode(body, type=_Wish)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f'expected JSON such as {{"targetRepo": …, "dockerRepository": …, "copy": true}}: {error}') from None
    if not wish.target_repo or not wish.docker_repository:
        raise invalid("targetRepo and dockerRepository say which repository an image goes to, and which image")
    image = parse_name(wish.docker_repository.split("/"))
    tag, target_tag = wish.tag or "", wish.target_tag or wish.tag or ""
    if target_tag and not tag:
        raise invalid("targetTag is the new name of a tag: without one all of them go, as they are called")
    for each in (tag, target_tag):
        if each and not TAG.fullmatch(each):
            raise invalid(f"not a tag: {each[:80]!a}")
    copy = _FLAGS.get(wish.copy.lower()) if isinstance(wish.copy, str) else bool(wish.copy)
    if copy is None:
        raise invalid("copy is true or false")
    target = wish.target_docker_repository
    target_image = parse_name(target.split("/")) if target else image
    return Order(wish.target_repo, image, target_image, tag, target_tag, moves=not copy)


def invalid(text: str) -> RegproxyError:
    """Refuse it."""
    return RegproxyError(Kind.INVALID, text)
