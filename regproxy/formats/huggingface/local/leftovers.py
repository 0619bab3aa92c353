"""What was sent to a local repository and never became a file of a commit: it goes after a while, whoever asks for anything.

1. An object (``_lfs``) goes seven days after it was sent. For the last of them nobody is told that it is here: who is about to
   commit sends it again, and has a whole day for that, as long as the addresses are good that he was told.
2. Xorbs go with their day once two more are over: clients are told of another store by then, and send them again.
3. For good: they are nobody's files, and no trash can keeps them.
"""

from collections.abc import AsyncIterator

from regproxy.formats.huggingface.address import Type
from regproxy.formats.huggingface.local.places import OBJECTS, XORBS
from regproxy.model.node import Node
from regproxy.repo.tree import Tree

DAY = 86_400
OBJECT_DAYS = 7
XORB_DAYS = 2


def is_lasting(node: Node, now: float) -> bool:
    """Whether a commit within a day will find it."""
    return node.path.split("/")[3:4] != [OBJECTS] or now - node.checked < (OBJECT_DAYS - 1) * DAY


async def drop(tree: Tree, now: float) -> None:
    """Remove what is over."""
    oldest = int(now // DAY) - XORB_DAYS
    async for folder in _repositories(tree):
        for each in await tree.children(f"{folder}{XORBS}/"):
            if each.name.isdigit() and int(each.name) < oldest:
                await tree.remove(f"{folder}{XORBS}/{each.name}/")
        for each in await tree.children(f"{folder}{OBJECTS}/"):
            path = f"{folder}{OBJECTS}/{each.name}"
            node = tree.node(path)  # as it is now: it may have been sent again meanwhile
            if node is not None and now - node.checked >= OBJECT_DAYS * DAY:
                await tree.remove(path)


async def _repositories(tree: Tree) -> AsyncIterator[str]:
    for kind in Type:
        for namespace in await tree.children(f"{kind.value}/"):
            for name in await tree.children(f"{kind.value}/{namespace.name}/"):
                yield f"{kind.value}/{namespace.name}/{name.name}/"
