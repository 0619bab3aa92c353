"""Names of objects, compared with those that Git itself has given."""

from regproxy.formats.huggingface.local.git import EMPTY_TREE, Signature, commit_id, folder_ids, object_id, pointer_id


def test_blobs() -> None:
    """``git hash-object``."""
    assert object_id("blob", b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert object_id("tree", b"") == EMPTY_TREE
    assert pointer_id("0" * 64, 5) == "dcc4689d5770b475b5120d8bba9696b1e34cdd05"


def test_folders() -> None:
    """``git ls-tree``: a folder is sorted as if its name ended in a slash."""
    hello = object_id("blob", b"hello\n")
    found = folder_ids([(path, hello) for path in ("a.txt", "a/b/c", "a0", "z")])
    assert found == {
        "": "197377ec3fb24da9816582e13cbec3f860df6e59",
        "a": "f08d938fffaf97b2a5aaee711047bae6f06cd6c5",
        "a/b": "435927d2fe872add393f6b83553075ffeb232cba",
    }
    assert folder_ids([]) == {"": EMPTY_TREE}


def test_commits() -> None:
    """``git commit-tree``; letters that would break the format are left out of names."""
    by = Signature("ann", 1_700_000_000)
    one, two = "acda208800c18e8becbcdea06238c35bf13d32b4", "3cefb573e156c31cf7326b8ab11567a493905dd4"
    assert commit_id(EMPTY_TREE, (), by, "one") == one
    assert commit_id(EMPTY_TREE, (one,), by, "two\n\nmore") == two
    assert str(Signature("a<b>\nc", 1)) == "abc <abc@localhost> 1 +0000"
