"""The deployed coturn itself: who gets a path, how many, and where no path leads."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from telemed.core.columns import new_uid
from telemed.media.ice import turn_credential
from tests.coturn import DEPLOYED, LOOPBACK, Coturn, TurnClient

SECRET = "a-secret-that-is-shared-with-coturn"
NEWER = "the-secret-that-comes-after-that-one"
ALLOWED, UNAUTHORIZED, FORBIDDEN, QUOTA = 0, 401, 403, 486
DENIED = re.findall(r"^denied-peer-ip=(.*)$", DEPLOYED.read_text(), re.MULTILINE)
USER_QUOTA = int(re.findall(r"^user-quota=(.*)$", DEPLOYED.read_text(), re.MULTILINE)[0])
Visit = Callable[..., TurnClient]


@pytest.fixture(scope="module")
def coturn() -> Iterator[Coturn]:
    """Nothing is added to the deployed file but where it listens, and IPv6 for who comes over it."""
    coturn = Coturn(SECRET, settings={"allocation-default-address-family": "keep"}).start()
    yield coturn
    coturn.remove()


@pytest.fixture(scope="module")
def visit(coturn: Coturn) -> Iterator[Visit]:
    """Somebody who comes with a credential, and stays: coturn frees a path only after a while."""
    came: list[TurnClient] = []

    def come(
        participant: str = "", *, secret: str = SECRET, hours: float = 1, over: int = 4
    ) -> TurnClient:
        until = datetime.now(UTC) + timedelta(hours=hours)
        who = participant or new_uid()
        username, password = turn_credential(secret.encode(), who, until)
        came.append(TurnClient(coturn.port, username, password, over))
        return came[-1]

    yield come
    for client in came:
        client.close()


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "100.128.0.1", "9.255.255.255"])
def test_public_addresses_are_reached(visit: Visit, address: str) -> None:
    client = visit()
    assert client.allocate() == ALLOWED
    assert client.permit(address) == ALLOWED


@pytest.mark.parametrize("address", ["2400:cb00::1", "2a00:1450::1", "2001:200::1"])
def test_public_addresses_are_reached_over_ipv6(visit: Visit, address: str) -> None:
    client = visit(over=6)
    assert client.allocate() == ALLOWED
    assert client.permit(address) == ALLOWED


@pytest.mark.parametrize("denied", DENIED)
def test_both_ends_of_every_denied_range_are_refused(visit: Visit, denied: str) -> None:
    client = visit(over=6 if ":" in denied else 4)
    assert client.allocate() == ALLOWED
    ends = denied.split("-")
    assert [client.permit(end) for end in ends] == [FORBIDDEN] * len(ends)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.0.0.1", "172.20.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
        *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::1", "::", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
        *("64:ff9b::a00:1", "2002:a00:1::1", "2001:0:a00:1::1", "fd00:ec2::254", "fe80::1"),
        *("fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1"),
    ],
)
def test_no_address_that_is_not_public_is_reached(visit: Visit, address: str) -> None:
    client = visit(over=6 if ":" in address else 4)
    assert client.allocate() == ALLOWED
    assert client.permit(address) == FORBIDDEN


def test_an_expired_or_foreign_credential_opens_no_path(visit: Visit) -> None:
    assert visit(hours=-0.01).allocate() == UNAUTHORIZED
    assert visit(secret=NEWER).allocate() == UNAUTHORIZED


def test_a_secret_is_good_as_long_as_it_is_in_the_database(coturn: Coturn, visit: Visit) -> None:
    coturn.add_secret(NEWER)
    first, older = visit(secret=NEWER), visit(secret=SECRET)
    assert (first.allocate(), older.allocate()) == (ALLOWED, ALLOWED)
    coturn.delete_secret(NEWER)
    assert visit(secret=NEWER).allocate() == UNAUTHORIZED
    # A path that runs is not cut, and can be renewed.
    assert first.renew() == ALLOWED
    assert first.permit("8.8.8.8") == ALLOWED


def test_paths_are_counted_by_participant_whatever_the_credential(visit: Visit) -> None:
    taken = [visit("p2", hours=hours).allocate() for hours in range(1, USER_QUOTA + 1)]
    assert taken == [ALLOWED] * USER_QUOTA
    assert visit("p2").allocate() == QUOTA
    assert visit("p3").allocate() == ALLOWED


def test_tls_is_spoken(coturn: Coturn) -> None:
    context = ssl.create_default_context(cafile=coturn.certificate)
    with (
        socket.create_connection((LOOPBACK, coturn.tls_port)) as line,
        context.wrap_socket(line, server_hostname=LOOPBACK) as secured,
    ):
        assert secured.version() in {"TLSv1.2", "TLSv1.3"}
