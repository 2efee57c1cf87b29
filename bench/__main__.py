"""`make bench`, `make bench-media`: benchmarks against their peers, one after the other, a table each."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    "bench.relay",
    "bench.call_setup",
    "bench.pages",
    "bench.ladder",
    "bench.booking",
    "bench.papers",
    "bench.matrix",
    "bench.recording",
)
MEDIA = (
    "bench.call_setup",
    "bench.recovery",
    "bench.speech",
    "bench.media_relay",
    "bench.capped",
    "bench.twelve",
    "bench.handover",
    "bench.recording",
    "bench.soak",
)


def main() -> int:
    """Run all, or with `media` those of calls; a benchmark that breaks does not keep the others from running."""
    broken = [
        name
        for name in (MEDIA if sys.argv[1:] == ["media"] else BENCHMARKS)
        if subprocess.run([sys.executable, "-m", name], check=False).returncode
    ]
    if broken:
        print(f"did not run to its end: {', '.join(broken)}", file=sys.stderr)
    return len(broken)


if __name__ == "__main__":
    sys.exit(main())
