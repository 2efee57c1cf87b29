"""A relay whose machine nobody reaches but through a TURN server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from aiortc import RTCConfiguration, RTCIceServer
from aiortc.rtcconfiguration import RTCBundlePolicy, RTCIceTransportPolicy

from telemed.core.config import load_settings
from telemed.media.ice import IceServers, turn_credential
from telemed.media.relay.process import RelayProcess
from tests.coturn import Coturn
from tests.media.peers import SyntheticPublisher, SyntheticViewer, picture

SECRET = "a-secret-that-is-shared-with-coturn"
Start = Callable[[str], RelayProcess]


@pytest.fixture(scope="module")
def coturn() -> Iterator[Coturn]:
    """One for all: it reaches the loopback address, which is where everybody here is."""
    coturn = Coturn(SECRET, reaches_loopback=True).start()
    yield coturn
    coturn.remove()


@pytest.fixture
async def processes() -> AsyncIterator[list[RelayProcess]]:
    """Relays that are ended with the test."""
    processes: list[RelayProcess] = []
    yield processes
    for process in processes:
        await process.close()


@pytest.fixture
def start(processes: list[RelayProcess]) -> Start:
    """A relay's process, as the settings make it, that has no address but one at the TURN server."""

    def start(url: str) -> RelayProcess:
        settings = load_settings(turn_urls=[url], turn_secret=SECRET, relay_turn="only")
        ice = IceServers.of_relay(settings)
        processes.append(RelayProcess(ice, is_turn_only=True, may_be_private=True))
        return processes[-1]

    return start


def behind_firewall(coturn: Coturn) -> RTCConfiguration:
    """Somebody for whom the same is the only way."""
    until = datetime.now(UTC) + timedelta(hours=1)
    username, credential = turn_credential(SECRET.encode(), "somebody", until)
    return RTCConfiguration(
        iceServers=[RTCIceServer(urls=coturn.udp, username=username, credential=credential)],
        iceTransportPolicy=RTCIceTransportPolicy.RELAY,
        bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
    )


async def meet(relay: RelayProcess, configuration: RTCConfiguration) -> list[tuple[str, str]]:
    """One sends to the other through the relay; the paths that were taken."""
    await relay.start()
    await relay.open_room("room")
    publisher = SyntheticPublisher(configuration=configuration)
    viewer = SyntheticViewer(configuration=configuration)
    answer = await relay.publish("room", "doctor", await publisher.offer())
    assert " typ relay" in answer
    assert " typ host" not in answer
    await publisher.accept(answer)
    answer = await relay.subscribe("room", "trainee", await viewer.offer(), ["doctor"])
    await viewer.accept(answer)
    number = 0
    while not (viewer.packets["video"] and viewer.packets["audio"]):
        number += 1
        await publisher.send_picture(number, picture(number, key=True))
        await publisher.send_voice(number, b"voice")
        await asyncio.wait([asyncio.create_task(viewer.changed.wait())], timeout=0.1)
    paths = [publisher.path, viewer.path]
    await publisher.close()
    await viewer.close()
    return paths


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_packets_pass_between_two_who_also_have_no_other_way(
    coturn: Coturn, start: Start, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As an operator names an authority of the province's own.
    monkeypatch.setenv("SSL_CERT_FILE", str(coturn.certificate))
    relay = start(getattr(coturn, transport))
    assert await meet(relay, behind_firewall(coturn)) == [("relay", "relay")] * 2


async def test_a_turn_server_that_nobody_vouches_for_gives_no_address(
    coturn: Coturn, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    relay = start(coturn.tls)
    await relay.start()
    await relay.open_room("room")
    publisher = SyntheticPublisher()
    answer = await relay.publish("room", "doctor", await publisher.offer())
    assert "a=candidate" not in answer
    await publisher.close()
