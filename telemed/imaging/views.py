"""Taking files in and giving them out."""

from __future__ import annotations

from time import monotonic
from urllib.parse import quote

from aiohttp import web

from telemed.accounts.permissions import Action
from telemed.core.errors import N_
from telemed.imaging import service
from telemed.imaging.models import StoredFile
from telemed.keys import DATABASE, PREVIEWER, SETTINGS, STORAGE, WORK, signed_in
from telemed.sessions.link import service as links
from telemed.web.rendering import add_notices, json_answer, see_other, wants_json
from telemed.web.routing import Routes
from telemed.web.uploads import read_upload

routes = Routes()
LONGEST_CAPTION = 200
add_notices({"file_attached": N_("Máy chủ đã nhận đủ tệp")})


@routes.post("/consults/{uid}/attachments", Action.FILE_WRITE)
async def attach(request: web.Request) -> web.Response:
    """One file of a case, in one request: `file`, optionally `caption` before it."""
    uid, actor = request.match_info["uid"], signed_in(request)
    # The first bytes have come with the head; what is read below may have waited.
    began = monotonic()
    async with request.app[DATABASE].read() as work:
        await service.check_may_attach(work, actor, uid)
    upload = await read_upload(
        request,
        request.app[STORAGE].receive,
        limit_bytes=request.app[SETTINGS].upload_limit_bytes,
        texts={"caption": LONGEST_CAPTION},
    )
    seconds = monotonic() - began
    arrival = await service.take_in(
        request.app[STORAGE], request.app[PREVIEWER], upload.file, upload.name
    )
    stored = await service.attach(
        request[WORK], actor, uid, arrival, upload.texts.get("caption", "")
    )
    size_bytes = upload.file.size_bytes
    await links.note_upload(
        request[WORK], actor, stored.station_id, size_bytes=size_bytes, seconds=seconds
    )
    if wants_json(request):
        return json_answer(describe(stored), status=201)
    target = request.query.get("back", "")
    url = f"/consults/{uid}/request#f-files" if target == "request" else f"/consults/{uid}"
    return see_other(request, url, notice="file_attached")


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
