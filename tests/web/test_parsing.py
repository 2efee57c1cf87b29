"""Whatever comes as a body or a query is read into a model or refused by the names of its fields."""

from __future__ import annotations

import gzip
import json
import logging
from datetime import date
from enum import StrEnum
from io import BytesIO
from typing import Annotated, Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from telemed.accounts.permissions import Action
from telemed.web.parsing import (
    HIDDEN_KEY,
    MOST_FAULTS,
    Body,
    Day,
    RowKey,
    local_day,
    read_body,
    read_form,
    read_json,
    read_query,
)
from telemed.web.rendering import json_answer
from telemed.web.routing import ROUTE_TABLE, Routes
from tests.conftest import Client

SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
FORM = {**SCRIPT, "Content-Type": "application/x-www-form-urlencoded"}
NAMED = b'--x\r\nContent-Disposition: form-data; name="name"'
JSON = {**SCRIPT, "Content-Type": "application/json"}


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Sample(Body):
    name: Annotated[str, Field(min_length=1, max_length=10)]
    key: RowKey | None = None
    day: Day | None = None
    colour: Colour = Colour.RED
    share: Annotated[float, Field(ge=0, le=1)] = 0
    tags: list[Annotated[str, Field(max_length=3)]] = Field(default_factory=list, max_length=2)
    nested: dict[str, Any] = Field(default_factory=dict)


routes = Routes()


@routes.post("/sample", Action.PUBLIC)
async def take(request: web.Request) -> web.Response:
    return json_answer((await read_body(request, Sample)).model_dump(exclude={"nested"}))


@routes.post("/sample/json", Action.PUBLIC)
async def take_json(request: web.Request) -> web.Response:
    return json_answer((await read_json(request, Sample)).model_dump())


@routes.post("/sample/form", Action.PUBLIC)
async def take_form(request: web.Request) -> web.Response:
    return json_answer((await read_form(request, Sample)).model_dump())


