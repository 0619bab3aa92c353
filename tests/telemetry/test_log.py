"""Entries as JSON lines: what is not known is left out, and nothing forges a line."""

import json

from regproxy.telemetry.log import Asked, Exchange, json_lines


def test_a_line_for_each() -> None:
    """With the name of the log, and without what is empty."""
    asked = Asked(1.5, "id", "127.0.0.1", "GET", "/r/a", 200, 10, 0.25, user="ann")
    exchange = Exchange(1.5, "id", "ann", "r", "GET", "https://u.example/a", 200, 10, 0.25)
    assert [json.loads(line) for line in json_lines([asked, exchange]).splitlines()] == [
        {
            "log": "request",
            "ts": 1.5,
            "request_id": "id",
            "client": "127.0.0.1",
            "method": "GET",
            "path": "/r/a",
            "status": 200,
            "bytes": 10,
            "duration": 0.25,
            "user": "ann",
        },
        {
            "log": "out",
            "ts": 1.5,
            "request_id": "id",
            "user": "ann",
            "repository": "r",
            "method": "GET",
            "url": "https://u.example/a",
            "status": 200,
            "bytes": 10,
            "duration": 0.25,
        },
    ]


def test_hostile_fields_stay_in_their_line() -> None:
    """A line end in a User-Agent forges no entry."""
    lines = json_lines([Asked(0.0, "id", "c", "GET", "/", 200, 0, 0.0, user_agent='a\n{"forged": 1}')]).splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["user_agent"] == 'a\n{"forged": 1}'
