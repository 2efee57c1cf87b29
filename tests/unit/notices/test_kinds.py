"""By which ways a notice leaves, and when: whole products, and quiet hours by property."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.notices.kinds import (
    DEFAULT_WISHES,
    PATIENCE,
    SENTENCES,
    TOPICS,
    Channel,
    NoticeKind,
    QuietHours,
    Sending,
    Topic,
    Wishes,
    sendings,
    sentence,
)

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
NIGHT = QuietHours(time(22), time(6))
EVERY = frozenset(Channel)
CHOSEN = frozenset(product(Topic, Channel))


def ways(
    kind: NoticeKind,
    *,
    is_urgent: bool = False,
    wishes: Wishes | None = None,
    reach: frozenset[Channel] = EVERY,
    now: datetime = NOON,
) -> list[Sending]:
    wishes = wishes or Wishes()
    return sendings(kind, is_urgent=is_urgent, wishes=wishes, reach=reach, now=now, zone=ZONE)


def test_every_kind_has_words_and_a_topic() -> None:
    assert set(SENTENCES) == set(NoticeKind)
    assert set(NoticeKind) - set(TOPICS) == {NoticeKind.MAIL_CODE, NoticeKind.TRIAL}
    assert sentence(NoticeKind.REQUEST_WAITS, is_urgent=True) != sentence(
        NoticeKind.REQUEST_WAITS, is_urgent=False
    )


@pytest.mark.parametrize("kind", NoticeKind)
def test_what_is_urgent_leaves_at_once_by_every_way_whatever_was_chosen(kind: NoticeKind) -> None:
    found = ways(kind, is_urgent=True, wishes=Wishes(frozenset(), NIGHT), now=MIDNIGHT)
    if kind is NoticeKind.MAIL_CODE:
        assert found == [Sending(Channel.MAIL, MIDNIGHT)]
    else:
        assert found == [Sending(channel, MIDNIGHT) for channel in Channel]


@pytest.mark.parametrize(
    ("kind", "topic", "channel"),
    [(kind, topic, channel) for kind, topic in TOPICS.items() for channel in Channel],
)
def test_a_choice_is_kept_for_its_topic_and_way_alone(
    kind: NoticeKind, topic: Topic, channel: Channel
) -> None:
    without = Wishes(CHOSEN - {(topic, channel)})
    assert channel not in {each.channel for each in ways(kind, wishes=without)}
    only = Wishes(frozenset({(topic, channel)}))
    later = NOON if channel is Channel.PUSH else NOON + PATIENCE
    assert ways(kind, wishes=only) == [Sending(channel, later)]
    assert ways(kind, wishes=only, reach=EVERY - {channel}) == []


def test_usually_nobody_is_sent_an_sms_but_for_emergencies() -> None:
    assert {channel for _, channel in DEFAULT_WISHES} == {Channel.PUSH, Channel.MAIL}


@pytest.mark.parametrize("kind", TOPICS)
def test_at_night_it_waits_for_the_morning(kind: NoticeKind) -> None:
    found = ways(kind, wishes=Wishes(CHOSEN, NIGHT), now=MIDNIGHT)
    morning = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    assert found == [Sending(channel, morning) for channel in Channel]


@pytest.mark.parametrize(
    ("here", "over"),
    [
        ("21:59", "21:59"),
        ("22:00", "06:00"),
        ("23:59", "06:00"),
        ("00:00", "06:00"),
        ("05:59", "06:00"),
        ("06:00", "06:00"),
    ],
)
def test_quiet_hours_over_midnight(here: str, over: str) -> None:
    now = datetime.combine(NOON.date(), time.fromisoformat(here), ZONE).astimezone(UTC)
    assert f"{NIGHT.over_at(now, ZONE).astimezone(ZONE):%H:%M}" == over


@given(start=st.times(), end=st.times(), minutes=st.integers(0, 60 * 24 * 400))
def test_quiet_hours_end_within_a_day_and_at_an_hour_that_is_not_quiet(
    start: time, end: time, minutes: int
) -> None:
    now = NOON + timedelta(minutes=minutes)
    quiet = QuietHours(start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0))
    if quiet.start == quiet.end:
        return
    over = quiet.over_at(now, ZONE)
    assert now <= over <= now + timedelta(days=1)
    assert quiet.over_at(over, ZONE) == over
    if over != now:
        here = over.astimezone(ZONE)
        assert (here.hour, here.minute) == (quiet.end.hour, quiet.end.minute)
