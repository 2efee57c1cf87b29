"""Refusals: a kind, a stable machine code, a text for people. Knows neither HTTP nor sockets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

Param = str | int | float
_NO_PARAMS: Mapping[str, Param] = MappingProxyType({})


def N_(text: str) -> str:
    """Mark a message for the catalogue; it is translated where it is shown."""
    return text


class Kind(StrEnum):
    """What sort of refusal it is; each edge maps the kind to its own status once."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    MISSING = "missing"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class FieldError:
    """One field that was not accepted, with the reason in the words of the form."""

    field: str
    code: str
    message: str
    params: Mapping[str, Param] = dataclasses.field(default_factory=lambda: _NO_PARAMS)


class TelemedError(Exception):
    """An expected refusal. `message` is a catalogue text with `{name}` placeholders for `params`.

    `refused_action` names what somebody may not do, where that is the reason; edges put it on
    record.
    """

    kind: Kind
    refused_action: str = ""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fields: Sequence[FieldError] = (),
        **params: Param,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.fields = tuple(fields)
        self.params: Mapping[str, Param] = params


class Invalid(TelemedError):
    """Input that cannot be accepted; names the field wherever there is one."""

    kind = Kind.INVALID

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str | None = None,
        fields: Sequence[FieldError] = (),
        **params: Param,
    ) -> None:
        named = (FieldError(field, code, message, params),) if field else ()
        super().__init__(code, message, fields=(*named, *fields), **params)

    @classmethod
    def of(cls, fields: Sequence[FieldError]) -> Invalid:
        """One refusal for several fields, in the order of the form."""
        return cls(
            "fields_invalid", N_("Còn {count} chỗ cần sửa"), fields=fields, count=len(fields)
        )


_LONG = N_("Ghi nhiều nhất {limit} ký tự – đang là {given}")


def too_long(field: str, text: str, limit: int) -> list[FieldError]:
    """What is wrong with a text that its field does not take whole; nothing where it does."""
    if len(text) <= limit:
        return []
    return [FieldError(field, "text_long", _LONG, {"limit": limit, "given": len(text)})]


def require_short(field: str, text: str, limit: int) -> None:
    """Refuse a text that its field does not take whole. Raises Invalid (`text_long`)."""
    if len(text) > limit:
        raise Invalid("text_long", _LONG, field=field, limit=limit, given=len(text))


class Unauthenticated(TelemedError):
    """Nobody is signed in, or the sign-in is over."""

    kind = Kind.UNAUTHENTICATED

    def __init__(
        self, code: str = "sign_in_needed", message: str = N_("Đăng nhập để tiếp tục")
    ) -> None:
        super().__init__(code, message)


class Denied(TelemedError):
    """The role does not have this function; says nothing about any object."""

    kind = Kind.DENIED

    def __init__(
        self,
        code: str = "not_allowed",
        message: str = N_("Vai trò của bạn không có việc này"),
        *,
        refused_action: str = "",
    ) -> None:
        super().__init__(code, message)
        self.refused_action = refused_action


class Missing(TelemedError):
    """Unknown, or not to be known of: both answer exactly the same."""

    kind = Kind.MISSING

    def __init__(
        self,
        code: str = "not_found",
        message: str = N_("Không tìm thấy nội dung này"),
        *,
        refused_action: str = "",
    ) -> None:
        super().__init__(code, message)
        self.refused_action = refused_action


class Conflict(TelemedError):
    """The state of things has moved on; nothing was changed."""

    kind = Kind.CONFLICT


class IllegalTransition(Conflict):
    """The lifecycle table has no row for this state and event."""

    def __init__(self, state: str, event: str) -> None:
        super().__init__(
            "illegal_transition",
            N_("Ca đã chuyển sang trạng thái khác, không làm được việc này nữa. Tải lại để xem."),
        )
        self.state = state
        self.event = event


class TooLarge(TelemedError):
    """More bytes than this place takes."""

    kind = Kind.TOO_LARGE


class Unsupported(TelemedError):
    """A content type that this place does not take."""

    kind = Kind.UNSUPPORTED


class Throttled(TelemedError):
    """Too many attempts; says when to come back."""

    kind = Kind.THROTTLED

    def __init__(
        self,
        code: str = "too_many_attempts",
        message: str = N_("Thử quá nhiều lần. Chờ {seconds} giây rồi thử lại."),
        *,
        retry_after_seconds: int,
    ) -> None:
        super().__init__(code, message, seconds=retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(TelemedError):
    """A part that is needed does not answer now; trying again is right."""

    kind = Kind.UNAVAILABLE
