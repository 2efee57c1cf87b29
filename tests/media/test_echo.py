"""The server's end of a synthetic call: real connections, and offers that are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from telemed.core.errors import Invalid, Unavailable
from telemed.media.echo import process
from telemed.media.echo.offers import LINES, OFFER_BYTES, checked_offer
from telemed.media.echo.process import EchoPeers
from telemed.media.relay import dialect

PATIENCE_SECONDS = 30
PACKETS = 20


@pytest.fixture
async def echo() -> AsyncIterator[EchoPeers]:
    """The server's side."""
    echo = EchoPeers()
    yield echo
    await echo.close()


@pytest.fixture
async def browser() -> AsyncIterator[RTCPeerConnection]:
    """What a page would have."""
    dialect.learn()
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield connection
    await connection.close()


async def offer_of(connection: RTCPeerConnection) -> str:
    """An offer as a page makes it."""
    await connection.setLocalDescription(await connection.createOffer())
    return str(connection.localDescription.sdp)


async def test_packets_come_back_and_the_process_ends_with_its_browser(
    echo: EchoPeers, browser: RTCPeerConnection
) -> None:
    channel = browser.createDataChannel("voice", ordered=False, maxRetransmits=0)
    opened, over = asyncio.Event(), asyncio.Event()
    heard: set[bytes] = set()
    channel.on("open", opened.set)

    def hear(packet: bytes) -> None:
        heard.add(packet)
        if len(heard) == PACKETS:
            over.set()

    channel.on("message", hear)
    answer = await echo.answer(await offer_of(browser))
    await browser.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await opened.wait()
        for number in range(PACKETS):
            channel.send(bytes([number]) * 160)
        await over.wait()
        assert echo.running == 1
        await browser.close()
        while echo.running:  # noqa: ASYNC110 - a process tells no event
            await asyncio.sleep(0.01)
    assert heard == {bytes([number]) * 160 for number in range(PACKETS)}


async def test_more_at_once_than_there_are_ends_are_told_so(
    echo: EchoPeers, browser: RTCPeerConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "AT_ONCE", 1)
    browser.createDataChannel("voice")
    offer = await offer_of(browser)
    await echo.answer(offer)
    with pytest.raises(Unavailable):
        await echo.answer(offer)
    await echo.close()
    assert echo.running == 0


async def test_an_offer_that_only_looks_like_one_ends_its_process_alone(
    echo: EchoPeers, browser: RTCPeerConnection
) -> None:
    browser.createDataChannel("voice")
    offer = await offer_of(browser)
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(Invalid):
            await echo.answer(offer.replace("a=setup:actpass", "a=setup:dance"))
        while echo.running:  # noqa: ASYNC110 - a process tells no event
            await asyncio.sleep(0.01)
    await echo.answer(offer)


@pytest.fixture
async def good(browser: RTCPeerConnection) -> str:
    """An offer that is one."""
    browser.createDataChannel("voice")
    return await offer_of(browser)


async def test_addresses_of_a_network_are_not_knocked_at(good: str) -> None:
    assert "a=candidate:" in good
    public = "a=candidate:1 1 udp 2 1.1.1.1 9 typ host\r\n"
    local = "".join(
        f"a=candidate:1 1 udp 2 {address} 9 typ host\r\n"
        for address in (
            "10.0.0.1",
            "127.0.0.1",
            "fe80::1",
            "169.254.1.1",
            "a.local",
            "::ffff:10.0.0.1",
        )
    )
    checked = checked_offer(good + public + local)
    assert [line for line in checked.splitlines() if line.startswith("a=candidate:")] == [
        public.strip()
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v=0", "v=1"),
        ("m=application", "m=audio"),
        (
            "webrtc-datachannel",
            "webrtc-datachannel\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        ),
        ("a=ice-pwd:", "a=ice-pwt:"),
        ("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 x"),
        ("a=sctp-port:", "a=sctp-port:x"),
        ("a=max-message-size:", "a=max-message-size:-"),
        ("a=mid:", "a=candidate:x\r\na=mid:"),
        ("a=mid:", "mid"),
        ("a=mid:", "a=\x00:"),
        ("a=mid:", "a=\u00e9:"),
        ("a=mid:", "a=" + "x" * 600 + "\r\na=mid:"),
        ("a=mid:", "a=x\r\n" * LINES + "a=mid:"),
        ("a=mid:", "a=x\r\n" * OFFER_BYTES + "a=mid:"),
    ],
)
async def test_what_no_browser_offers_is_refused_before_anything_reads_it(
    good: str, old: str, new: str
) -> None:
    assert old in good
    with pytest.raises(Invalid):
        checked_offer(good.replace(old, new, 1))
