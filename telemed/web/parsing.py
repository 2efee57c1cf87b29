"""The only place where bodies and queries are read: into a model, or a refusal with fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiMapping
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from telemed.core.errors import N_, FieldError, Invalid, Unsupported

FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
HIDDEN_KEY = "idempotency_key"
VALUES: web.RequestKey[Mapping[str, Any]] = web.RequestKey("values")
MOST_FAULTS = 50
LONGEST_SECRET = 1000
YEARS = range(1900, 2101)
# What aiohttp raises for a body that is not what its head announces.
MALFORMED = (ValueError, LookupError, RuntimeError, TypeError, AssertionError, HttpProcessingError)

# Blanks at the ends of a password are part of it.
Secret = Annotated[
    str, StringConstraints(strip_whitespace=False, min_length=1, max_length=LONGEST_SECRET)
]
# The key of a row in a form or an address, as large as both engines store it.
RowKey = Annotated[int, Field(ge=1, le=2**31 - 1)]


def _clock(text: object) -> object:
    try:
        return datetime.strptime(str(text).strip(), "%H:%M").time()  # noqa: DTZ007 # a time of day
    except ValueError as error:
        raise PydanticCustomError("clock_malformed", "not a time of day") from error


# A time of the day as typed: 07:30.
Clock = Annotated[time, BeforeValidator(_clock)]


class Body(BaseModel):
    """Base of every model of input: unknown fields are refused, text is trimmed."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


Model = TypeVar("Model", bound=BaseModel)

_MESSAGES = {
    "missing": N_("Chưa ghi mục này"),
    "string_too_short": N_("Chưa ghi mục này"),
    "string_too_long": N_("Dài quá {max_length} ký tự"),
    "string_type": N_("Mục này phải là chữ"),
    "string_pattern_mismatch": N_("Chưa đúng dạng"),
    "extra_forbidden": N_("Mục này không được nhận"),
    "enum": N_("Chọn một trong các giá trị có sẵn"),
    "literal_error": N_("Chọn một trong các giá trị có sẵn"),
    "int_parsing": N_("Phải là số nguyên"),
    "int_type": N_("Phải là số nguyên"),
    "float_parsing": N_("Phải là số"),
    "finite_number": N_("Phải là số"),
    "bool_parsing": N_("Chọn có hoặc không"),
    "greater_than_equal": N_("Phải từ {ge} trở lên"),
    "greater_than": N_("Phải lớn hơn {gt}"),
    "less_than_equal": N_("Phải từ {le} trở xuống"),
    "less_than": N_("Phải nhỏ hơn {lt}"),
    "date_from_datetime_parsing": N_("Ngày ghi như 29/11/2026"),
    "date_parsing": N_("Ngày ghi như 29/11/2026"),
    "date_out_of_range": N_("Năm phải từ {first} đến {last}"),
    "datetime_parsing": N_("Ngày giờ chưa đúng dạng"),
    "datetime_from_date_parsing": N_("Ngày giờ chưa đúng dạng"),
    "too_short": N_("Ghi ít nhất {min_length} mục"),
    "too_long": N_("Nhiều quá {max_length} mục"),
    "clock_malformed": N_("Giờ ghi như 07:30"),
    "repeated": N_("Mục này được gửi nhiều lần"),
    "nul": N_("Có ký tự không ghi được"),
}
_OTHER = N_("Chưa đúng dạng")


def _field_error(name: str, code: str, context: Mapping[str, Any] | None = None) -> FieldError:
    params = {
        key: value if isinstance(value, (int, float)) else str(value)
        for key, value in (context or {}).items()
    }
    return FieldError(name, code, _MESSAGES.get(code, _OTHER), params)


