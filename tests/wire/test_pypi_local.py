"""A local repository of packages of a real process: what is uploaded is there, whole and as it says; nothing else is."""

import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from regproxy.access.first import OPEN
from regproxy.model.access import Action
from regproxy.model.principals import Target, User
from tests.fakes.deploying import ask
from tests.fakes.index_files import Built, make_sdist, make_wheel
from tests.fakes.people import HASH, basic, populate
from tests.fakes.process import Regproxy
from tests.fakes.publishing import BOUNDARY, JSON_TYPE, fields_of, form, page, pypi, upload
from tests.wire.test_life import wait_until
from tests.wire.test_local import stored

Start = Callable[..., Regproxy]

WHEEL = make_wheel("Demo.Pkg", "1.0", requires_python=">=3.8")
BIG = 96 << 20
GROWTH = 48 << 20


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Regproxy]:
    """A server with one repository."""
    proxy = Regproxy(tmp_path_factory.mktemp("own"), pypi() + pypi("small", 'maxBytes = "1KiB"'))
    proxy.start()
    yield proxy
    proxy.close()


def test_what_is_published_is_in_the_index(own: Regproxy) -> None:
    """A file with its hash, size, time, demand and metadata, in both forms; the addresses lead to the bytes."""
    answer = upload(own, WHEEL)
    assert (200, b"") == (answer.status, answer.body)
    sdist = make_sdist("demo-pkg", "2.0", metadata_version="2.2")
    old = make_sdist("demo-pkg", "0.9")
    assert [200, 200] == [upload(own, each).status for each in (sdist, old)]
    found = page(own, "demo-pkg")
    assert ("1.1", ["0.9", "1.0", "2.0"]) == (found["meta"]["api-version"], found["versions"])
    files = {each["filename"]: each for each in found["files"]}
    wheel = files[WHEEL.filename]
    assert ({"sha256": WHEEL.sha256}, len(WHEEL.data), ">=3.8", False) == tuple(
        wheel[name] for name in ("hashes", "size", "requires-python", "yanked")
    )
    assert wheel["upload-time"].endswith("Z")
    base = "/api/pypi/own/simple/demo-pkg/"
    data = ask(own, "GET", f"{base}{wheel['url']}".replace("simple/demo-pkg/../../", ""))
    assert (200, WHEEL.data) == (data.status, data.body)
    assert "immutable" in data.headers["cache-control"]
    beside = ask(own, "GET", f"{base}{wheel['url']}.metadata".replace("simple/demo-pkg/../../", ""))
    assert WHEEL.metadata == beside.body
    assert ["core-metadata" in files[each.filename] for each in (WHEEL, sdist, old)] == [True, True, False]
    html = ask(own, "GET", base)
    assert f"{WHEEL.filename}</a>" in html.body.decode()
    assert 'data-requires-python="&gt;=3.8"' in html.body.decode()
    assert 304 == ask(own, "GET", base, if_none_match=html.headers["etag"]).status
    assert "demo-pkg" in [each["name"] for each in ask(own, "GET", "/api/pypi/own/simple/", accept=JSON_TYPE).json["projects"]]
    moved = ask(own, "GET", "/api/pypi/own/simple/Demo.Pkg/")
    assert (301, "../demo-pkg/") == (moved.status, moved.headers["location"])
    assert (404, 404) == tuple(ask(own, "GET", f"/api/pypi/own/{path}").status for path in ("simple/none/", "pypi/demo-pkg/json"))
    info = ask(own, "GET", f"/api/storage/own/demo-pkg/1.0/{WHEEL.filename}?properties").json["properties"]
    assert {"pypi.name": ["demo-pkg"], "pypi.version": ["1.0"], "pypi.requires.python": [">=3.8"]} == info


def test_the_same_again_and_another(own: Regproxy) -> None:
    """The same bytes are welcome any number of times; others are not, and not taken in place of them."""
    first = make_wheel("twice", "1.0")
    assert [200, 200] == [upload(own, first).status for _ in range(2)]
    other = make_wheel("twice", "1.0", padding=9)
    silent: dict[str, str | None] = {"sha256_digest": None, "blake2_256_digest": None, "md5_digest": None}
    for more in ({}, silent):
        refused = upload(own, other, more)
        assert 409 == refused.status
        assert b"File already exists" in refused.body
    assert first.sha256 == page(own, "twice")["files"][0]["hashes"]["sha256"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sha256_digest": "0" * 64}, "not those that were announced"),
        ({"blake2_256_digest": "0" * 64}, "not those that were announced"),
        ({"md5_digest": "0" * 32}, "not those that were announced"),
        ({"md5_digest": "x"}, "a digest in the form cannot be read"),
        ({":action": "submit"}, ":action=file_upload"),
        ({"filetype": "sdist"}, "the filetype of"),
        ({"name": "another"}, "not that of"),
        ({"version": "2"}, "not that of"),
        ({"version": None}, "not that of"),
        ({"name": "demo\xff" * 30_000}, "larger than"),
    ],
)
def test_forms_that_are_refused(own: Regproxy, more: dict[str, str | None], said: str) -> None:
    """With the reason in the body and in the reason phrase, by a status that no client takes for a duplicate."""
    built = make_wheel("refused", "1.0")
    answer = upload(own, built, more)
    assert answer.status in (400, 413)
    assert said in answer.body.decode()
    assert page(own, "refused") is None


