"""From what came over the wire to the model of its event, or to a refusal that names the fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from telemed.core.errors import N_, FieldError, Invalid
from telemed.signaling.protocol import EVENTS, Message

# What pydantic finds -> (our code, our words). Anything else is "invalid".
_FINDINGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "missing": ("missing", N_("Thiếu trường này")),
        "extra_forbidden": ("unexpected", N_("Giao thức không có trường này")),
        "string_too_long": ("too_long", N_("Dài quá {max_length} ký tự")),
        "too_long": ("too_long", N_("Nhiều quá {max_length} mục")),
        "too_short": ("too_short", N_("Ít hơn {min_length} mục")),
        "string_pattern_mismatch": ("malformed", N_("Sai dạng")),
        "string_unicode": ("malformed", N_("Sai dạng")),
        "literal_error": ("malformed", N_("Sai dạng")),
        "greater_than_equal": ("out_of_range", N_("Ngoài khoảng cho phép")),
        "less_than_equal": ("out_of_range", N_("Ngoài khoảng cho phép")),
        "less_than": ("out_of_range", N_("Ngoài khoảng cho phép")),
        "int_parsing_size": ("out_of_range", N_("Ngoài khoảng cho phép")),
        "string_type": ("wrong_type", N_("Sai kiểu dữ liệu")),
        "int_type": ("wrong_type", N_("Sai kiểu dữ liệu")),
        "bool_type": ("wrong_type", N_("Sai kiểu dữ liệu")),
        "list_type": ("wrong_type", N_("Sai kiểu dữ liệu")),
        "model_type": ("wrong_type", N_("Sai kiểu dữ liệu")),
    }
)
_OWN_CODES: Final = frozenset(
    {
        "sdp_too_large",
        "sdp_malformed",
        "sdp_line_count",
        "sdp_media_count",
        "candidate_malformed",
        "text_empty",
    }
    | {"text_malformed", "seat_incomplete", "picture_incomplete"}
)
_MAX_FINDINGS: Final = 8
_MAX_FIELD_NAME: Final = 64


def parse_event(name: str, arguments: Sequence[object]) -> Message:
    """The model of one event from what came over the wire, or an Invalid that names the fields."""
    model = EVENTS.get(name)
    if model is None:
        raise Invalid("unknown_event", N_("Giao thức không có sự kiện này"))
    if len(arguments) != 1:
        raise Invalid("one_payload", N_("Mỗi sự kiện mang đúng một đối tượng"), field="payload")
    try:
        return model.model_validate(arguments[0])
    except ValidationError as error:
        findings = error.errors(include_url=False, include_input=False)[:_MAX_FINDINGS]
        raise Invalid.of([_field_error(finding) for finding in findings]) from None


def _field_error(finding: ErrorDetails) -> FieldError:
    kind, context = finding["type"], finding.get("ctx", {})
    path = ".".join(str(part) for part in finding["loc"])[:_MAX_FIELD_NAME] or "payload"
    if kind in _OWN_CODES:
        return FieldError(path, kind, finding["msg"])
    code, message = _FINDINGS.get(kind, ("invalid", N_("Giá trị không hợp lệ")))
    numbers = {key: value for key, value in context.items() if isinstance(value, int)}
    return FieldError(path, code, message, numbers)
