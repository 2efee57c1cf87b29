"""Cards before a camera: the picture becomes the text of its QR code, and is gone."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import sys
from datetime import timedelta
from typing import Any, Final

from telemed.accounts.permissions import Action, Actor, require
from telemed.accounts.throttle import Allowance
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, FieldError, Invalid, TooLarge, Unavailable
from telemed.patients import scan_worker
from telemed.patients.scan_worker import MOST_BYTES, MOST_PIXELS
from telemed.patients.service import CardReading, scan_card

log = logging.getLogger(__name__)

# A picture takes some 10 ms; whoever waits longer than this sends the next one anyhow.
TIME_LIMIT_SECONDS: Final = 3.0
START_LIMIT_SECONDS: Final = 30.0
MOST_WAITING: Final = 20
MOST_ANSWER_BYTES: Final = 200_000
# A page sends at most 43 in its half minute; card after card, one a second for hours.
PACE: Final = Allowance(90, longest_wait=timedelta(seconds=30), forget_one_in=timedelta(seconds=1))
_FIELD = "picture"


class CardScanner:
    """Owner of the process that reads pictures: started at the first one, and anew when it died."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: asyncio.subprocess.Process | None = None

    async def read(self, picture: bytes) -> str:
        """The text of the QR code in a picture, a card's before any other.

        Raises TooLarge or Invalid at the field `picture`, Unavailable where nobody can look.
        """
        if len(picture) > MOST_BYTES:
            limit = MOST_BYTES // 1000
            text = N_("Ảnh lớn nhất {limit} kB – đang là {given} kB")
            params = {"limit": limit, "given": -(-len(picture) // 1000)}
            field = FieldError(_FIELD, "picture_large", text, params)
            raise TooLarge("picture_large", text, fields=[field], **params)
        if self._waiting >= MOST_WAITING:
            raise Unavailable(
                "scanner_busy", N_("Máy chủ đang đọc nhiều thẻ. Thử lại sau ít giây.")
            )
        self._waiting += 1
        try:
            async with self._turn:
                answer = await self._ask(picture)
        finally:
            self._waiting -= 1
        return _text_of(answer)

    async def _ask(self, picture: bytes) -> dict[str, Any]:
        process = await self._running()
        try:
            async with asyncio.timeout(TIME_LIMIT_SECONDS):
                return await _exchange(process, picture)
        except (TimeoutError, OSError, EOFError, ValueError) as error:
            # It was well before this very picture.
            log.warning("a picture broke the process that reads cards: %s", type(error).__name__)
            await self.close()
            return {"refused": "unreadable"}
        except BaseException:
            # Its answer would be taken for that of the next picture.
            await self.close()
            raise

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process and self._process.returncode is None:
            return self._process
        await self.close()
        try:
            process = await self._start()
            async with asyncio.timeout(START_LIMIT_SECONDS):
                await _receive(process)
        except (TimeoutError, OSError, EOFError) as error:
            log.warning("the process that reads cards does not start: %s", type(error).__name__)
            await self.close()
            text = N_("Máy chủ chưa đọc được ảnh. Dán mã QR hoặc ghi tay.")
            raise Unavailable("scanner_unavailable", text) from error
        except BaseException:
            await self.close()
            raise
        return process

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            scan_worker.__file__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )
        return self._process

    async def close(self) -> None:
        """End the process; the next picture starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()


async def scan_picture(
    work: UnitOfWork, actor: Actor, scanner: CardScanner, picture: bytes
) -> CardReading:
    """Read the card in a picture, and look whether the station knows its holder."""
    require(actor, Action.PATIENT_WRITE)
    return await scan_card(work, actor, await scanner.read(picture))


async def _exchange(process: asyncio.subprocess.Process, picture: bytes) -> dict[str, Any]:
    assert process.stdin
    process.stdin.write(struct.pack(">I", len(picture)) + picture)
    await process.stdin.drain()
    return await _receive(process)


async def _receive(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout
    (size,) = struct.unpack(">I", await process.stdout.readexactly(4))
    if size > MOST_ANSWER_BYTES:
        raise EOFError
    answer: dict[str, Any] = json.loads(await process.stdout.readexactly(size))
    return answer


def _text_of(answer: dict[str, Any]) -> str:
    refused = answer.get("refused")
    if refused == "pixels":
        text = N_("Ảnh nhiều nhất {limit} triệu điểm ảnh")
        raise Invalid("picture_pixels", text, field=_FIELD, limit=MOST_PIXELS // 1_000_000)
    if refused:
        text = N_("Không đọc được ảnh. Gửi ảnh JPEG, PNG hoặc WebP.")
        raise Invalid("picture_unreadable", text, field=_FIELD)
    texts: list[str] = answer["texts"]
    if not texts:
        text = N_("Chưa thấy mã QR. Đưa thẻ gần hơn, đủ sáng, giữ yên.")
        raise Invalid("qr_absent", text, field=_FIELD)
    return next((text for text in texts if "|" in text), texts[0])
