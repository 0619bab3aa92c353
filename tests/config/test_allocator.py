"""The C library is told what this program does with memory."""

import platform
import subprocess
import sys


def test_it_is_understood() -> None:
    """By glibc; other libraries say no, and nothing is changed."""
    code = "from regproxy.allocator import keep_buffers; print(keep_buffers())"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == f"{platform.libc_ver()[0] == 'glibc'}\n"
