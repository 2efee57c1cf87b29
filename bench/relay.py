"""Signalling relay against its peers: capacity, delay, processor time, memory; one table.

    python -m bench.relay

All servers run at once, and one load process turns from one to the next every second or so;
figures are medians over those slices, so that a disturbance of the machine meets all of them alike.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
START_SECONDS: Final = 20
MIN_CAPACITY_RATIO: Final = 1.2
MIN_SHARE_OF_A_CORE: Final = 0.85

Figures = dict[str, Any]


@dataclass(frozen=True)
class Peer:
    """One server of the comparison."""

    name: str
    command: tuple[str, ...]
    dialect: str = "socketio"


TELEMED: Final = Peer("Telemed engine", (sys.executable, "-m", "bench.peers.telemed_server"))
NODE: Final = Peer("Node socket.io", ("node", "bench/peers/socketio_server.mjs"))
PEERS: Final = (
    TELEMED,
    NODE,
    Peer("bare aiohttp WebSocket", (sys.executable, "-m", "bench.peers.bare_server"), "bare"),
    Peer("stock python-socketio", (sys.executable, "-m", "bench.peers.stock_server")),
)
COLUMNS: Final = (
    ("msg/s", "capacity", "{:,.0f}"),
    ("CPU µs/msg", "cpu", "{:.1f}"),
    ("p50 ms", "p50", "{:.2f}"),
    ("p99 ms", "p99", "{:.2f}"),
    ("kB/client", "joined", "{:.1f}"),
    ("after load", "loaded", "{:.1f}"),
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(peer: Peer, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server that accepts connections; ended afterwards."""
    environment = os.environ | {"NODE_ENV": "production"}
    process = subprocess.Popen([*peer.command, str(port)], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not accepts(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{peer.name} does not start")
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def measure() -> dict[Peer, Figures]:
    """Every server under load from one other process."""
    load = [sys.executable, "-m", "bench.load"]
    with contextlib.ExitStack() as stack:
        for peer in PEERS:
            port = free_port()
            server = stack.enter_context(running(peer, port))
            load += ["--server", peer.name, str(port), str(server.pid), peer.dialect]
        done = subprocess.run(load, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    figures = json.loads(done.stdout)
    return {peer: figures[peer.name] for peer in PEERS}


def print_table(results: dict[Peer, Figures]) -> None:
    """The medians, and the ratio of capacity to Node's in the same slices of time."""
    heads = [head for head, _, _ in COLUMNS]
    print("| signalling relay, 1,000 clients in pairs | " + " | ".join(heads) + " | × Node |")
    print("|---|" + "---:|" * (len(COLUMNS) + 1))
    for peer, figures in results.items():
        cells = [form.format(figures[key]) for _, key, form in COLUMNS]
        ratio = statistics.median(capacity_ratios(figures, results[NODE]))
        print(f"| {peer.name} | " + " | ".join(cells) + f" | {ratio:.2f} |")
    print(
        "\nmsg/s: 32 under way, median of slices; × Node: median of the ratios slice by slice.\n"
        "p50, p99: at 1,000 msg/s, from sending to arrival.\n"
        "kB/client: what the server's memory grew by, after joining and after load."
    )


def capacity_ratios(own: Figures, node: Figures) -> list[float]:
    """A server's capacity by Node's in each slice, smallest first."""
    pairs = zip(own["capacities"], node["capacities"], strict=True)
    return sorted(mine / theirs for mine, theirs in pairs)


def print_verdict(own: Figures, node: Figures) -> None:
    """Whether the goals hold against Node's server."""
    slices = capacity_ratios(own, node)
    measured, per_core = statistics.median(slices), node["cpu"] / own["cpu"]
    share = min(own["share"], node["share"])
    ratio = measured if share > MIN_SHARE_OF_A_CORE else per_core
    goals = [
        (ratio >= MIN_CAPACITY_RATIO, f"capacity {ratio:.2f} × Node's, goal {MIN_CAPACITY_RATIO}"),
        (own["p99"] <= node["p99"], f"p99 {own['p99']:.2f} ms, Node {node['p99']:.2f} ms"),
        (own["joined"] <= node["joined"], "memory of a joined client no more than Node's"),
        (own["loaded"] <= node["loaded"], "memory of a client after load no more than Node's"),
    ]
    print(
        f"\nCapacity to Node's: {measured:.2f} × as measured ({slices[0]:.2f} to {slices[-1]:.2f} "
        f"in single slices), {per_core:.2f} × by processor time a message."
    )
    if ratio == per_core:
        print(
            f"The machine was busy with other work and left a saturated server {share:.0%} of a "
            "core:\nonly processor time tells the capacity, and p99 is the machine's."
        )
    print()
    for holds, words in goals:
        print(f"{'holds ' if holds else 'MISSED'}  {words}")


def allow_open_files() -> None:
    """A thousand connections for each server are more than a shell usually allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    allow_open_files()
    results = measure()
    print_table(results)
    print_verdict(results[TELEMED], results[NODE])


if __name__ == "__main__":
    main()
