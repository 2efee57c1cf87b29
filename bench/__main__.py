"""`make bench`: every benchmark against its peers, one after the other, a table each."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("bench.relay", "bench.call_setup", "bench.pages", "bench.recording")


def main() -> int:
    """Run all; a benchmark that breaks does not keep the others from running."""
    broken = [
        name
        for name in BENCHMARKS
        if subprocess.run([sys.executable, "-m", name], check=False).returncode
    ]
    if broken:
        print(f"did not run to its end: {', '.join(broken)}", file=sys.stderr)
    return len(broken)


if __name__ == "__main__":
    sys.exit(main())
