"""Taking files in and giving them out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from urllib.parse import quote

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader

from telemed.accounts.permissions import Action
from telemed.core.errors import N_, Invalid, TooLarge, Unsupported, require_short
from telemed.imaging import service
from telemed.imaging.models import StoredFile
from telemed.imaging.storage import Received, Storage
from telemed.keys import DATABASE, PREVIEWER, SETTINGS, STORAGE, WORK, signed_in
from telemed.sessions.link import service as links
from telemed.web.parsing import MALFORMED
from telemed.web.rendering import add_notices, json_answer, see_other, wants_json
from telemed.web.routing import Routes

routes = Routes()
LONGEST_CAPTION = 200
MOST_FORM_BYTES = 64 * 1024
add_notices({"file_attached": N_("Máy chủ đã nhận đủ tệp")})


@routes.post("/consults/{uid}/attachments", Action.FILE_WRITE)
async def attach(request: web.Request) -> web.Response:
    """One file of a case, in one request: `file`, optionally `caption` before it."""
    uid, actor = request.match_info["uid"], signed_in(request)
    # The first bytes have come with the head; what is read below may have waited.
    began = monotonic()
    async with request.app[DATABASE].read() as work:
        await service.check_may_attach(work, actor, uid)
    upload = await _receive(request)
    seconds = monotonic() - began
    arrival = await service.take_in(
        request.app[STORAGE], request.app[PREVIEWER], upload.received, upload.name
    )
    stored = await service.attach(request[WORK], actor, uid, arrival, upload.caption)
    size_bytes = upload.received.size_bytes
    await links.note_upload(
        request[WORK], actor, stored.station_id, size_bytes=size_bytes, seconds=seconds
    )
    if wants_json(request):
        return json_answer(describe(stored), status=201)
    target = request.query.get("back", "")
    url = f"/consults/{uid}/request#f-files" if target == "request" else f"/consults/{uid}"
    return see_other(request, url, notice="file_attached")


@dataclass(frozen=True)
class _Upload:
    caption: str
    received: Received
    name: str | None


async def _receive(request: web.Request) -> _Upload:
    if request.content_type != "multipart/form-data":
        raise Unsupported("form_expected", N_("Nội dung phải là biểu mẫu"))
    limit = request.app[SETTINGS].upload_limit_bytes
    if (request.content_length or 0) > limit + MOST_FORM_BYTES:
        text = N_("Tệp lớn quá {limit} MB")
        raise TooLarge("file_too_large", text, limit=limit // (1024 * 1024))
    try:
        return await _read_parts(await request.multipart(), request.app[STORAGE], limit)
    except MALFORMED as error:
        raise _no_file() from error


async def _read_parts(reader: MultipartReader, storage: Storage, limit: int) -> _Upload:
    caption = ""
    async for part in reader:
        if not isinstance(part, BodyPartReader):
            break
        if part.name == "caption":
            caption = await _short_text(part)
        elif part.name == "file":
            return _Upload(caption, await storage.receive(_chunks(part), limit), part.filename)
        else:
            text = N_("Mục này không được nhận")
            raise Invalid("extra_forbidden", text, field=(part.name or "body")[:40])
    raise _no_file()


def _no_file() -> Invalid:
    return Invalid("file_missing", N_("Chọn một tệp để gửi"), field="file")


async def _short_text(part: BodyPartReader) -> str:
    data = b""
    async for chunk in _chunks(part):
        data += chunk
        if len(data) > LONGEST_CAPTION * 4:
            break
    text = data.decode("utf-8", "replace").replace("\0", "")
    require_short("caption", text, LONGEST_CAPTION)
    return text


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(64 * 1024):
        yield chunk


def describe(stored: StoredFile) -> dict[str, object]:
    """What a script needs to show a file."""
    preview = f"/files/{stored.uid}/preview" if stored.preview_sha256 else None
    return {
        "uid": stored.uid,
        "url": f"/files/{stored.uid}",
        "preview": preview,
        "name": stored.caption or stored.original_name,
        "size_bytes": stored.size_bytes,
        "sha256": stored.sha256,
    }


@routes.get("/files/{uid}", Action.FILE_READ)
async def original(request: web.Request) -> web.StreamResponse:
    """The bytes as they came, only ever as a download."""
    uid = request.match_info["uid"]
    stored = await service.open_file(request[WORK], signed_in(request), uid, preview=False)
    name = quote(stored.original_name)
    headers = {
        "Content-Type": stored.media_type,
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
    }
    return _file(request, stored.sha256, headers)


@routes.get("/files/{uid}/preview", Action.FILE_READ)
async def preview(request: web.Request) -> web.StreamResponse:
    """The picture that the server made of it."""
    uid = request.match_info["uid"]
    stored = await service.open_file(request[WORK], signed_in(request), uid, preview=True)
    headers = {"Content-Type": "image/webp", "Content-Disposition": "inline"}
    return _file(request, stored.preview_sha256 or "", headers)


def _file(request: web.Request, sha256: str, headers: dict[str, str]) -> web.FileResponse:
    safe = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "no-store"}
    return web.FileResponse(request.app[STORAGE].path_of(sha256), headers=headers | safe)
