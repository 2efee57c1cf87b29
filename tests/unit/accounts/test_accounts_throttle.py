"""Waits grow for whoever guesses; nobody else waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.accounts.throttle import NAME, NETWORK, Allowance, Throttle, network_of
from telemed.core.errors import Throttled

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = ("name", "bs.lo", "10.0.0.1")


def wait_of(throttle: Throttle, at: datetime, key: tuple[str, ...] = KEY) -> int:
    """Seconds that the next attempt is told to wait."""
    with pytest.raises(Throttled) as refused:
        throttle.admit([(key, NAME)], at)
    return refused.value.retry_after_seconds


def guess(throttle: Throttle, times: int, at: datetime, key: tuple[str, ...] = KEY) -> None:
    for _ in range(times):
        throttle.admit([(key, NAME)], at)


def test_first_attempts_are_free() -> None:
    throttle = Throttle()

    guess(throttle, NAME.free, NOW)
    assert wait_of(throttle, NOW) == 1


def test_waits_double_up_to_the_longest() -> None:
    waits = [NAME.wait(count) for count in range(NAME.free, NAME.free + 12)]

    assert waits[:4] == [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND]
    assert waits[-1] == NAME.longest_wait
    assert NAME.wait(10_000) == NAME.longest_wait


def test_an_attempt_counts_before_it_is_judged() -> None:
    throttle = Throttle()
    guess(throttle, NAME.free, NOW)

    waits = [wait_of(throttle, NOW) for _ in range(300)]
    assert set(waits) == {1}


def test_a_refused_attempt_does_not_lengthen_the_wait() -> None:
    throttle = Throttle()
    guess(throttle, NAME.free, NOW)
    wait_of(throttle, NOW)

    throttle.admit([(KEY, NAME)], NOW + SECOND)
    assert wait_of(throttle, NOW + SECOND) == 2


def test_a_right_password_forgets_the_wrong_ones() -> None:
    throttle = Throttle()
    guess(throttle, NAME.free, NOW)
    throttle.forgive(KEY)

    guess(throttle, NAME.free, NOW)
    assert wait_of(throttle, NOW) == 1


def test_another_network_does_not_wait() -> None:
    throttle = Throttle()
    guess(throttle, NAME.free, NOW)

    throttle.admit([(("name", "bs.lo", "10.0.0.2"), NAME)], NOW)


def test_attempts_fade_with_time() -> None:
    throttle = Throttle()
    guess(throttle, NAME.free, NOW)
    later = NOW + NAME.free * NAME.forget_one_in

    guess(throttle, NAME.free, later)
    assert wait_of(throttle, later) == 1


def test_a_network_that_signs_in_rightly_all_day_never_waits() -> None:
    throttle, network = Throttle(), ("network", "10.0.0.1")
    for minute in range(500):
        at = NOW + timedelta(seconds=minute)
        throttle.admit([(network, NETWORK)], at)
        throttle.give_back(network, at)

    throttle.admit([(network, NETWORK)], NOW + timedelta(seconds=501))


def test_an_own_account_is_no_way_around_the_wait_of_a_network() -> None:
    throttle, network = Throttle(), ("network", "10.0.0.1")
    for _ in range(NETWORK.free):
        throttle.admit([(network, NETWORK)], NOW)

    with pytest.raises(Throttled):
        throttle.admit([(network, NETWORK)], NOW)
    throttle.admit([(network, NETWORK)], NOW + SECOND)
    throttle.give_back(network, NOW + SECOND)
    throttle.admit([(network, NETWORK)], NOW + SECOND)
    with pytest.raises(Throttled):
        throttle.admit([(network, NETWORK)], NOW + SECOND)


def test_a_refusal_under_one_key_counts_under_none() -> None:
    throttle, other = Throttle(), ("network", "10.0.0.1")
    guess(throttle, NAME.free, NOW)

    with pytest.raises(Throttled):
        throttle.admit([(other, NAME), (KEY, NAME)], NOW)
    assert len(throttle) == 1


def test_giving_back_what_nobody_took_is_nothing() -> None:
    throttle = Throttle()
    throttle.give_back(KEY, NOW)
    throttle.forgive(KEY)

    assert len(throttle) == 0


def test_the_table_stays_small_and_keeps_the_latest() -> None:
    throttle = Throttle(size=3)
    for number in range(10):
        guess(throttle, NAME.free, NOW, ("name", str(number)))

    assert len(throttle) == 3
    assert wait_of(throttle, NOW, ("name", "9")) == 1
    throttle.admit([(("name", "0"), NAME)], NOW)


@given(st.lists(st.floats(0, 600), max_size=60))
def test_nobody_gets_more_attempts_than_the_allowance_gives(pauses: list[float]) -> None:
    throttle = Throttle()
    allowance = Allowance(3, longest_wait=timedelta(minutes=1), forget_one_in=timedelta(minutes=1))
    at, admitted = NOW, 0
    for pause in pauses:
        at += timedelta(seconds=pause)
        admitted += _was_admitted(throttle, allowance, at)

    faded = (at - NOW) / allowance.forget_one_in
    waits_at_most = (at - NOW) / SECOND
    assert admitted <= allowance.free + faded + waits_at_most


def _was_admitted(throttle: Throttle, allowance: Allowance, at: datetime) -> bool:
    try:
        throttle.admit([(KEY, allowance)], at)
    except Throttled:
        return False
    return True


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("no address", "unknown"),
    ],
)
def test_network_of_an_address(address: str | None, network: str) -> None:
    assert network_of(address) == network
