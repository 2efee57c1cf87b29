"""What is repeated for a viewer who misses packets, and how much of it."""

from __future__ import annotations

from telemed.media.relay.history import SHARE_OF_ESTIMATE, History, Sent

PAYLOAD = bytes(1000)


def filled(packets: int) -> History:
    """So many packets have been sent."""
    history = History(0.0)
    for number in range(packets):
        history.keep(Sent(number, 0, 0, PAYLOAD, None))
    return history


def repeated(history: History, packets: int, now: float) -> int:
    """Bytes that go out when all of them are missed."""
    found = [history.take(number, now) for number in range(packets)]
    return sum(len(sent.payload) for sent in found if sent)


def test_what_is_missed_is_repeated_but_not_at_once_again() -> None:
    history = filled(1)
    assert repeated(history, 1, 1.0) == len(PAYLOAD)
    assert repeated(history, 1, 1.01) == 0
    assert repeated(history, 1, 2.0) == len(PAYLOAD)


def test_a_narrow_way_is_not_filled_with_repeats() -> None:
    history, estimate = filled(100), 200_000
    history.fit(estimate)
    for second in (1, 2, 3):
        assert repeated(history, 100, second) <= estimate * SHARE_OF_ESTIMATE / 8


def test_what_is_of_no_use_any_more_is_not_repeated() -> None:
    history = filled(10)
    history.forget()
    assert repeated(history, 10, 1.0) == 0