@routes.get("/sample", Action.PUBLIC)
async def ask(request: web.Request) -> web.Response:
    return json_answer(read_query(request, Sample).model_dump())


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Nothing here touches a database; one engine is enough."""
    return sqlite_url


@pytest.fixture
def app(app: web.Application) -> web.Application:
    app[ROUTE_TABLE].add(app, routes)
    return app


async def faults(client: Client, data: bytes | str, headers: dict[str, str]) -> dict[str, str]:
    """Field to code of a refusal."""
    answer = await client.post("/sample", data=data, headers=headers)
    body = await answer.json()
    assert answer.status == 422
    assert all(each["message"] for each in body["fields"])
    return {each["field"]: each["code"] for each in body["fields"]}


async def test_a_form_and_json_say_the_same(client: Client) -> None:
    form = "name=+M%E1%BB%B7+&key=7&day=29%2F11%2F2026&colour=blue&tags=a&tags=b"
    sent = {"name": " Mỷ ", "key": 7, "day": "2026-11-29", "colour": "blue", "tags": ["a", "b"]}
    by_form = await client.post("/sample", data=form, headers=FORM)
    by_json = await client.post("/sample", json=sent, headers=SCRIPT)
    assert (by_form.status, by_json.status) == (200, 200)
    assert await by_form.json() == await by_json.json()
    assert (await by_form.json())["name"] == "Mỷ"


async def test_an_empty_field_of_a_form_counts_as_not_given(client: Client) -> None:
    form = f"name=a&key=&day=&share=&colour=&{HIDDEN_KEY}=k"
    answer = await client.post("/sample", data=form, headers=FORM)
    body = await answer.json()
    assert answer.status == 200
    assert (body["key"], body["day"], body["colour"], body["tags"]) == (None, None, "red", [])


async def test_rows_of_a_list_keep_their_places(client: Client) -> None:
    answer = await client.post("/sample", data="name=a&tags=&tags=b", headers=FORM)
    assert (await answer.json())["tags"] == ["", "b"]


async def test_lines_end_alike_in_forms_and_scripts(client: Client) -> None:
    answer = await client.post("/sample", data="name=a%0D%0Ab", headers=FORM)
    assert (await answer.json())["name"] == "a\nb"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("", {"name": "missing"}),
        ("name=", {"name": "missing"}),
        ("name=++", {"name": "string_too_short"}),
        ("name=12345678901", {"name": "string_too_long"}),
        ("name=a&name=b", {"name": "repeated"}),
        ("name=a&x=1&y=2", {"x": "extra_forbidden", "y": "extra_forbidden"}),
        ("name=a%00b", {"name": "nul"}),
        ("na%00me=a", {"name": "nul"}),
        ("name=a&key=0", {"key": "greater_than_equal"}),
        (f"name=a&key={2**31}", {"key": "less_than_equal"}),
        ("name=a&key=1.5", {"key": "int_parsing"}),
        ("name=a&key=" + "9" * 5000, {"key": "int_parsing_size"}),
        ("name=a&share=nan", {"share": "less_than_equal"}),
        ("name=a&share=2", {"share": "less_than_equal"}),
        ("name=a&colour=green", {"colour": "enum"}),
        ("name=a&day=31%2F02%2F2026", {"day": "date_from_datetime_parsing"}),
        ("name=a&day=01%2F01%2F0001", {"day": "date_out_of_range"}),
        ("name=a&day=9999-12-31", {"day": "date_out_of_range"}),
        ("name=a&tags=1&tags=2&tags=3", {"tags": "too_long"}),
        ("name=a&tags=1&tags=1234", {"tags.1": "string_too_long"}),
        ("name=a&nested=b", {"nested": "dict_type"}),
        ("name=\xff", {"body": "form_malformed"}),
    ],
)
async def test_a_form_is_refused_by_its_fields(
    client: Client, form: str, expected: dict[str, str]
) -> None:
    assert await faults(client, form.encode("latin-1"), FORM) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", {"body": "json_malformed"}),
        (b"{", {"body": "json_malformed"}),
        (b"[]", {"body": "json_malformed"}),
        (b'"name"', {"body": "json_malformed"}),
        (b"null", {"body": "json_malformed"}),
        (b'{"name": "a"} x', {"body": "json_malformed"}),
        (b'{"name": NaN}', {"body": "json_malformed"}),
        (b'{"name": "\xff"}', {"body": "json_malformed"}),
        (b'{"name": "\\ud800"}', {"body": "json_malformed"}),
        (b"[" * 100_000, {"body": "json_malformed"}),
        (b'{"name": "a\\u0000"}', {"name": "nul"}),
        (b'{"name": "a", "nested": {"b": ["\\u0000"]}}', {"nested": "nul"}),
        (b'{"name": "a", "nested": {"b\\u0000": 1}}', {"nested": "nul"}),
        (b'{"name": 1}', {"name": "string_type"}),
        (b'{"name": null}', {"name": "string_type"}),
        (b'{"name": ["a"]}', {"name": "string_type"}),
        (b'{"name": "a", "tags": "b"}', {"tags": "list_type"}),
        (b'{"name": "a", "key": 1e300}', {"key": "int_parsing_size"}),
        (b'{"name": "a", "__proto__": {}}', {"__proto__": "extra_forbidden"}),
    ],
)
async def test_json_is_refused_by_its_fields(
    client: Client, body: bytes, expected: dict[str, str]
) -> None:
    assert await faults(client, body, JSON) == expected


async def test_text_that_only_looks_like_an_escape_is_taken(client: Client) -> None:
    answer = await client.post("/sample", json={"name": "\\u0000"}, headers=SCRIPT)
    assert (await answer.json())["name"] == "\\u0000"


async def test_the_depth_of_a_document_breaks_nothing(client: Client) -> None:
    nested = b'{"name": "a", "nested": {"b": ' + b"[" * 900 + b"]" * 900 + b"}}"
    answer = await client.post("/sample", data=nested, headers=JSON)
    assert answer.status == 200


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/sample/json", "application/x-www-form-urlencoded"),
        ("/sample/json", "text/json"),
        ("/sample/form", "application/json"),
        ("/sample/form", "text/plain"),
        ("/sample", "text/plain"),
        ("/sample", "application/octet-stream"),
    ],
)
async def test_another_content_type_is_unsupported(
    client: Client, path: str, content_type: str
) -> None:
    headers = {**SCRIPT, "Content-Type": content_type}
    answer = await client.post(path, data=b"name=a", headers=headers)
    assert answer.status == 415
    assert (await answer.json())["code"] in {"json_expected", "form_expected"}


@pytest.mark.parametrize("charset", ["nonsense", "unicode_escape", "utf-7", "base64", "idna"])
async def test_an_odd_charset_is_no_way_in(client: Client, charset: str) -> None:
    headers = {**FORM, "Content-Type": f"{FORM['Content-Type']}; charset={charset}"}
    answer = await client.post("/sample", data=b"name=\\ud800", headers=headers)
    assert answer.status in {200, 415, 422}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x--\r\n",
        b"--y\r\n\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
        NAMED + b"\r\n\r\na",
        NAMED + b"\r\nContent-Transfer-Encoding: x\r\n\r\na\r\n--x--\r\n",
        NAMED + b"\r\nContent-Type: text/plain; charset=nonsense\r\n\r\na\r\n--x--\r\n",
        NAMED + b"\r\n\r\n\xff\r\n--x--\r\n",
        b"--x\r\n" + b"a: b\r\n" * 1000 + b"\r\n\r\n--x--\r\n",
        b"--x\r\nContent-Disposition: form-data; name=" + b"a" * 20_000 + b"\r\n\r\n\r\n--x--\r\n",
        b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n--y--\r\n--x--\r\n",
    ],
)
async def test_broken_parts_are_refused_in_words(client: Client, body: bytes) -> None:
    headers = {**SCRIPT, "Content-Type": "multipart/form-data; boundary=x"}
    assert await faults(client, body, headers) in (
        {"body": "form_malformed"},
        {"name": "missing"},
    )


async def test_a_file_where_text_is_asked_for_is_refused(client: Client) -> None:
    headers = {**SCRIPT, "Content-Type": "multipart/form-data; boundary=x"}
    part = NAMED + b'; filename="a"\r\n\r\nb\r\n--x--\r\n'
    assert await faults(client, part, headers) == {"name": "string_type"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [(FORM, b"name=" + b"a" * 2**20), (FORM, b"a=b&" * 2000), (JSON, b" " * (2**20 + 1))],
)
async def test_a_body_out_of_proportion_is_too_large(
    client: Client, headers: dict[str, str], body: bytes
) -> None:
    answer = await client.post("/sample", data=BytesIO(body), headers=headers)
    assert answer.status == 413
    assert (await answer.json())["code"] == "body_too_large"


async def test_a_small_body_that_unpacks_to_a_huge_one_is_too_large(client: Client) -> None:
    body = gzip.compress(b'{"name": "' + b"a" * 2**24 + b'"}')
    headers = {**JSON, "Content-Encoding": "gzip"}
    answer = await client.post("/sample", data=body, headers=headers)
    assert answer.status == 413


async def test_a_body_that_cannot_be_unpacked_is_refused(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    answer = await client.post("/sample", data=b"not gzip at all", headers=headers)
    assert answer.status == 422
    assert (await answer.json())["code"] == "body_damaged"
    ours = [record for record in caplog.records if record.name.startswith("telemed")]
    assert all(record.levelno < logging.ERROR for record in ours)
    # The library also tells of it, after the answer.
    caplog.clear()


async def test_of_very_many_faults_the_first_are_told(client: Client) -> None:
    body = json.dumps({f"x{number}": 1 for number in range(10_000)}).encode()
    assert len(await faults(client, body, JSON)) == MOST_FAULTS


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=a%00", {"name": "nul"}),
        ("na%00me=a", {"name": "nul"}),
        ("name=a&name=b", {"name": "repeated"}),
        ("name=a&key=x", {"key": "int_parsing"}),
        ("name=a&other=1", {"other": "extra_forbidden"}),
        ("", {"name": "missing"}),
    ],
)
async def test_a_query_is_refused_by_its_fields(
    client: Client, query: str, expected: dict[str, str]
) -> None:
    answer = await client.get(f"/sample?{query}", headers=SCRIPT)
    body = await answer.json()
    assert answer.status == 422
    assert {each["field"]: each["code"] for each in body["fields"]} == expected


JUNK = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*Sample.model_fields, "x"]), inner, max_size=4)
        ),
        max_leaves=10,
    ).map(lambda value: json.dumps(value).encode()),
    st.lists(
        st.tuples(
            st.sampled_from([*Sample.model_fields, HIDDEN_KEY, "x", "%00", "%ff"]),
            st.sampled_from(["", "a", "1", "%00", "%ff", "%ED%A0%80", "%E1%BB%B7", "+", "-1"]),
        )
    ).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode()),
)
TYPES = st.sampled_from(
    [
        "application/json",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-16",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
        "",
    ]
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=JUNK, content_type=TYPES)
async def test_no_body_at_all_breaks_the_server(
    client: Client, body: bytes, content_type: str
) -> None:
    headers = {**SCRIPT, "Content-Type": content_type}
    answer = await client.post("/sample", data=body, headers=headers)
    text = await answer.json()
    assert answer.status in {200, 415, 422}
    assert (answer.status == 422) == bool(text.get("fields"))
    assert "Traceback" not in str(text)


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_a_day_as_it_is_written_here_is_read_as_that_day(day: date) -> None:
    for written in (day.strftime("%d/%m/%Y"), f"{day.day}/{day.month}/{day.year}"):
        assert Sample.model_validate({"name": "a", "day": written}).day == day


@given(st.text(max_size=12))
def test_whatever_is_written_as_a_day_is_passed_on_or_rewritten(text: str) -> None:
    rewritten = local_day(text)
    assert rewritten == text or text.count("/") == 2
