"""Requests that no page sends: each is refused with one clear line, and nothing is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.page_client import PageClient, records

FACE = "0" * 16
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"[]", JSON, 400),
        (b"null", JSON, 400),
        (b"{", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[" * 60_000, JSON, 400),
        (b'{"a":' * 10_000, JSON, 400),
        (b'{"position": ' + b"1" * 60_000 + b"}", JSON, 400),
        (b'{"position": NaN}', JSON, 400),
        (b'{"position": "0", "position": "1"}', JSON, 400),
        (b'{"position": "0000000000000000"}', {"content-type": "text/plain"}, 400),
        (b'{"position": "0000000000000000"}', {"content-type": "application/x-www-form-urlencoded"}, 400),
        (b'{"position": "0000000000000000"}', {}, 400),
        (b'{"position": "' + b"0" * 65_536 + b'"}', JSON, 413),
        (b" " * 70_000, JSON, 413),
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("path", ["answers", "undo", "skip", "suggested", "look", "done"])
def test_a_body_that_is_not_json_is_refused(
    page: PageClient, path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    response = page.request("POST", path, content=content, headers=headers)
    assert response.status_code == status and len(response.json()["error"]) < 200
    assert records(page.session.library) == [] and not page.session.done.is_set()


NAME = {"kind": "name", "name": "Anna", "groups": [1]}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "name",
        {},
        {"kind": None},
        {"kind": "forget", "faces": [FACE]},
        {"kind": "__class__"},
        {"kind": "record"},
        {"kind": "undo"},
        {**NAME, "extra": 1},
        {**NAME, "name": None},
        {**NAME, "name": 7},
        {**NAME, "name": ["Anna"]},
        {**NAME, "name": "x" * 1001},
        {**NAME, "name": "\ud800"},
        {"kind": "name", "groups": [1]},
        {**NAME, "groups": 1},
        {**NAME, "groups": "1"},
        {**NAME, "groups": ["1"]},
        {**NAME, "groups": [True]},
        {**NAME, "groups": [1.0]},
        {**NAME, "groups": [-1]},
        {**NAME, "groups": [10**18]},
        {**NAME, "groups": [None]},
        {**NAME, "groups": list(range(5001))},
        {**NAME, "faces": [1]},
        {**NAME, "faces": "0" * 16},
        {**NAME, "faces": ["0" * 15]},
        {**NAME, "faces": ["../../etc/passwd"]},
        {**NAME, "faces": ["photos/IMG_0000001.jpg#1"]},
        {**NAME, "faces": ["A" * 16]},
        {**NAME, "faces": ["0" * 16 + "\n"]},
        {**NAME, "faces": [{"face": FACE}]},
        {**NAME, "seen": {FACE: 1}},
        {"kind": "confirm", "faces": [FACE]},
        {"kind": "question", "question": 1},
        {"kind": "question", "question": FACE, "verdict": True},
        {"kind": "question", "question": FACE, "verdict": "maybe"},
        {"kind": "merge", "name": "Anna"},
        {"kind": "add_face", "photo": "a.jpg", "box": [0, 0, 1, 1]},
        {"kind": "add_face", "photo": "0" * 32, "box": [0, 0, 1]},
        {"kind": "add_face", "photo": "0" * 32, "box": [0.5, 0, 0.5, 1]},
        {"kind": "add_face", "photo": "0" * 32, "box": [0, 0, 1, 10**400]},
        {"kind": "add_face", "photo": "0" * 32, "box": [0, 0, 1, "1"]},
        {"kind": "add_face", "photo": "0" * 32, "box": [0, 0, 1, True]},
        {"kind": "add_face", "photo": "0" * 32, "box": [-0.1, 0, 1, 1]},
        {"kind": "add_whole", "photo": "0" * 32},
        {"kind": "move_face", "face": FACE, "box": None},
    ],
    ids=lambda value: repr(value)[:60],
)
def test_an_answer_of_the_wrong_form_is_refused(page: PageClient, answer: Any) -> None:
    position = page.get("state")["position"]
    body = json.dumps({"position": position, "answer": answer})
    response = page.request("POST", "answers", content=body, headers=JSON)
    assert response.status_code == 400 and len(response.json()["error"]) < 200
    assert records(page.session.library) == [] and page.get("state")["position"] == position


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("answers", {"answer": NAME}),
        ("answers", {"position": None, "answer": NAME}),
        ("answers", {"position": "0", "answer": NAME}),
        ("answers", {"position": "0" * 16, "answer": NAME, "accept": True}),
        ("answers", {"position": "0" * 16, "answer": NAME, "accept": {"same_photo": 1}}),
        ("answers", {"position": "0" * 16, "answer": NAME, "accept": {"name": 1}}),
        ("answers", {"position": "0" * 16, "answer": NAME, "accept": {"everything": True}}),
        ("undo", {"position": "0" * 16, "redo": 1}),
        ("undo", {"position": "0" * 16, "event": ["e"]}),
        ("undo", {"position": "0" * 16, "event": "e", "redo": True}),
        ("undo", {}),
        ("skip", {}),
        ("skip", {"question": "1"}),
        ("suggested", {"person": "Anna"}),
        ("look", {"photo": "a.jpg", "min_face": 20}),
        ("look", {"photo": "0" * 32, "min_face": 0}),
        ("look", {"photo": "0" * 32}),
        ("done", {"now": True}),
    ],
)
def test_a_request_of_the_wrong_form_is_refused(page: PageClient, path: str, body: Any) -> None:
    status, refused = page.post(path, body)
    assert status == 400 and refused["error"]
    assert records(page.session.library) == [] and not page.session.done.is_set()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("rows", 400),
        ("rows?groups=", 400),
        ("rows?groups=1,,2", 400),
        ("rows?groups=a", 400),
        ("rows?groups=" + ",".join(["1"] * 101), 400),
        ("rows?groups=9999999999", 400),
        ("group/99", 404),
        ("group/x", 404),
        ("group/1%00", 404),
        ("person/" + "0" * 12, 404),
        ("person/Anna", 404),
        ("person/..%2f..%2fstate", 404),
        ("photo/" + "f" * 32, 404),
        ("photo/..%2fpeople.jsonl", 404),
        ("photo/" + "0" * 31 + "1?of=person/" + "0" * 12, 404),
        ("photo/" + "0" * 31 + "1?of=album/1", 404),
        ("answers", 405),
        ("nothing", 404),
    ],
)
def test_an_address_of_nothing_is_refused(page: PageClient, path: str, status: int) -> None:
    response = page.request("GET", path)
    assert response.status_code == status and len(response.text) < 200
