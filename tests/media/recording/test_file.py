"""What a player sees of calls that went well, and of calls that did not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from statistics import median

import pytest

from telemed.media.recording import vp8
from telemed.media.recording.packets import Packet
from tests.media.recording.conftest import START, Take
from tests.media.recording.sender import Link, Sender, run
from tests.media.recording.watching import seek, watch

NewTake = Callable[..., Take]
LIP_SYNC_SECONDS = 0.08
SOUND_HOLE_SECONDS = 0.045
FRAME_SECONDS = 0.04


def has(name: str, value: object) -> Callable[[Sender], None]:
    """From here on the sender is so."""
    return lambda sender: setattr(sender, name, value)


def loses(share: float) -> Callable[[Sender], None]:
    """From here on so many packets do not arrive."""
    return lambda sender: setattr(sender.link, "loss", share)


def test_a_call_is_whole_in_step_and_seekable(new_take: NewTake) -> None:
    take = new_take()
    file = take.run(25)
    seen = watch(file.path)
    assert file.path.name == "call-1.webm"
    assert hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256
    assert list(file.path.parent.iterdir()) == [file.path]
    assert file.duration_seconds == pytest.approx(25, abs=0.2)
    assert seen.duration == pytest.approx(file.duration_seconds, abs=0.01)
    assert seen.pictures[-1] - seen.pictures[0] == pytest.approx(25, abs=0.3)
    assert len(seen.pictures) == pytest.approx(625, abs=8)
    assert len(seen.lip_sync) >= 23
    assert max(map(abs, seen.lip_sync)) <= FRAME_SECONDS
    assert seen.longest_silence <= SOUND_HOLE_SECONDS
    # At the start, and every ten seconds: no browser sends one by itself.
    assert 3 <= take.asked <= 4
    for target in (3, 12, 24):
        assert target - 10.5 <= seek(file.path, target) <= target


def test_lips_follow_the_reports_of_the_sender_not_the_arrival(new_take: NewTake) -> None:
    take = new_take(Link(video_is_later_seconds=0.4))
    take.sender.script = {6: lambda sender: setattr(sender.link, "video_is_later_seconds", 0.8)}
    seen = watch(take.run(12).path)
    assert len(seen.lip_sync) >= 9
    assert max(map(abs, seen.lip_sync)) <= FRAME_SECONDS


def test_picture_and_voice_stay_in_step_through_everything(new_take: NewTake) -> None:
    link = Link(outages=((24, 29),))
    take = new_take(link, uses_red=True)
    take.sender.script = {
        8: lambda sender: sender.camera.resize((80, 60)),
        14: loses(0.15),
        22: loses(0),
        33: has("has_microphone", False),
        36: has("has_microphone", True),
        38: has("has_camera", False),
        43: has("has_camera", True),
        46: lambda sender: sender.camera.resize((160, 120)),
        50: Sender.reconnect,
    }
    file = take.run(56)
    seen = watch(file.path)
    assert file.duration_seconds == pytest.approx(56, abs=0.3)
    assert len(seen.lip_sync) >= 35
    assert max(map(abs, seen.lip_sync)) <= LIP_SYNC_SECONDS
    assert abs(median(seen.lip_sync)) <= FRAME_SECONDS / 2
    assert seen.longest_silence <= SOUND_HOLE_SECONDS
    # Black while the link and then the camera are away, each time for as long as it takes.
    assert seen.sizes == [
        *((160, 120), (80, 60), vp8.BLACK_SIZE, (80, 60)),
        *(vp8.BLACK_SIZE, (80, 60), (160, 120)),
    ]
    places = [(beep + 0.5) % 1 for beep in seen.beeps]
    assert max(places) - min(places) < 0.06
    for target in (5, 15, 27, 40, 55):
        assert target - 11 <= seek(file.path, target) <= target


def test_what_is_lost_for_good_leaves_no_broken_picture(new_take: NewTake) -> None:
    take = new_take(Link(loss=0.05, sent_again=0.5))
    file = take.run(15)
    seen = watch(file.path)
    assert len(seen.pictures) > 50
    assert take.asked > 3
    assert max(map(abs, seen.lip_sync)) <= LIP_SYNC_SECONDS


def test_a_call_without_a_camera_shows_black_and_can_be_sought(new_take: NewTake) -> None:
    take = new_take()
    take.sender.has_camera = False
    file = take.run(25)
    seen = watch(file.path)
    assert seen.sizes == [vp8.BLACK_SIZE]
    assert len(seen.beeps) == pytest.approx(25, abs=1)
    assert seek(file.path, 22) == pytest.approx(20, abs=0.1)


def test_a_call_without_a_microphone_is_silent(new_take: NewTake) -> None:
    take = new_take()
    take.sender.has_microphone = False
    seen = watch(take.run(12).path)
    assert seen.beeps == []
    assert seen.longest_silence <= SOUND_HOLE_SECONDS
    assert seen.sounds[-1] > 11


def test_nothing_of_a_pause_is_in_the_file(new_take: NewTake) -> None:
    take = new_take()
    take.sender.script = {
        6.4: lambda _: take.recording.pause(take.now),
        9.9: lambda _: take.recording.resume(take.now),
    }
    file = take.run(16)
    seen = watch(file.path)
    assert file.duration_seconds == pytest.approx(12.5, abs=0.3)
    # Marks before the pause on the whole second, after it half a second off.
    assert len(seen.beeps) == 13
    assert seen.beeps[-1] % 1 == pytest.approx((seen.beeps[0] + 0.5) % 1, abs=0.12)
    assert max(map(abs, seen.lip_sync)) <= LIP_SYNC_SECONDS
    assert seen.longest_silence <= SOUND_HOLE_SECONDS


def test_a_latecomer_has_a_file_of_their_own_on_the_same_time_line(new_take: NewTake) -> None:
    take = new_take()
    take.sender.script = {
        5: lambda _: take.recording.add("latecomer", take.now),
    }
    first = take.push

    def push(packet: Packet) -> None:
        first(packet)
        take.recording.push("latecomer", packet)

    take.push = push  # type: ignore[method-assign]  # both send the same
    end = run(take.sender, take, take.tick, seconds=12, start=START)
    early, late = take.recording.close(end).files
    assert (early.source, late.source) == ("person", "latecomer")
    assert late.offset_seconds - early.offset_seconds == pytest.approx(5, abs=0.2)
    assert late.duration_seconds == pytest.approx(7, abs=0.3)
    shift = late.offset_seconds - early.offset_seconds
    heard = [beep + shift for beep in watch(late.path).beeps]
    assert heard == pytest.approx(watch(early.path).beeps[-len(heard) :], abs=0.1)
