"""Why media goes which way, and under which address the relay is found."""

from __future__ import annotations

from itertools import permutations

import pytest

from telemed.media.forwarding import Forwarding, Reason, Way, announced

CANDIDATES = (
    "a=candidate:1 1 udp 2130706431 10.0.0.7 40000 typ host",
    "a=candidate:2 1 udp 2130706431 fd00::7 40001 typ host",
    "a=candidate:3 1 udp 1694498815 192.0.2.9 40002 typ srflx raddr 10.0.0.7 rport 40000",
)
ANSWER = "\r\n".join(["v=0", *CANDIDATES, ""])


@pytest.mark.parametrize("order", list(permutations(Reason)))
def test_one_reason_is_enough_and_the_last_ends_it(order: tuple[Reason, ...]) -> None:
    forwarding = Forwarding()
    assert [forwarding.require("s", each) for each in order] == [True, False]
    assert not forwarding.require("s", order[0])
    assert forwarding.way_of("s") is Way.RELAY
    assert [forwarding.release("s", each) for each in order] == [False, True]
    assert not forwarding.release("s", order[0])
    assert forwarding.way_of("s") is Way.DIRECT


def test_sessions_do_not_know_of_each_other() -> None:
    forwarding = Forwarding()
    forwarding.require("s", Reason.THIRD)
    assert forwarding.way_of("t") is Way.DIRECT
    assert not forwarding.release("t", Reason.THIRD)


@pytest.mark.parametrize(
    ("address", "changed"), [("", None), ("198.51.100.4", 0), ("2001:db8::4", 1)]
)
def test_own_addresses_are_told_as_the_one_that_others_reach(
    address: str, changed: int | None
) -> None:
    lines = announced(ANSWER, address).split("\r\n")
    others = [line for place, line in enumerate(CANDIDATES) if place != changed]
    assert [line for line in lines if line.startswith("a=candidate:") and line in others] == others
    assert sum(f" {address} 4000" in line for line in lines) == (changed is not None)