@pytest.mark.parametrize(
    ("built", "file", "said"),
    [
        (make_wheel("inner", "1.0"), "outer-1.0-py3-none-any.whl", "one *.dist-info/METADATA"),
        (make_wheel("inner", "1.0"), "inner-1.0.1-py3-none-any.whl", "says of itself"),
        (Built("inner", "inner-1.0-py3-none-any.whl", b"no archive"), "inner-1.0-py3-none-any.whl", "cannot be read"),
        (Built("inner", "inner-1.0.tar.gz", b"\x1f\x8b no archive"), "inner-1.0.tar.gz", "cannot be read"),
        (make_sdist("inner", "1.0"), "inner-1.0.zip", "cannot be read"),
        (make_wheel("inner", "1.0"), "inner-1.0.exe", "neither a wheel nor an sdist"),
        (make_wheel("inner", "1.0"), "../inner-1.0-py3-none-any.whl", "cannot be one"),
        (make_wheel("inner", "1.0"), ".inner-1.0.tar.gz", "cannot be one"),
    ],
)
def test_files_that_are_refused(own: Regproxy, built: Built, file: str, said: str) -> None:
    """That are not what their names say; nothing of them stays."""
    before = stored(own)
    project, version = file.removesuffix(".tar.gz").split("-")[:2]
    said_in_form = {"filetype": None, "name": project, "version": version.removesuffix(".zip")}
    answer = upload(own, built, said_in_form, file=file)
    assert (400, True) == (answer.status, said in answer.body.decode()), answer.body
    assert before == stored(own)


def test_bodies_that_are_no_forms(own: Regproxy) -> None:
    """Each is told what is wrong."""
    part = ("content", WHEEL.filename, WHEEL.data)
    fields = fields_of(WHEEL, {})
    sent = f'multipart/form-data; boundary="{BOUNDARY}"'
    cases = [
        (form(fields, part), "application/octet-stream", "no multipart form"),
        (form(fields, part), "multipart/form-data", "no multipart form"),
        (form(fields), sent, "has no file"),
        (form(fields, part)[: -len(BOUNDARY)], sent, "before its last boundary"),
        (form(fields, part, part), sent, "two files"),
        (form({}, part)[: -len(BOUNDARY) - 6] + form(fields), sent, ":action=file_upload"),
        (b"nothing", sent, "before its last boundary"),
    ]
    for body, media_type, said in cases:
        answer = ask(own, "POST", "/api/pypi/own", body, content_type=media_type)
        assert (400, True) == (answer.status, said in answer.body.decode()), (said, answer.body)
    assert 405 == ask(own, "PUT", "/api/pypi/own/", b"x").status
    assert 413 == upload(own, make_wheel("large", "1.0", padding=4096), key="small").status


def test_yank_and_delete(own: Regproxy) -> None:
    """A property hides a file from those that do not name it; a delete takes its metadata along."""
    for version in ("1.0", "2.0"):
        assert 200 == upload(own, make_wheel("gone", version)).status
    path = "gone/2.0/gone-2.0-py3-none-any.whl"
    assert 204 == ask(own, "PUT", f"/api/storage/own/{path}?properties=pypi.yanked=broken%20on%20tuesdays").status
    assert [False, "broken on tuesdays"] == [each["yanked"] for each in page(own, "gone")["files"]]
    assert 'data-yanked="broken on tuesdays"' in ask(own, "GET", "/own/simple/gone/").body.decode()
    for method, query, yanked in (("PUT", "pypi.yanked=true", True), ("DELETE", "pypi.yanked", False)):
        assert 204 == ask(own, method, f"/api/storage/own/gone/1.0?properties={query}").status
        assert yanked is page(own, "gone")["files"][0]["yanked"]
    assert 204 == ask(own, "DELETE", f"/own/{path}").status
    assert ["1.0"] == page(own, "gone")["versions"]
    assert [404, 404, 404] == [ask(own, "GET", f"/own/{path}{end}").status for end in ("", ".metadata", ".asc")]
    assert [204, 404] == [ask(own, "DELETE", "/own/gone").status for _ in range(2)]
    assert page(own, "gone") is None
    assert [404, 404] == [ask(own, "DELETE", f"/own/{each}").status for each in ("gone/1.0/x", ".pypi/gone.json")]


