"""What a publisher is told of the arrival of its packets."""

from __future__ import annotations

import struct

from telemed.media.relay.feedback import ArrivalLog

HEAD_BYTES = 8


def told(body: bytes) -> dict[int, bool]:
    """Each number in a report, and whether it came."""
    base, count = struct.unpack_from("!HH", body)
    chunks = struct.unpack_from(f"!{-(-count // 7)}H", body, HEAD_BYTES)
    came = [bool(chunk >> 12 - 2 * place & 3) for chunk in chunks for place in range(7)]
    return {base + place: came[place] for place in range(count)}


def report(log: ArrivalLog, *numbers: int) -> dict[int, bool]:
    """Note these, a millisecond apart, and report."""
    for place, number in enumerate(numbers):
        log.note(number, 1_000_000 + place * 1000)
    body = log.report()
    return told(body) if body else {}


def test_what_is_missing_between_two_reports_is_told_once() -> None:
    log = ArrivalLog()
    assert report(log, 10, 11) == {10: True, 11: True}
    assert report(log, 13) == {12: False, 13: True}
    assert report(log, 14) == {14: True}


def test_a_late_packet_does_not_make_its_neighbours_lost() -> None:
    log = ArrivalLog()
    report(log, 10, 12, 13, 14)
    assert report(log, 11, 15, 16) == {15: True, 16: True}
    assert report(log, 12) == {}


def test_within_a_report_any_order_will_do() -> None:
    log = ArrivalLog()
    report(log, 9)
    assert report(log, 12, 10, 11) == {10: True, 11: True, 12: True}
