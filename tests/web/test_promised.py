"""What headers say about the bytes of an upload."""

import base64
import hashlib

import pytest

from regproxy.errors import RegproxyError
from regproxy.model.digest import Digest
from regproxy.model.headers import Headers
from regproxy.web.promised import NAMES, promised

HEX = {name: hashlib.new(name, b"x").hexdigest() for name in ("sha256", "sha1", "md5", "sha512")}
BASE64 = {name: base64.b64encode(bytes.fromhex(value)).decode() for name, value in HEX.items()}


@pytest.mark.parametrize(
    ("name", "value", "algorithms"),
    [
        ("X-Checksum-Sha256", HEX["sha256"], ["sha256"]),
        ("X-Checksum-Sha1", HEX["sha1"].upper(), ["sha1"]),
        ("X-Checksum-Md5", HEX["md5"], ["md5"]),
        ("X-Checksum", HEX["sha1"], ["sha1"]),
        ("X-Checksum", HEX["sha256"], ["sha256"]),
        ("Content-MD5", BASE64["md5"], ["md5"]),
        ("Digest", f"sha-256={BASE64['sha256']}, md5={BASE64['md5']},crc32c=AAAA", ["sha256", "md5"]),
        ("Digest", f"SHA={BASE64['sha1']}", ["sha1"]),
        ("Content-Digest", f"sha-512=:{BASE64['sha512']}:", ["sha512"]),
        ("Other", "x", []),
    ],
)
def test_what_is_said(name: str, value: str, algorithms: list[str]) -> None:
    """Each header in its own writing."""
    assert tuple(Digest(each, HEX[each]) for each in algorithms) == promised(Headers(((name, value),)))
    assert not algorithms or name.lower() in NAMES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Checksum-Sha256", HEX["sha1"]),
        ("X-Checksum-Sha1", "g" * 40),
        ("X-Checksum", "abc"),
        ("Content-MD5", "not base64!"),
        ("Content-MD5", BASE64["sha1"]),
        ("Digest", "sha-256"),
        ("Digest", f"sha-256={BASE64['md5']}"),
    ],
)
def test_what_is_none(name: str, value: str) -> None:
    """A checksum that cannot be read is not passed over."""
    with pytest.raises(RegproxyError):
        promised(Headers(((name, value),)))
