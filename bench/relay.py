"""Signalling relay against its peers: capacity, delay, processor time, memory; one table.

    python -m bench.relay

Every round starts every server afresh, in turn, and another one first; figures are medians over
the rounds, so that a disturbance of the machine meets all of them alike.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
ROUNDS: Final = 3
START_SECONDS: Final = 20
MIN_CAPACITY_RATIO: Final = 1.2

Figures = dict[str, float]


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


def measure(peer: Peer) -> Figures:
    """One round of one server, under load from another process."""
    port = free_port()
    with running(peer, port) as server:
        load = (sys.executable, "-m", "bench.load", "--dialect", peer.dialect)
        target = ("--port", str(port), "--server-pid", str(server.pid))
        done = subprocess.run([*load, *target], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    figures: Figures = json.loads(done.stdout)
    return figures


def run_rounds() -> dict[Peer, list[Figures]]:
    """Every peer once in each round, starting with another one each time."""
    results: dict[Peer, list[Figures]] = {peer: [] for peer in PEERS}
    for number in range(ROUNDS):
        shift = number % len(PEERS)
        for peer in (*PEERS[shift:], *PEERS[:shift]):
            print(f"round {number + 1} of {ROUNDS}: {peer.name}", file=sys.stderr)
            results[peer].append(measure(peer))
    return results


def print_table(results: dict[Peer, list[Figures]]) -> dict[Peer, Figures]:
    """The medians, and the ratio of capacity to Node's within each round."""
    medians = {
        peer: {key: statistics.median(one[key] for one in rounds) for _, key, _ in COLUMNS}
        for peer, rounds in results.items()
    }
    heads = [head for head, _, _ in COLUMNS]
    print("| signalling relay, 1,000 clients in pairs | " + " | ".join(heads) + " | x Node |")
    print("|---|" + "---:|" * (len(COLUMNS) + 1))
    for peer, figures in medians.items():
        cells = [form.format(figures[key]) for _, key, form in COLUMNS]
        ratio = statistics.median(ratios(results, peer, "capacity"))
        print(f"| {peer.name} | " + " | ".join(cells) + f" | {ratio:.2f} |")
    print(
        f"\nMedians of {ROUNDS} rounds. msg/s: 32 under way. p50, p99: at 1,000 msg/s, from sending "
        "to arrival.\nkB/client: what the server's memory grew by, after joining and after load."
    )
    return medians


def ratios(results: dict[Peer, list[Figures]], peer: Peer, key: str) -> list[float]:
    """The peer's figure by Node's of the same round, smallest first."""
    pairs = zip(results[peer], results[NODE], strict=True)
    return sorted(own[key] / node[key] for own, node in pairs)


def print_verdict(results: dict[Peer, list[Figures]], medians: dict[Peer, Figures]) -> bool:
    """Whether the goals hold against Node's server."""
    rounds = ratios(results, TELEMED, "capacity")
    ratio = statistics.median(rounds)
    per_message = statistics.median(ratios(results, TELEMED, "cpu"))
    details = (
        f"(goal: {MIN_CAPACITY_RATIO} or more; rounds {rounds[0]:.2f} to {rounds[-1]:.2f}; "
        f"processor time a message {per_message:.2f} x)"
    )
    own, node = medians[TELEMED], medians[NODE]
    goals = [
        (ratio >= MIN_CAPACITY_RATIO, f"capacity {ratio:.2f} x Node's {details}"),
        (own["p99"] <= node["p99"], f"p99 {own['p99']:.2f} ms, Node {node['p99']:.2f} ms"),
        (own["joined"] <= node["joined"], "memory of a joined client no more than Node's"),
        (own["loaded"] <= node["loaded"], "memory of a client after load no more than Node's"),
    ]
    print()
    for holds, words in goals:
        print(f"{'holds ' if holds else 'MISSED'}  {words}")
    return all(holds for holds, _ in goals)


def main() -> None:
    results = run_rounds()
    print_verdict(results, print_table(results))


if __name__ == "__main__":
    main()
