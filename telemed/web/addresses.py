"""Where a request comes from, believing only the proxies that the settings name."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from aiohttp import web

from telemed.keys import SETTINGS

_FORWARDED = "X-Forwarded-For"


def client_address(request: web.Request) -> str:
    """The address of whoever speaks to us, or to the nearest proxy that is not ours."""
    peer = request.remote or ""
    trusted = request.app[SETTINGS].trusted_proxies
    told = ",".join(request.headers.getall(_FORWARDED, [])).split(",")
    hops = [hop.strip() for hop in told if hop.strip()]
    while hops and _is_among(peer, trusted):
        peer = hops.pop()
    return peer


def _is_among(address: str, networks: Iterable[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
        return any(parsed in ipaddress.ip_network(network, strict=False) for network in networks)
    except ValueError:
        return False


def is_loopback(address: str) -> bool:
    """True for this machine itself."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