def validate(model: type[Model], data: Any) -> Model:
    """Data into a model. Raises Invalid with every field that was not accepted."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fields = [
            _field_error(
                ".".join(str(part) for part in item["loc"]) or "body",
                str(item["type"]),
                item.get("ctx"),
            )
            for item in error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
        ]
        raise Invalid.of(fields) from None


async def read_json(request: web.Request, model: type[Model]) -> Model:
    """The JSON body as a model. Repeated keys: the last one counts."""
    if request.content_type != "application/json":
        raise Unsupported("json_expected", N_("Nội dung phải là application/json"))
    raw = await request.read()
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Invalid("json_malformed", N_("Nội dung JSON chưa đúng"), field="body") from None
    if not isinstance(data, dict):
        raise Invalid("json_malformed", N_("Nội dung JSON chưa đúng"), field="body")
    for name, value in data.items():
        if not _is_writable([name, value]):
            raise Invalid.of([_field_error(_shown(name), "nul")])
    request[VALUES] = data
    return validate(model, data)


async def read_form(request: web.Request, model: type[Model]) -> Model:
    """The fields of a form as a model; an empty field counts as not given."""
    if request.content_type not in FORM_TYPES:
        raise Unsupported("form_expected", N_("Nội dung phải là biểu mẫu"))
    data = _collect(await form_fields(request), model)
    request[VALUES] = data
    return validate(model, data)


async def form_fields(request: web.Request) -> MultiMapping[Any]:
    """The raw fields of a form. Raises Invalid when the body is none."""
    try:
        fields = await request.post()
    except MALFORMED as error:
        text = N_("Biểu mẫu gửi lên chưa đúng dạng")
        raise Invalid("form_malformed", text, field="body") from error
    request[VALUES] = {name: _as_typed(fields.getall(name)) for name in fields}
    return fields


def _as_typed(values: list[Any]) -> Any:
    texts = [value for value in values if isinstance(value, str)]
    return texts[0] if len(texts) == 1 else texts


async def read_body(request: web.Request, model: type[Model]) -> Model:
    """A form or JSON, whichever came."""
    if request.content_type == "application/json":
        return await read_json(request, model)
    return await read_form(request, model)


def read_query(request: web.Request, model: type[Model]) -> Model:
    """The query string as a model; an empty field counts as not given."""
    return validate(model, _collect(request.query, model))


def refuse_unwritable(fields: MultiMapping[Any]) -> None:
    """Raise Invalid naming the first field with a character that no database takes."""
    for name, value in fields.items():
        if not _is_writable([name, value]):
            raise Invalid.of([_field_error(_shown(name), "nul")])


def local_day(text: object) -> object:
    """29/11/2026, as days are written here, into what a date field takes."""
    if not isinstance(text, str):
        return text
    parts = text.strip().split("/")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return text
    day, month, year = parts
    return f"{year:0>4}-{month:0>2}-{day:0>2}"


def _within_reach(day: date) -> date:
    if day.year not in YEARS:
        raise PydanticCustomError(
            "date_out_of_range", "out of range", {"first": YEARS[0], "last": YEARS[-1]}
        )
    return day


Day = Annotated[date, BeforeValidator(local_day), AfterValidator(_within_reach)]


def typed_values(request: web.Request) -> Mapping[str, Any]:
    """What was typed, to show it again beside what is wrong."""
    values: Mapping[str, Any] = request.get(VALUES, {})
    return values


def _collect(fields: MultiMapping[Any], model: type[BaseModel]) -> dict[str, Any]:
    lists = {name for name, info in model.model_fields.items() if _is_list(info.annotation)}
    data: dict[str, Any] = {}
    refuse_unwritable(fields)
    for name in dict.fromkeys(fields.keys()):
        if name == HIDDEN_KEY:
            continue
        values = [_line_ends(value) for value in fields.getall(name)]
        if any(not isinstance(value, str) for value in values):
            raise Invalid.of([_field_error(name, "string_type")])
        given = [value for value in values if value]
        if name in lists:
            # Rows of a list keep their places, also when one above is empty.
            data[name] = values
        elif len(given) > 1:
            raise Invalid.of([_field_error(name, "repeated")])
        elif given:
            data[name] = given[0]
    return data


def _line_ends(value: Any) -> Any:
    """Forms send two characters for the end of a line where people and scripts count one."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(_is_list(part) for part in get_args(annotation))
    return (origin or annotation) in (list, tuple, set, frozenset)


def _is_writable(value: Any) -> bool:
    """Whether both engines can store every text in here: no NUL, no half of a character."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and ("\0" in item or _shown(item) != item):
            return False
    return True


def _shown(text: str) -> str:
    return text.encode(errors="ignore").decode().replace("\0", "")
