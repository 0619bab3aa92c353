"""Pages read and written in both forms."""

import json
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from regproxy.formats.pypi.names import SUFFIXES, is_file
from regproxy.formats.pypi.pages.html_form import read_html, write_html
from regproxy.formats.pypi.pages.json_form import read_json, write_json
from regproxy.formats.pypi.pages.project import File, Project
from regproxy.model.digest import Digest

URL = "https://index.example/simple/demo/"
SHA = "ab" * 32
OTHER = "cd" * 32
WHEEL = "demo-1.0-py3-none-any.whl"
ADDRESS = f"../../packages/demo/1.0/{SHA}/{WHEEL}"


def page(*files: dict[str, Any], **more: Any) -> bytes:
    """A page as upstream sends it."""
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "Demo", "files": files, **more}).encode()


def entry(**more: Any) -> dict[str, Any]:
    """One file of a page, keys with dashes as underscores."""
    found = {"filename": WHEEL, "url": f"https://files.example/a/{WHEEL}", "hashes": {"sha256": SHA}}
    return found | {key.replace("_", "-"): value for key, value in more.items()}


def test_json_to_json_changes_addresses_only() -> None:
    """Everything else is as upstream said it, what nobody knows included."""
    file = entry(
        requires_python=">=3.8",
        size=7,
        upload_time="2026-01-01T00:00:00.1Z",
        yanked="broken",
        gpg_sig=False,
        core_metadata={"sha256": OTHER},
        provenance="https://index.example/integrity/demo/1.0/x/provenance",
        novel={"a": [1]},
    )
    status = {"status": "archived", "reason": "over"}
    sent = page(file, versions=["1.0", "0.9"], **{"project-status": status, "alternate-locations": ["https://x.example"]})
    written = json.loads(write_json("demo", read_json(sent, URL)))
    changed = {"url": ADDRESS, "provenance": f"{ADDRESS}.provenance", "dist-info-metadata": {"sha256": OTHER}}
    assert written == json.loads(sent) | {"files": [file | changed]}


def test_json_to_html() -> None:
    """Every attribute, escaped."""
    file = entry(requires_python=">=3.8,<4", yanked='bad "x"', gpg_sig=True, core_metadata={"sha256": OTHER}, provenance="p")
    sent = page(file, **{"project-status": {"status": "archived", "reason": "a < b"}})
    written = write_html("demo", read_json(sent, URL)).decode()
    assert f'<a href="{ADDRESS}#sha256={SHA}"' in written
    for attribute in (
        'data-requires-python="&gt;=3.8,&lt;4"',
        'data-yanked="bad &quot;x&quot;"',
        'data-gpg-sig="true"',
        f'data-core-metadata="sha256={OTHER}"',
        f'data-dist-info-metadata="sha256={OTHER}"',
        f'data-provenance="{ADDRESS}.provenance"',
        '<meta name="pypi:repository-version" content="1.1">',
        '<meta name="pypi:project-status" content="archived">',
        '<meta name="pypi:project-status-reason" content="a &lt; b">',
        "<title>Links for Demo</title>",
    ):
        assert attribute in written


def test_html_is_read() -> None:
    """Links relative to the final address, entities, fragments, PEP 658 under both names, yanked without a reason."""
    text = f"""<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0"></head><body>
    <a href="../../packages/x/{WHEEL}#sha256={SHA}" data-requires-python="&gt;=3.8" data-yanked data-core-metadata="true"></a>
    <A HREF='https://u:p@files.example/y/demo-1.1.tar.gz#md5={"0" * 32}&amp;egg=demo' data-dist-info-metadata="sha256={OTHER}">
    </A><a href="demo-1.2.zip" data-gpg-sig="false" data-yanked="why">z</a>
    <a href="demo-1.2.zip.asc">signature</a> <a href="../">up</a> <a>0</a> <a href="ftp://x.example/demo-9.zip">no</a>
    </body></html>"""
    project = read_html(text.encode(), "https://mirror.example/deep/simple/demo/")
    assert tuple(project.files) == (
        File(
            WHEEL,
            f"https://mirror.example/deep/packages/x/{WHEEL}",
            {"sha256": SHA},
            requires_python=">=3.8",
            core_metadata=True,
            yanked=True,
        ),
        File("demo-1.1.tar.gz", "https://files.example/y/demo-1.1.tar.gz", {"md5": "0" * 32}, core_metadata={"sha256": OTHER}),
        File("demo-1.2.zip", "https://mirror.example/deep/simple/demo/demo-1.2.zip", yanked="why", gpg_sig=False),
    )


def test_html_with_a_base() -> None:
    """``<base>`` counts, relative to the address of the page itself."""
    text = f'<html><head><base href="/files/"></head><body><a href="{WHEEL}">{WHEEL}</a></body></html>'
    assert next(iter(read_html(text.encode(), URL).files)).url == f"https://index.example/files/{WHEEL}"


