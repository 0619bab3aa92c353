"""Rules of the project that no linter knows."""

import ast
import re
from pathlib import Path

import msgspec
import pytest

from regproxy.config_reading import Mistakes, parse, read_tables
from regproxy.model import settings
from tests.sources import CHECKOUT, functions, name_of, python_files, tree_of

BANNED = re.compile(r"(?:^|_)(manager|handler|processor|engine|helper|util|utils|common|misc|base(?!_url))s?(?:_|$)")
TWISTED_NAMES = {"handleContentChunk"}
ROUTES = {"route", "subroute"}
TEXTS = ("*.md", "*.toml", "*.cfg", "Makefile", "*.py", "*.service", "*.socket", "run", "install-clients")
REGISTRY = "pypi|npmjs|debian|crates|maven|golang"
INDEX_HOSTS = re.compile(
    rf"(?:https?://|\b)(?:[\w-]+\.)*(?:{REGISTRY}|pythonhosted|rubygems)\.(?:org|com|io)\b|proxy\.golang|static\.crates"
)
TABLES = (
    settings.Server,
    settings.Listener,
    settings.Limits,
    settings.Store,
    settings.IndexSection,
    settings.Access,
    settings.Docker,
    settings.ClientCertificate,
    settings.Proxy,
    settings.Log,
    settings.RepositorySettings,
    settings.CustomHeader,
)


def words(name: str) -> str:
    """A name in snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def committed_texts() -> list[Path]:
    """Text files of the checkout, but not what tools leave in it."""
    found = {
        path
        for folder in ("regproxy", "tests", "docs", "etc", ".ci", "bench")
        for kind in TEXTS
        for path in (CHECKOUT / folder).rglob(kind)
    }
    return sorted(
        path
        for path in found | {p for kind in TEXTS for p in CHECKOUT.glob(kind)}
        if path.is_file() and "work" not in path.parts[-3:]
    )


def test_no_empty_words_in_names() -> None:
    """Modules, classes and functions say what they are."""
    found = []
    for path in python_files("regproxy"):
        classes = [node.name for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)]
        defined = [function.name for function in functions(path) if function.name not in TWISTED_NAMES]
        names = [*path.relative_to(CHECKOUT).with_suffix("").parts, *classes, *defined]
        found += [f"{name_of(path)}: {name}" for name in names if BANNED.search(words(name))]
    assert found == []


def test_every_module_says_its_job() -> None:
    """Each file opens with a docstring."""
    assert [
        name_of(path)
        for path in python_files("regproxy", "tests")
        if path.stat().st_size and ast.get_docstring(tree_of(path)) is None
    ] == []


def test_every_test_says_what_it_shows() -> None:
    """Each test has a docstring."""
    found = [
        f"{name_of(path)}: {function.name}"
        for path in python_files("tests")
        for function in functions(path)
        if function.name.startswith("test_") and ast.get_docstring(function) is None
    ]
    assert found == []


def test_every_route_names_its_methods() -> None:
    """A Klein rule without ``methods=`` would accept any method."""
    found = [
        f"{name_of(path)}:{node.lineno}"
        for path in python_files("regproxy")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ROUTES
        if "methods" not in {keyword.arg for keyword in node.keywords}
    ]
    assert found == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_reference_has_every_key(table: type[msgspec.Struct]) -> None:
    """``etc/regproxy.toml`` shows each key, in use or commented."""
    text = (CHECKOUT / "etc" / "regproxy.toml").read_text()
    shown = set(re.findall(r"(?m)^#? ?\s*([A-Za-z0-9]+) =", text)) | set(re.findall(r"[{,] ([a-z]+) =", text))
    tables = set(re.findall(r"(?m)^#? ?\[\[?([A-Za-z.]+)\]\]?", text))
    known = shown | tables | {name.rpartition(".")[2] for name in tables}
    assert {field.encode_name for field in msgspec.structs.fields(table)} - known == set()


def test_reference_is_right_where_it_is_commented_too() -> None:
    """Each commented line ``# key = value`` is one that the program accepts in its table."""
    text = (CHECKOUT / "etc" / "regproxy.toml").read_text()
    live = re.sub(r"(?m)^# (?=\[|[A-Za-z0-9\"]+ = )", "", text)
    mistakes = Mistakes("etc/regproxy.toml")
    read_tables(parse(live.encode(), mistakes), mistakes)
    assert mistakes.lines == []


def test_no_index_hosts() -> None:
    """Package indexes are asked for at the machine's own clients: no address of one stands anywhere."""
    found = [
        f"{name_of(path)}:{number}"
        for path in committed_texts()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if INDEX_HOSTS.search(line)
    ]
    assert found == []


def test_packages_are_packages() -> None:
    """Every folder of code has an ``__init__.py``: what mypy and the wheel see is the same."""
    folders = {path.parent for path in python_files("regproxy")}
    assert [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
