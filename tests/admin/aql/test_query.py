"""Queries as scripts write them, and what becomes of those that make no sense."""

import contextlib
import json
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from regproxy.admin.aql.answer import Gathering, shown
from regproxy.admin.aql.grammar import DEEPEST, Pairs, parse
from regproxy.admin.aql.query import EVERY, USUAL, Query, read_query
from regproxy.admin.aql.virtual import asked_of_members, named_in
from regproxy.admin.aql.words import LONGEST, words_of
from regproxy.errors import Kind, RegproxyError
from regproxy.index.finding_sql import compiled
from regproxy.model.finding import AllOf, AnyOf, Compare, Criterion, Field, Found, How, Property, SameProperty

NOW = 1_000_000.0
FILE = Compare(Field.TYPE, How.EQ, "file")


def criteria(text: str) -> tuple[Criterion, ...]:
    """Of ``items.find(…)``."""
    found = read_query(f"items.find({text})", NOW).finding.criterion
    assert isinstance(found, AllOf)
    return found.parts


def flat(text: str) -> Any:
    """The only criterion beside that of files."""
    (found, *others) = criteria(text)
    assert others == [FILE]
    while isinstance(found, AllOf) and len(found.parts) == 1:
        found = found.parts[0]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"repo":"r"}', Compare(Field.REPO, How.EQ, "r")),
        ('{"repo":{"$eq":"r"}}', Compare(Field.REPO, How.EQ, "r")),
        ("{'item.name':{'$match':'*.j?r'}}", Compare(Field.NAME, How.MATCH, "*.j?r")),
        ('{"name":{"$nmatch":"a\\\\*"}}', Compare(Field.NAME, How.NMATCH, "a\\*")),
        ('{"size":{"$gt":"100"}}', Compare(Field.SIZE, How.GT, 100)),
        ('{"size":{"$lte":100}}', Compare(Field.SIZE, How.LTE, 100)),
        ('{"created":{"$gte":"1970-01-02T00:00:00.000Z"}}', Compare(Field.CREATED, How.GTE, 86400.0)),
        ('{"modified":{"$before":"1d"}}', Compare(Field.MODIFIED, How.LT, NOW - 86400)),
        ('{"stat.downloaded":{"$last":"2mo"}}', Compare(Field.DOWNLOADED, How.GT, NOW - 5184000)),
        ('{"stat.downloads":{"$eq":0}}', Compare(Field.DOWNLOADS, How.EQ, 0)),
        ('{"stat.downloads":null}', Compare(Field.DOWNLOADS, How.EQ, 0)),
        ('{"stat.downloads":{"$ne":null}}', Compare(Field.DOWNLOADS, How.NE, 0)),
        ('{"stat.downloaded":{"$eq":null}}', Compare(Field.DOWNLOADS, How.EQ, 0)),
        ('{"original_sha1":"ab"}', Compare(Field.SHA1, How.EQ, "ab")),
        ('{"artifact.module.build.name":{"$match":"*"}}', AnyOf(())),
        ('{"@k":"v"}', Property((How.EQ, "k"), (How.EQ, "v"))),
        ('{"@k.l":{"$ne":"v"}}', Property((How.EQ, "k.l"), (How.NE, "v"))),
        ('{"@k":{"$match":"*"}}', Property((How.EQ, "k"), None)),
        ('{"@k":true}', Property((How.EQ, "k"), (How.EQ, "true"))),
        ('{"@*":{"$eq":"v"}}', Property(None, (How.EQ, "v"))),
        ('{"@k*":"v"}', Property((How.MATCH, "k*"), (How.EQ, "v"))),
        ('{"property.key":{"$eq":"k"}}', Property((How.EQ, "k"), None)),
        ('{"property.value":{"$match":"v*"}}', Property(None, (How.MATCH, "v*"))),
        (
            '{"$msp":[{"@k":{"$match":"*a*"}},{"@k":{"$nmatch":"ab"}}]}',
            SameProperty((Property((How.EQ, "k"), (How.MATCH, "*a*")), Property((How.EQ, "k"), (How.NMATCH, "ab")))),
        ),
    ],
)
def test_criteria(text: str, expected: Criterion) -> None:
    """One at a time."""
    assert expected == flat(text)


