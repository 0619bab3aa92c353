"""Files and functions stay small enough to be read at once."""

import ast

from tests.sources import functions, name_of, python_files

FILE_LINES = 400
FUNCTION_LINES = 40
FOLDERS = ("regproxy", "tests", "bench", "twisted")


def test_files() -> None:
    """No file is longer than the limit: it becomes two, or its folder gets sub-folders."""
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in python_files(*FOLDERS)}
    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


def test_functions() -> None:
    """No function is longer than the limit, its docstring and decorators aside."""
    found = {}
    for path in python_files(*FOLDERS):
        for function in functions(path):
            start = (ast.get_docstring(function) and function.body[0].end_lineno) or function.lineno
            length = (function.end_lineno or function.lineno) - start
            if length > FUNCTION_LINES:
                found[f"{name_of(path)}:{function.lineno} {function.name}"] = length
    assert found == {}
