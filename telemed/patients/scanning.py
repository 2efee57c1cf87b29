"""Cards before a camera: the picture becomes the text of its QR code, and is gone."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from telemed.accounts.permissions import Action, Actor, require
from telemed.accounts.throttle import Allowance
from telemed.core.db import UnitOfWork
from telemed.core.errors import N_, FieldError, Invalid, TooLarge, Unavailable
from telemed.core.worker import AbsentError, BusyError, Limits, Worker, WorkerError
from telemed.patients import scan_worker
from telemed.patients.scan_worker import MOST_BYTES, MOST_PIXELS
from telemed.patients.service import CardReading, scan_card

# A picture takes some 10 ms; whoever waits longer than this sends the next one anyhow.
LIMITS: Final = Limits(start_seconds=30, answer_seconds=3, waiting=20, answer_bytes=200_000)
# A page sends at most 43 in its half minute; card after card, one a second for hours.
PACE: Final = Allowance(90, longest_wait=timedelta(seconds=30), forget_one_in=timedelta(seconds=1))
_FIELD = "picture"


class CardScanner:
    """Reads pictures in a process of their own."""

    def __init__(self) -> None:
        self.worker = Worker(Path(scan_worker.__file__), LIMITS)

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
        try:
            answer = json.loads(await self.worker.ask(picture))
        except BusyError as error:
            text = N_("Máy chủ đang đọc nhiều thẻ. Thử lại sau ít giây.")
            raise Unavailable("scanner_busy", text) from error
        except AbsentError as error:
            text = N_("Máy chủ chưa đọc được ảnh. Dán mã QR hoặc ghi tay.")
            raise Unavailable("scanner_unavailable", text) from error
        except WorkerError:
            # It was well before this very picture.
            answer = {"refused": "unreadable"}
        return _text_of(answer)

    async def close(self) -> None:
        """End the process; the next picture starts another."""
        await self.worker.close()


async def scan_picture(
    work: UnitOfWork, actor: Actor, scanner: CardScanner, picture: bytes
) -> CardReading:
    """Read the card in a picture, and look whether the station knows its holder."""
    require(actor, Action.PATIENT_WRITE)
    return await scan_card(work, actor, await scanner.read(picture))


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