def test_several() -> None:
    """Side by side all of them hold; ``$or`` is for one of them; names may come again."""
    found = criteria('{"repo":"r","$or":[{"name":"a"},{"name":"b","size":1}],"$or":[{"path":"x"}]}, {"depth":1}')
    either = AnyOf(
        (AllOf((Compare(Field.NAME, How.EQ, "a"),)), AllOf((Compare(Field.NAME, How.EQ, "b"), Compare(Field.SIZE, How.EQ, 1))))
    )
    other = AnyOf((AllOf((Compare(Field.PATH, How.EQ, "x"),)),))
    assert (Compare(Field.REPO, How.EQ, "r"), either, other, Compare(Field.DEPTH, How.EQ, 1), FILE) == found
    between = criteria('{"size":{"$gt":1,"$lt":9}}')[0]
    assert AllOf((Compare(Field.SIZE, How.GT, 1), Compare(Field.SIZE, How.LT, 9))) == between


def test_types() -> None:
    """Files, unless something is said of types."""
    assert (FILE,) == criteria("") == criteria("{}")
    assert 1 == len(criteria('{"type":"folder"}'))
    assert (AnyOf((FILE, Compare(Field.TYPE, How.EQ, "folder"))),) == criteria('{"type":"any"}')
    assert 1 == len(criteria('{"$or":[{"type":"folder"},{"name":"x"}]}'))


def test_what_is_done_with_what_is_found() -> None:
    """Fields, properties, statistics, order, pages."""
    query = read_query(
        'items.find({"repo":"r"}) .include("repo","path", "name","@k","stat.downloads","sha256")\n'
        '.sort({"$desc":["created","name"]}).offset(5).limit(10).distinct(false)',
        NOW,
    )
    assert (("repo", "path", "name", "sha256"), frozenset({"k"}), True) == (query.shown, query.keys, query.with_stats)
    assert ((Field.CREATED, True), (Field.NAME, True)) == query.finding.order
    assert (5, 10, False, True, False) == (
        query.offset,
        query.limit,
        query.distinct,
        query.finding.with_properties,
        query.finding.with_checksums,
    )
    plain = read_query("items.find()", NOW)
    assert (USUAL, frozenset(), False, None) == (tuple(plain.shown), plain.keys, plain.with_stats, plain.limit)
    every = read_query('items.find().include("*", "property.*")', NOW)
    assert (EVERY, None, True) == (tuple(every.shown), every.keys, every.finding.with_checksums)
    properties = read_query('items.find().include("property")', NOW)
    assert (USUAL, None) == (tuple(properties.shown), properties.keys)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "items",
        "items.find",
        "items.find(",
        "items.find({)",
        "items.find([])",
        'items.find({"repo"})',
        'items.find({"repo":})',
        'items.find({"repo":"r",})',
        'items.find({"none":"r"})',
        'items.find({"repo":null})',
        'items.find({"repo":["a"]})',
        'items.find({"repo":{}})',
        'items.find({"repo":{"$like":"r"}})',
        'items.find({"size":"big"})',
        'items.find({"size":1e5})',
        'items.find({"size":{"$gt":"99999999999999999999"}})',
        'items.find({"created":{"$gt":"yesterday"}})',
        'items.find({"created":{"$last":"3"}})',
        'items.find({"name":{"$last":"3d"}})',
        'items.find({"name":{"$match":"*a*a*a*a*a*a*a"}})',
        'items.find({"$or":{"a":"b"}})',
        'items.find({"$msp":[{"name":"a"}]})',
        'items.find({"name":"a\0b"})',
        'items.find({"name":"\\ud800"})',
        "builds.find()",
        "items.delete()",
        "items.find().limit()",
        "items.find().limit(-1)",
        "items.find().limit(1.5)",
        "items.find().limit(true)",
        "items.find().limit(99999999999)",
        "items.find().limit(1).limit(2)",
        'items.find().distinct("x")',
        "items.find().sort()",
        'items.find().sort({"$up":["name"]})',
        'items.find().sort({"$asc":[]})',
        'items.find().sort({"$asc":["none"]})',
        'items.find().include("none")',
        "items.find().include(1)",
        "items.find().transitive(1)",
        "items.find() x",
        "items.find();",
        f"items.find({'[' * (DEEPEST + 1)})",
        f"items.find({' ' * LONGEST})",
        "items.find({" + ",".join(['"name":"a"'] * 201) + "})",
    ],
)
def test_what_makes_no_sense(text: str) -> None:
    """Is said, with the place."""
    with pytest.raises(RegproxyError) as caught:
        read_query(text, NOW)
    assert Kind.INVALID is caught.value.kind