def test_html_does_not_promise_what_it_has_not() -> None:
    """JSON made of an HTML page has neither sizes nor times nor versions, and says API 1.0."""
    said = f'<meta name="pypi:repository-version" content="1.4"><a href="{WHEEL}">x</a>'
    written = json.loads(write_json("demo", read_html(said.encode(), URL)))
    assert written == {
        "meta": {"api-version": "1.0"},
        "name": "demo",
        "files": [{"filename": WHEEL, "url": f"../../packages/demo/1.0/-/{WHEEL}", "hashes": {}, "yanked": False}],
    }


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"files": {}}', b'{"meta": {"api-version": "2.0"}, "files": []}', b'{"files": []}', b"<html>", page()[:-5]],
)
def test_json_that_is_no_page(data: bytes) -> None:
    """Another API, or nonsense."""
    with pytest.raises(ValueError, match="page"):
        read_json(data, URL)


@pytest.mark.parametrize("text", ["<form action='/login'>", "<html><meta name='pypi:repository-version' content='2.0'></html>"])
def test_html_that_is_no_page(text: str) -> None:
    """A login page, another API."""
    with pytest.raises(ValueError, match="page"):
        read_html(text.encode(), URL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"filename": "../../etc/passwd"},
        {"filename": "a/b.whl"},
        {"filename": 7},
        {"url": None},
        {"url": "file:///etc/passwd"},
        {"url": "javascript:x"},
        {"url": "http://[::1"},
    ],
)
def test_files_that_are_none_are_left_out(wrong: dict[str, Any]) -> None:
    """One bad entry takes no other one away."""
    project = read_json(page(entry() | wrong, entry(filename="demo-2.0.zip")), URL)
    assert [file.filename for file in project.files] == ["demo-2.0.zip"]


def test_wrong_types_say_nothing() -> None:
    """A field that is not what it should be is as good as none."""
    strange = entry(hashes="x", requires_python=3, core_metadata="yes", yanked=None, size=True, gpg_sig="no", upload_time=1)
    (file,) = read_json(page(strange), URL).files
    assert evolve(file, extra={}) == File(WHEEL, f"https://files.example/a/{WHEEL}")


def test_metadata_under_its_three_names() -> None:
    """PEP 714's name first; false is no, nothing is nothing."""
    said: list[dict[str, Any]] = [
        {"core-metadata": {"sha256": SHA}, "dist-info-metadata": {"sha256": OTHER}},
        {"dist-info-metadata": True},
        {"data-dist-info-metadata": {"sha256": OTHER}},
        {"core-metadata": False},
        {},
    ]
    files = read_json(page(*(entry() | {"filename": f"demo-{at}.zip"} | each for at, each in enumerate(said))), URL).files
    assert [file.core_metadata for file in files] == [{"sha256": SHA}, True, {"sha256": OTHER}, False, None]


def test_the_first_of_two_files_with_one_name_counts() -> None:
    """As the page is read by clients."""
    project = read_json(page(entry(), entry(url="https://evil.example/x.whl")), URL)
    found = project.find(WHEEL)
    assert found is not None
    assert found.url == f"https://files.example/a/{WHEEL}"


@pytest.mark.parametrize("name", [WHEEL, "d\u00e9mo-1.0.zip", 'de"mo-1.0.zip'])
def test_one_file_of_many(name: str) -> None:
    """It is found without reading the others, however its name is spelled in JSON."""
    sent = page(entry(filename="demo-0.9.zip"), entry(filename=name), entry(filename=name, url="https://evil.example/x"))
    for data in (sent, json.dumps(json.loads(sent), ensure_ascii=False).encode()):
        found = read_json(data, URL, name).find(name)
        assert found is not None
        assert found.url == f"https://files.example/a/{WHEEL}"
    assert read_json(sent, URL, "demo-2.0.zip").find("demo-2.0.zip") is None


@pytest.mark.parametrize(
    ("hashes", "digest"),
    [
        ({"md5": "0" * 32, "sha256": SHA.upper()}, Digest("sha256", SHA)),
        ({"md5": "0" * 32, "sha512": "0" * 128}, Digest("sha512", "0" * 128)),
        ({"sha256": "short", "md5": "0" * 32}, Digest("md5", "0" * 32)),
        ({"blake2b": "0" * 64}, None),
        ({}, None),
    ],
)
def test_the_best_digest(hashes: dict[str, str], digest: Digest | None) -> None:
    """The strongest that is well formed."""
    assert digest == File(WHEEL, "", hashes).digest


FILES = st.builds(
    File,
    filename=st.builds("{}{}".format, st.text(min_size=1, max_size=12), st.sampled_from(SUFFIXES)).filter(is_file),
    url=st.just("https://files.example/x"),
    hashes=st.sampled_from([{}, {"sha256": SHA}]),
    requires_python=st.none() | st.text(min_size=1, max_size=10).filter(lambda text: text.isprintable()),
    core_metadata=st.none() | st.just({"sha256": OTHER}),
    yanked=st.booleans() | st.text(min_size=1, max_size=10).filter(lambda text: text.isprintable()),
    gpg_sig=st.none() | st.booleans(),
)


@given(st.lists(FILES, max_size=4))
def test_both_forms_say_the_same(files: list[File]) -> None:
    """What is read from our HTML is what is read from our JSON, whatever strangers put into names and reasons."""
    project = Project("demo", tuple(files), {"api-version": "1.0"})
    base = "https://regproxy.example/simple/demo/"
    from_json = read_json(write_json("demo", project), base)
    from_html = read_html(write_html("demo", project), base)
    assert list(from_json.files) == list(from_html.files)
    assert [file.filename for file in from_json.files] == [file.filename for file in files]
