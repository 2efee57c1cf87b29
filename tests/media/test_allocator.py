"""The choice of layers for one viewer, second by second."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from telemed.media.relay.allocator import PAUSED, Allocator, Ladder

RUNGS = (100_000.0, 150_000.0, 600_000.0, 1_000_000.0)
TOP = len(RUNGS) - 1
TICK = 0.2
Estimate = Callable[[float], float]


class Link:
    """A viewer's link, whose estimate follows what the test says."""

    def __init__(self, rung: int = TOP) -> None:
        self.allocator = Allocator()
        self.rung = rung
        self.now = 100.0
        self.rungs: list[int] = []
        self.probed = 0

    def run(self, seconds: float, estimate: Estimate, loss: float = 0.0) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self.now < end:
            self.now += TICK
            ladder = Ladder(RUNGS, self.rung)
            bits = estimate(self.now)
            for step in self.allocator.decide(self.now, bits, loss, [ladder]):
                self.rung = step.rung
            self.probed += self.allocator.probe is not None
            self.rungs.append(self.rung)

    def fall(self, goal: float) -> None:
        """The estimate falls to `goal` within a second, and stays there."""
        begin = self.now
        self.run(1.0, lambda now: max(goal, 1_200_000 - (now - begin) * 1_500_000))
        self.run(2.0, lambda _now: goal)


def test_an_open_link_keeps_the_best() -> None:
    link = Link()
    link.run(60, lambda _now: 2_000_000)
    assert set(link.rungs) == {TOP}
    assert link.probed == 0


def test_a_low_estimate_that_does_not_fall_is_no_congestion() -> None:
    link = Link()
    link.run(1, lambda _now: 300_000)
    assert link.rung == TOP


def test_a_falling_estimate_takes_the_best_that_fits() -> None:
    link = Link()
    link.fall(400_000)
    assert RUNGS[link.rung] <= 400_000 * 0.95


def test_heavy_loss_counts_as_congestion() -> None:
    link = Link()
    link.run(3, lambda _now: 300_000, loss=0.4)
    assert link.rung == 1


def test_many_small_pictures_are_lowered_together_when_less_than_they_need_arrives() -> None:
    allocator, ladders = Allocator(), [Ladder(RUNGS, 1)] * 4
    assert allocator.decide(1.0, 700_000, 0.0, ladders) == []
    # As always where a browser notices a delay, though all of the 600 kbit/s arrive.
    assert allocator.decide(2.0, 510_000, 0.0, ladders) == []
    steps = allocator.decide(3.0, 400_000, 0.0, ladders)
    assert [(step.picture, step.rung) for step in steps] == [(each, 0) for each in range(4)]


def test_pictures_pause_where_only_voice_fits() -> None:
    link = Link(rung=0)
    begin = link.now
    link.run(10, lambda now: max(60_000, 200_000 - (now - begin) * 15_000), loss=0.3)
    assert link.rung == PAUSED


def test_the_way_up_is_probed_before_it_is_taken() -> None:
    link = Link(rung=1)
    link.run(2.0, lambda _now: 500_000)
    assert link.rung == 1
    assert link.allocator.probe is not None
    probe = link.allocator.probe
    rates = [probe.rate(link.now + seconds, 500_000) for seconds in (0, 1, 3, 5)]
    assert rates == sorted(rates)
    assert 0 < rates[-1] + RUNGS[1] <= 1.1 * 500_000
    link.run(1, lambda _now: 800_000)
    assert link.rung == 2


def test_a_fall_leaves_room_for_the_queue_to_drain() -> None:
    link = Link()
    link.run(1, lambda _now: 2_000_000)
    # Would be enough for the third rung, were nothing waiting.
    link.run(TICK / 2, lambda _now: 800_000)
    assert link.rung == 1


def test_a_small_picture_stays_while_what_is_sent_arrives() -> None:
    link = Link(rung=1)
    link.run(1, lambda _now: 350_000)
    link.run(10, lambda _now: 0.85 * RUNGS[1])
    assert link.rung == 1
    link.run(TICK / 2, lambda _now: 0.5 * RUNGS[1])
    assert link.rung == 0


def test_an_estimate_from_before_a_fall_opens_no_way_up() -> None:
    link = Link()
    link.run(1, lambda _now: 2_000_000)
    link.run(5, lambda _now: 800_000)
    assert link.rung == 1
    link.run(3, lambda _now: 800_000)
    assert link.rung == 2


def test_a_probe_goes_on_while_the_estimate_grows_and_no_longer() -> None:
    link = Link(rung=1)
    link.run(2, lambda _now: 200_000)
    begin = link.now
    link.run(8, lambda now: 200_000 * 1.05 ** (now - begin))
    assert link.allocator.probe is not None
    link.run(4, lambda _now: 300_000)
    assert link.allocator.probe is None


def test_a_step_that_failed_is_tried_ever_later() -> None:
    link = Link(rung=1)
    waits = []
    for _ in range(4):
        begin = link.now
        while link.allocator.probe is None:
            link.run(TICK / 2, lambda _now: 500_000)
        waits.append(link.now - begin)
        # Congested by the probe itself: the estimate falls, still above what is shown.
        link.run(TICK / 2, lambda _now: 400_000)
    assert waits == sorted(waits)
    assert waits[-1] > 4 * waits[0]


@pytest.mark.parametrize("rung", [PAUSED, 0, TOP])
def test_nothing_sent_is_nothing_to_choose(rung: int) -> None:
    allocator = Allocator()
    assert allocator.decide(1.0, 1e6, 0.0, []) == []
    assert allocator.decide(2.0, 0.0, 1.0, [Ladder((), -1)]) == []
    assert allocator.decide(3.0, 1e6, 0.0, [Ladder(RUNGS, rung)]) == [] or rung < TOP