@given(st.text(alphabet="items.find({}[]),:\"\\'$@aort0-9 \n*?é", max_size=80) | st.text(max_size=40))
def test_no_text_is_too_strange(text: str) -> None:
    """It is read, or it makes no sense; nothing else happens."""
    for each in (text, f"items.find({text})", f'items.find({{"name":"{text}"}})'):
        with contextlib.suppress(RegproxyError):
            compiled(read_query(each, NOW).finding, {"r": "r"})


_VALUES = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0*?\\"), max_size=8)
    | st.integers(-(10**15), 10**15)
    | st.booleans()
    | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc$@", max_size=4), inner, max_size=3),
    max_leaves=12,
)


def plain(tree: Any) -> Any:
    """A tree as JSON has it."""
    if isinstance(tree, Pairs):
        return {pair.name: plain(pair.value) for pair in tree.pairs}
    return [plain(each) for each in tree] if isinstance(tree, tuple) else tree


@given(_VALUES)
def test_json_is_read_as_json(value: Any) -> None:
    """Whatever it is."""
    assert value == plain(parse(f"items.find({json.dumps(value)})").calls[0].arguments[0])


def test_words_end_in_time() -> None:
    """Also where nothing fits."""
    assert LONGEST // 2 + 1 == len(words_of("1 " * (LONGEST // 2)))


FOUND = Found("r", "a/b.txt", 5, 0.0, 1.0, "ann", "bob", "cd", 3, 2.0, (("k", "v"), ("l", "w")), {"sha1": "ab"})


def test_an_item() -> None:
    """In the shape that scripts read; sizes are numbers here."""
    said = shown(FOUND, "r", read_query('items.find().include("*","property","stat")', NOW))
    assert ("a", "b.txt", "file", 5, 2) == tuple(said[name] for name in ("path", "name", "type", "size", "depth"))
    assert ("1970-01-01T00:00:00.000Z", "ab", "") == (said["created"], said["actual_sha1"], said["actual_md5"])
    assert [{"key": "k", "value": "v"}, {"key": "l", "value": "w"}] == said["properties"]
    assert [{"downloads": 3, "downloaded": "1970-01-01T00:00:02.000Z"}] == said["stats"]
    folder = shown(evolve(FOUND, path="x/", sha256=""), "r", Query())
    assert (".", "x", "folder") == (folder["path"], folder["name"], folder["type"])
    assert [{"key": "l", "value": "w"}] == shown(FOUND, "r", read_query('items.find().include("name","@l")', NOW))["properties"]


def test_pages_of_what_is_found() -> None:
    """Offset and limit count what is shown; what is shown twice counts once, unless that is wanted."""

    def told(text: str, *paths: str) -> Any:
        gathering = Gathering(read_query(text, NOW), {"r": "r"})
        gathering.add([(evolve(FOUND, path=path), ()) for path in paths])
        return json.loads(gathering.text().body)

    answer = told("items.find().offset(1).limit(2)", "a", "b", "c", "d")
    assert ["b", "c"] == [each["name"] for each in answer["results"]]
    assert {"start_pos": 1, "end_pos": 3, "total": 2, "limit": 2} == answer["range"]
    assert 2 == told('items.find().include("name")', "a/x", "b/x", "y")["range"]["total"]
    assert 3 == told('items.find().include("name").distinct(false)', "a/x", "b/x", "y")["range"]["total"]


def test_virtual_repositories() -> None:
    """Their members are asked in their place, wherever they are named by name alone."""
    every = read_query('items.find({"$or":[{"repo":"all","name":"a"},{"repo":"r"}],"repo":{"$ne":"all"}}).transitive()', NOW)
    criterion = every.finding.criterion
    assert {"all", "r"} == named_in(criterion)
    one, two = Compare(Field.REPO, How.EQ, "one"), Compare(Field.REPO, How.EQ, "up-cache")
    changed = asked_of_members(criterion, {"all": ["one", "up-cache"]})
    assert isinstance(changed, AllOf)
    assert (
        AnyOf(
            (
                AllOf((AnyOf((one, two)), Compare(Field.NAME, How.EQ, "a"))),
                AllOf((Compare(Field.REPO, How.EQ, "r"),)),
            )
        )
        == changed.parts[0]
    )
    assert criterion == asked_of_members(criterion, {})
