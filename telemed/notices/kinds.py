"""What people are told of, by which ways, and when. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType

from telemed.core.errors import N_

# Whoever sits at the screen has read it by then, and needs no mail about it.
PATIENCE = timedelta(minutes=5)


class Channel(StrEnum):
    """Ways out of the application."""

    PUSH = "push"
    MAIL = "mail"
    SMS = "sms"


class Topic(StrEnum):
    """What people choose their ways for."""

    WAITING = "waiting"
    CASE = "case"
    SCHEDULE = "schedule"
    FOLLOW_UP = "follow_up"


class NoticeKind(StrEnum):
    """Every fact that somebody is told of."""

    REQUEST_WAITS = "request_waits"
    REQUEST_CANCELLED = "request_cancelled"
    REQUEST_EXPIRED = "request_expired"
    INFO_ASKED = "info_asked"
    INFO_ANSWERED = "info_answered"
    REQUEST_ACCEPTED = "request_accepted"
    REQUEST_DECLINED = "request_declined"
    SESSION_STARTED = "session_started"
    MESSAGE_CAME = "message_came"
    CASE_ANSWERED = "case_answered"
    CASE_CLOSED = "case_closed"
    BOOKING_MADE = "booking_made"
    BOOKING_MOVED = "booking_moved"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_SOON = "booking_soon"
    DECISION_DUE = "decision_due"
    OUTCOME_DUE = "outcome_due"
    OUTCOME_RECORDED = "outcome_recorded"
    RIGHTS_DUE = "rights_due"
    SIGNATURE_DUE = "signature_due"
    RECHECK_DUE = "recheck_due"
    MAIL_CODE = "mail_code"
    TRIAL = "trial"


TOPICS: Mapping[NoticeKind, Topic] = MappingProxyType(
    {
        NoticeKind.REQUEST_WAITS: Topic.WAITING,
        NoticeKind.REQUEST_CANCELLED: Topic.CASE,
        NoticeKind.REQUEST_EXPIRED: Topic.CASE,
        NoticeKind.INFO_ASKED: Topic.CASE,
        NoticeKind.INFO_ANSWERED: Topic.CASE,
        NoticeKind.REQUEST_ACCEPTED: Topic.CASE,
        NoticeKind.REQUEST_DECLINED: Topic.CASE,
        NoticeKind.SESSION_STARTED: Topic.CASE,
        NoticeKind.MESSAGE_CAME: Topic.CASE,
        NoticeKind.CASE_ANSWERED: Topic.CASE,
        NoticeKind.CASE_CLOSED: Topic.FOLLOW_UP,
        NoticeKind.BOOKING_MADE: Topic.SCHEDULE,
        NoticeKind.BOOKING_MOVED: Topic.SCHEDULE,
        NoticeKind.BOOKING_CANCELLED: Topic.SCHEDULE,
        NoticeKind.BOOKING_SOON: Topic.SCHEDULE,
        NoticeKind.DECISION_DUE: Topic.FOLLOW_UP,
        NoticeKind.OUTCOME_DUE: Topic.FOLLOW_UP,
        NoticeKind.OUTCOME_RECORDED: Topic.FOLLOW_UP,
        NoticeKind.RIGHTS_DUE: Topic.FOLLOW_UP,
        NoticeKind.SIGNATURE_DUE: Topic.FOLLOW_UP,
        NoticeKind.RECHECK_DUE: Topic.FOLLOW_UP,
    }
)
# One sentence each, for the screen, mail, push and SMS alike: it says nothing of a patient.
SENTENCES: Mapping[NoticeKind, str] = MappingProxyType(
    {
        NoticeKind.REQUEST_WAITS: N_("Có ca hội chẩn đang chờ bạn nhận"),
        NoticeKind.REQUEST_CANCELLED: N_("Một ca của bạn đã bị hủy"),
        NoticeKind.REQUEST_EXPIRED: N_("Một yêu cầu của bạn đã hết hạn"),
        NoticeKind.INFO_ASKED: N_("Bác sĩ chuyên khoa hỏi thêm về ca của bạn"),
        NoticeKind.INFO_ANSWERED: N_("Trạm đã trả lời câu hỏi thêm"),
        NoticeKind.REQUEST_ACCEPTED: N_("Ca của bạn đã có bác sĩ nhận"),
        NoticeKind.REQUEST_DECLINED: N_("Bác sĩ không nhận được ca của bạn, ca chờ bác sĩ khác"),
        NoticeKind.SESSION_STARTED: N_("Đang gọi bạn vào phiên hội chẩn"),
        NoticeKind.MESSAGE_CAME: N_("Có tin nhắn mới trong một ca của bạn"),
        NoticeKind.CASE_ANSWERED: N_("Ca của bạn đã có kết luận"),
        NoticeKind.CASE_CLOSED: N_("Trạm đã ghi quyết định sau kết luận của bạn"),
        NoticeKind.BOOKING_MADE: N_("Có lịch hẹn hội chẩn mới"),
        NoticeKind.BOOKING_MOVED: N_("Lịch hẹn hội chẩn đã đổi giờ"),
        NoticeKind.BOOKING_CANCELLED: N_("Lịch hẹn hội chẩn đã bị hủy"),
        NoticeKind.BOOKING_SOON: N_("Sắp đến giờ hẹn hội chẩn"),
        NoticeKind.DECISION_DUE: N_("Một kết luận còn chờ quyết định của bạn"),
        NoticeKind.OUTCOME_DUE: N_("Đến ngày báo kết quả của một ca"),
        NoticeKind.OUTCOME_RECORDED: N_("Trạm đã báo kết quả của ca bạn hội chẩn"),
        NoticeKind.RIGHTS_DUE: N_("Một yêu cầu về dữ liệu cá nhân sắp đến hạn trả lời"),
        NoticeKind.SIGNATURE_DUE: N_("Một nhật ký chuyển giao kỹ thuật chờ chữ ký của bạn"),
        NoticeKind.RECHECK_DUE: N_("Đến ngày kiểm tra lại một kỹ thuật đã nghiệm thu"),
        NoticeKind.MAIL_CODE: N_("Mã xác nhận địa chỉ thư: {code}"),
        NoticeKind.TRIAL: N_("Tin thử: bạn nhận được thông báo bằng đường này"),
    }
)
URGENT_SENTENCE = N_("Ca CẤP CỨU đang chờ bạn nhận")

DEFAULT_WISHES = frozenset(
    (topic, channel) for topic in Topic for channel in (Channel.PUSH, Channel.MAIL)
)


def sentence(kind: NoticeKind, *, is_urgent: bool) -> str:
    """The catalogue text of a notice."""
    if kind is NoticeKind.REQUEST_WAITS and is_urgent:
        return URGENT_SENTENCE
    return SENTENCES[kind]


@dataclass(frozen=True)
class QuietHours:
    """From one time of the day to another, over midnight where the second is earlier."""

    start: time
    end: time

    def over_at(self, now: datetime, zone: tzinfo) -> datetime:
        """When somebody may be disturbed again; now where it is not quiet."""
        here = now.astimezone(zone)
        clock = here.time()
        if self.start < self.end:
            is_quiet = self.start <= clock < self.end
        else:
            is_quiet = clock >= self.start or clock < self.end
        if not is_quiet:
            return now
        over = here.replace(
            hour=self.end.hour, minute=self.end.minute, second=0, microsecond=0, fold=0
        )
        return (over if over > here else over + timedelta(days=1)).astimezone(now.tzinfo)


@dataclass(frozen=True)
class Wishes:
    """By which ways somebody wants to hear of what, and when not at all."""

    chosen: frozenset[tuple[Topic, Channel]] = DEFAULT_WISHES
    quiet: QuietHours | None = None


@dataclass(frozen=True)
class Sending:
    """A notice is to leave by a way, not before a moment."""

    channel: Channel
    due_at: datetime


def sendings(
    kind: NoticeKind,
    *,
    is_urgent: bool,
    wishes: Wishes,
    reach: Collection[Channel],
    now: datetime,
    zone: tzinfo,
) -> list[Sending]:
    """The ways that a notice takes out of the application, of those that reach the person.

    What is urgent goes by all of them at once, whatever was chosen and whatever the hour.
    A code goes to the address that it is to prove.
    """
    if kind is NoticeKind.MAIL_CODE:
        return [Sending(Channel.MAIL, now)]
    ways = [channel for channel in Channel if channel in reach]
    if is_urgent or kind is NoticeKind.TRIAL:
        return [Sending(channel, now) for channel in ways]
    topic = TOPICS[kind]
    awake = wishes.quiet.over_at(now, zone) if wishes.quiet else now
    return [
        Sending(channel, max(awake, now if channel is Channel.PUSH else now + PATIENCE))
        for channel in ways
        if (topic, channel) in wishes.chosen
    ]
