"""Answers the questions of a `Worker` by a script: `python -I worker_loop.py SCRIPT`.

Frames go both ways: four bytes of length, then the bytes. The first one is for `set_up` of the
script, which gives the function that answers each further one. An answer begins with `+`, or with
`-` and the name of the error that stands for it.

The script says in `CAPS` what the process may use at most, and in `MOST_BYTES` how long a frame may
be; both hold before it loads a library, which it does in `set_up`. Nothing of the application can be
imported here.
"""

from __future__ import annotations

import resource
import runpy
import struct
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

DONE, FAILED = b"+", b"-"


def _read_frame(stream: BinaryIO, most_bytes: int) -> bytes | None:
    """The next frame, None at the end. Raises EOFError in the middle of one, or for a longer one."""
    head = stream.read(4)
    if not head:
        return None
    (size,) = struct.unpack(">I", head)
    if size > most_bytes:
        raise EOFError
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return body


def _write_frame(stream: BinaryIO, body: bytes) -> None:
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def main() -> int:
    """Answer until there is nothing more to read."""
    script = runpy.run_path(sys.argv[1])
    for kind, most in script["CAPS"].items():
        resource.setrlimit(kind, (most, most))
    answer: Callable[[bytes], bytes] | None = None
    while (frame := _read_frame(sys.stdin.buffer, script["MOST_BYTES"])) is not None:
        try:
            if answer is None:
                answer, said = script["set_up"](frame), b""
            else:
                said = answer(frame)
            body = DONE + said
        except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever one frame does, the next is answered
            body = FAILED + type(error).__name__.encode()
        _write_frame(sys.stdout.buffer, body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
