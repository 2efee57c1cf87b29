"""A case with its files, the browsers of both its sides, and what became of what they sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientResponse, FormData
from sqlmodel import col, select

from telemed.core.config import Settings
from telemed.core.db import Database
from telemed.imaging.models import StoredFile
from tests import pictures
from tests.conftest import Client
from tests.factories import Case

SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}
LIMIT = 200_000
PHOTO = pictures.photograph()


@dataclass
class Desk:
    """A case and the browsers of both its sides."""

    case: Case
    doctor: Client
    specialist: Client

    async def send(
        self, data: bytes, name: str = "ảnh.jpg", *, caption: str | None = None, **more: str
    ) -> ClientResponse:
        form = FormData(quote_fields=False)
        for field, value in more.items():
            form.add_field(field, value)
        if caption is not None:
            form.add_field("caption", caption)
        form.add_field("file", data, filename=name)
        return await self.doctor.post(self.path, data=form, headers=SCRIPT)

    @property
    def path(self) -> str:
        return f"/consults/{self.case.consult.uid}/attachments"


async def stored(database: Database) -> list[StoredFile]:
    async with database.read() as work:
        return list(await work.session.exec(select(StoredFile).order_by(col(StoredFile.id))))


def files_below(settings: Settings, folder: str) -> list[Path]:
    return [path for path in (settings.data_dir / "files" / folder).rglob("*") if path.is_file()]
