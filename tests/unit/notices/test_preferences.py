"""What people choose, how an address is proved, and which browsers take messages."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from sqlmodel import select

from telemed.accounts.logins import LoginLimits, open_login, revoke_logins
from telemed.accounts.models import LoginSession, LoginStrength
from telemed.accounts.permissions import Actor, Role
from telemed.core.clock import FakeClock
from telemed.core.config import Settings
from telemed.core.db import UnitOfWork
from telemed.core.errors import Invalid, Missing
from telemed.notices import preferences
from telemed.notices.kinds import DEFAULT_WISHES, Channel, QuietHours, Topic, Wishes
from telemed.notices.models import PushSubscription
from telemed.notices.preferences import CODE_LIFE, CODE_TRIES, is_push_service, sms_number
from tests.factories import Factory
from tests.outside import Browser


@pytest.fixture
async def actor(make: Factory) -> Actor:
    return await make.actor(Role.SPECIALIST)


@pytest.mark.parametrize(
    ("phone", "number"),
    [
        ("0912 345 678", "+84912345678"),
        ("+84 912.345.678", "+84912345678"),
        ("(0215) 382-4050", "+842153824050"),
        ("84912345678", "+84912345678"),
        ("113", ""),
        ("", ""),
        ("0912345678\r\nX: y", ""),
        ("+1 555 0100", ""),
    ],
)
def test_a_number_as_gateways_take_it(phone: str, number: str) -> None:
    assert sms_number(phone) == number


async def test_choices_are_kept(work: UnitOfWork, actor: Actor) -> None:
    assert (await preferences.read_preferences(work, actor)).wishes == Wishes(DEFAULT_WISHES)
    chosen = {(Topic.WAITING, Channel.SMS)}
    await preferences.choose(work, actor, chosen, QuietHours(time(22), time(5, 30)))
    found = (await preferences.read_preferences(work, actor)).wishes
    assert found == Wishes(frozenset(chosen), QuietHours(time(22), time(5, 30)))
    await preferences.choose(work, actor, set(), None)
    assert (await preferences.read_preferences(work, actor)).wishes == Wishes(frozenset())


async def test_hours_that_never_end_are_refused(work: UnitOfWork, actor: Actor) -> None:
    with pytest.raises(Invalid) as refusal:
        await preferences.choose(work, actor, set(), QuietHours(time(22), time(22)))
    assert [field.field for field in refusal.value.fields] == ["quiet_end"]


@pytest.mark.parametrize(
    "address",
    [
        *("", "a", "a@b", "a b@c.vn", "a@b.vn\nBcc: x@y.vn", "<a@b.vn>", "a@b.vn,c@d.vn"),
        *("ă@b.vn", "a@" + "b" * 64 + ".vn", "a" * 65 + "@b.vn", "a@b..vn", "a@-.v"),
    ],
)
async def test_what_is_no_address_is_refused(work: UnitOfWork, actor: Actor, address: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await preferences.ask_mail(work, actor, address)
    assert [field.field for field in refusal.value.fields] == ["mail"]


async def test_an_address_counts_once_it_is_proved(work: UnitOfWork, actor: Actor) -> None:
    code = await preferences.ask_mail(work, actor, "a@b.vn")
    found = await preferences.read_preferences(work, actor)
    assert (found.mail, found.asked_mail) == ("", "a@b.vn")
    wrong = "000000" if code != "000000" else "111111"
    assert not await preferences.confirm_mail(work, actor, wrong)
    assert await preferences.confirm_mail(work, actor, code)
    assert (await preferences.read_preferences(work, actor)).mail == "a@b.vn"
    with pytest.raises(Invalid):
        await preferences.confirm_mail(work, actor, code)
    await preferences.forget_mail(work, actor)
    assert (await preferences.read_preferences(work, actor)).mail == ""


async def test_a_code_can_be_guessed_a_few_times_only(work: UnitOfWork, actor: Actor) -> None:
    code = await preferences.ask_mail(work, actor, "a@b.vn")
    for _ in range(CODE_TRIES):
        assert not await preferences.confirm_mail(work, actor, "no")
    with pytest.raises(Invalid):
        await preferences.confirm_mail(work, actor, code)


async def test_a_code_is_good_for_half_an_hour(
    work: UnitOfWork, actor: Actor, clock: FakeClock
) -> None:
    code = await preferences.ask_mail(work, actor, "a@b.vn")
    clock.advance(CODE_LIFE)
    with pytest.raises(Invalid):
        await preferences.confirm_mail(work, actor, code)


PLACE = "https://fcm.googleapis.com/fcm/send/abc"


async def sign_in(work: UnitOfWork, settings: Settings, actor: Actor) -> Actor:
    """The actor at another browser."""
    await open_login(work, actor.id, LoginStrength.FULL, LoginLimits.of(settings), "Chromium")
    login = (await work.session.exec(select(LoginSession.id))).all()[-1]
    return Actor(**{**vars(actor), "login_session_id": login})


async def subscribe(work: UnitOfWork, actor: Actor, place: str = PLACE) -> Browser:
    browser = Browser(place)
    await preferences.subscribe(work, actor, browser.endpoint, browser.p256dh, browser.auth)
    return browser


async def test_a_browser_serves_whoever_turned_it_on_last(
    work: UnitOfWork, make: Factory, actor: Actor, settings: Settings
) -> None:
    mine = await sign_in(work, settings, actor)
    await subscribe(work, mine)
    other = await sign_in(work, settings, await make.actor(Role.COMMUNE_DOCTOR))
    await subscribe(work, other)
    assert await preferences.list_subscriptions(work, actor.id) == []
    assert len(await preferences.list_subscriptions(work, other.id)) == 1


async def test_whoever_signs_out_of_a_browser_is_told_nothing_there(
    work: UnitOfWork, actor: Actor, settings: Settings
) -> None:
    mine = await sign_in(work, settings, actor)
    await subscribe(work, mine)
    assert (await preferences.read_preferences(work, mine)).here is not None
    contacts = await preferences.list_contacts(work, {actor.id})
    assert Channel.PUSH in contacts[actor.id].reach
    await revoke_logins(work, actor.id, actor.uid, keep=None)
    assert await preferences.list_subscriptions(work, actor.id) == []
    contacts = await preferences.list_contacts(work, {actor.id})
    assert Channel.PUSH not in contacts[actor.id].reach


async def test_only_ones_own_browser_can_be_turned_off(
    work: UnitOfWork, make: Factory, actor: Actor, settings: Settings
) -> None:
    await subscribe(work, await sign_in(work, settings, actor))
    (found,) = await preferences.list_subscriptions(work, actor.id)
    with pytest.raises(Missing):
        await preferences.unsubscribe(work, await make.actor(Role.SPECIALIST), found.uid)
    await preferences.unsubscribe(work, actor, found.uid)
    assert (await work.session.exec(select(PushSubscription))).all() == []


@pytest.mark.parametrize(
    ("place", "is_known"),
    [
        (PLACE, True),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", True),
        ("https://web.push.apple.com/x", True),
        ("https://fcm.googleapis.com:443/x", True),
        ("http://fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com:8443/x", False),
        ("https://user:word@fcm.googleapis.com/x", False),
        ("https://evilfcm.googleapis.com.example/x", False),
        ("https://notfcm.googleapis.com/x", False),
        ("https://127.0.0.1/x", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("https://[::1]/x", False),
        ("https://fcm.googleapis.com:99999/x", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
async def test_the_server_writes_to_known_push_services_alone(
    work: UnitOfWork, place: str, *, is_known: bool
) -> None:
    assert is_push_service(work, place) is is_known


@pytest.mark.parametrize(
    ("field", "p256dh", "auth"),
    [("p256dh", "", None), ("p256dh", "ă", None), ("auth", None, "AAAA"), ("auth", None, "%%%")],
)
async def test_keys_that_are_none_are_refused(
    work: UnitOfWork, actor: Actor, field: str, p256dh: str | None, auth: str | None
) -> None:
    good = Browser(PLACE)
    with pytest.raises(Invalid) as refusal:
        await preferences.subscribe(
            work,
            actor,
            PLACE,
            good.p256dh if p256dh is None else p256dh,
            good.auth if auth is None else auth,
        )
    assert [each.field for each in refusal.value.fields] == [field]


async def test_nobody_collects_browsers_without_end(
    work: UnitOfWork, actor: Actor, settings: Settings, clock: FakeClock
) -> None:
    for number in range(preferences.MOST_SUBSCRIPTIONS + 5):
        clock.advance(timedelta(seconds=1))
        await subscribe(work, await sign_in(work, settings, actor), f"{PLACE}{number}")
    await work.session.flush()
    found = await preferences.list_subscriptions(work, actor.id)
    assert len(found) == preferences.MOST_SUBSCRIPTIONS
