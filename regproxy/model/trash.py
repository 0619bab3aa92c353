"""The trash can: a repository of its own, in which what was deleted from ``X`` lies below ``X/``. Pure.

What is noted of each file are properties, under the names that scripts of this field know.
"""

from regproxy.model.deposit import Properties

TRASH = "auto-trashcan"
PREFIX = "trash."


def marks(repository: str, path: str, by: str, when: float) -> Properties:
    """What is noted of a file that is deleted."""
    return {
        "trash.time": (str(int(when * 1000)),),
        "trash.deletedBy": (by,),
        "trash.originalRepository": (repository,),
        "trash.originalRepositoryType": ("local",),
        "trash.originalPath": (path,),
    }


def place(repository: str, path: str) -> str:
    """Where it lies then."""
    return f"{repository}/{path}"