def test_a_cut_upload_leaves_nothing(own: Regproxy) -> None:
    """The same file can be sent afterwards."""
    built = make_wheel("cut", "1.0", padding=2 << 20)
    before = stored(own)
    body = form(fields_of(built, {}), ("content", built.filename, built.data))
    sent = f'multipart/form-data; boundary="{BOUNDARY}"'
    head = f"POST /api/pypi/own/ HTTP/1.1\r\nHost: a\r\nContent-Type: {sent}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", own.port)) as connection:
        connection.sendall(head.encode() + body[: 1 << 20])
        wait_until(lambda: len(stored(own)) > len(before))
    wait_until(lambda: stored(own) == before)
    assert page(own, "cut") is None
    assert 200 == upload(own, built).status


def test_memory_is_flat(own: Regproxy) -> None:
    """However large the file."""
    before = own.rss()
    built = make_wheel("huge", "1.0", padding=BIG)
    assert 200 == upload(own, built).status
    assert own.rss() - before < GROWTH


def test_parallel_uploads_of_one_name(own: Regproxy) -> None:
    """One of them stands, whole; the others hear that it exists."""
    builds = [make_wheel("race", "1.0", padding=(1 << 20) + at) for at in range(4)]
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda each=each: statuses.append(upload(own, each).status)) for each in builds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [200, 409, 409, 409] == sorted(statuses)
    (file,) = page(own, "race")["files"]
    winner = next(each for each in builds if each.sha256 == file["hashes"]["sha256"])
    assert winner.data == ask(own, "GET", f"/own/race/1.0/{winner.filename}").body


def test_killed_at_random(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What was answered is there; what was not is there whole, or not at all, and is taken again."""
    chance = random.Random(11)
    proxy = Regproxy(tmp_path_factory.mktemp("killed"), pypi())
    proxy.start()
    done: list[Built] = []
    for at in range(4):
        built = make_wheel("kept", f"{at}.0", padding=chance.randrange(1 << 20))
        threading.Timer(chance.random() / 5, lambda: proxy.signal(signal.SIGKILL)).start()
        try:
            if upload(proxy, built).status == 200:
                done.append(built)
        except OSError:
            pass
        proxy.wait_end()
        proxy.start()
        files = (page(proxy, "kept") or {"files": []})["files"]
        hashes = {each["filename"]: each["hashes"]["sha256"] for each in files}
        assert {each.filename: each.sha256 for each in done}.items() <= hashes.items()
        assert 200 == upload(proxy, built).status
        assert built.data == ask(proxy, "GET", f"/own/kept/{at}.0/{built.filename}").body
        assert built.metadata == ask(proxy, "GET", f"/own/kept/{at}.0/{built.filename}.metadata").body
        if built not in done:
            done.append(built)
    proxy.close()


def test_rights(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Of one who may publish one project, of one who may only read, and of nobody."""
    proxy = Regproxy(tmp_path_factory.mktemp("rights"), pypi() + '[access]\nanonymousWrite = "never"\n')
    proxy.start()
    users = [User(name=name, password=HASH) for name in ("ann", "bob")]
    granted = {"ann": (Action.READ, Action.WRITE), "bob": (Action.READ,)}
    populate(
        proxy,
        *users,
        Target(name="packages", repositories=("own",), includes=("demo-pkg/**",), users=granted),
        Target(name=OPEN[0].name),
    )
    ann, bob = ({"Authorization": basic(name)} for name in ("ann", "bob"))
    other = make_wheel("other", "1.0")
    assert [401, 403, 403, 200] == [
        upload(proxy, built, headers=headers).status for built, headers in ((WHEEL, {}), (WHEEL, bob), (other, ann), (WHEEL, ann))
    ]
    refused = upload(proxy, WHEEL, headers=bob)
    assert b"bob may not write this in own" in refused.body
    challenge = ask(proxy, "GET", "/api/pypi/own/simple/demo-pkg/")
    assert (401, True) == (challenge.status, "basic" in challenge.headers["www-authenticate"].lower())
    assert 200 == ask(proxy, "GET", "/api/pypi/own/simple/demo-pkg/", **bob).status
    assert [{"name": "demo-pkg"}] == ask(proxy, "GET", "/api/pypi/own/simple/", accept=JSON_TYPE, **bob).json["projects"]
    again = [ask(proxy, "POST", "/api/pypi/own/reindex", b"", **headers).status for headers in ({}, bob, ann)]
    assert [401, 403, 200] == again
    assert 403 == ask(proxy, "DELETE", f"/own/demo-pkg/1.0/{WHEEL.filename}", **ann).status
    proxy.close()
