"""Papers as PDF files, made in a process of their own."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

from telemed.core.config import SigningSettings
from telemed.core.errors import N_, Unavailable
from telemed.core.worker import BusyError, Limits, Worker, WorkerError
from telemed.printing import worker

log = logging.getLogger(__name__)

CSS: Final = Path(__file__).with_name("paper.css")
# Loading the library and its fonts takes 1.5 s, on a busy old machine several times that.
LIMITS: Final = Limits(
    start_seconds=60, answer_seconds=20, waiting=40, answer_bytes=64 * 1024 * 1024
)


class Printer:
    """Lays pages out, one at a time."""

    def __init__(self, signing: SigningSettings | None = None) -> None:
        self._signing = signing or SigningSettings()
        self.worker = Worker(Path(worker.__file__), LIMITS, self._setup)

    async def make(self, html: str) -> bytes:
        """A page as PDF, signed where a certificate is set. Raises Unavailable."""
        try:
            return await self.worker.ask(json.dumps({"html": html}).encode())
        except BusyError as error:
            text = N_("Máy chủ đang in nhiều. Thử lại sau ít giây.")
            raise Unavailable("printer_busy", text) from error
        except WorkerError as error:
            log.warning("a page could not be printed: %s %s", type(error).__name__, error)
            text = N_(
                "Chưa tạo được tệp PDF. Bạn vẫn in được từ trang này; báo quản trị nếu lặp lại."
            )
            raise Unavailable("printer_unavailable", text) from error

    async def close(self) -> None:
        """End the process; the next page starts another."""
        await self.worker.close()

    def _setup(self) -> bytes:
        setup = {"css": CSS.read_text()}
        if self._signing.certificate:
            setup["certificate"] = str(self._signing.certificate)
            setup["password"] = self._signing.password.get_secret_value()
        return json.dumps(setup).encode()
