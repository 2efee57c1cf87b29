"""Forms that bring one file: texts first, then the bytes, which go where the caller says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader

from telemed.core.errors import N_, Invalid, TooLarge, Unsupported, require_short
from telemed.web.parsing import MALFORMED

MOST_FORM_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024

Kept = TypeVar("Kept")
# Takes bytes in, up to so many; raises TooLarge as soon as there are more.
Take = Callable[[AsyncIterator[bytes], int], Awaitable[Kept]]


@dataclass(frozen=True)
class Upload(Generic[Kept]):
    """What came: the file as the caller keeps it, the name it had, and the texts before it."""

    file: Kept
    name: str | None
    texts: Mapping[str, str]


async def read_upload(
    request: web.Request,
    take: Take[Kept],
    *,
    limit_bytes: int,
    texts: Mapping[str, int] | None = None,
) -> Upload[Kept]:
    """The part `file` of a form; `texts` may come before it, each with its longest length.

    Raises Unsupported, TooLarge, Invalid naming the field.
    """
    if request.content_type != "multipart/form-data":
        raise Unsupported("form_expected", N_("Nội dung phải là biểu mẫu"))
    if (request.content_length or 0) > limit_bytes + MOST_FORM_BYTES:
        raise too_many_bytes(limit_bytes)
    try:
        return await _read_parts(await request.multipart(), take, limit_bytes, texts or {})
    except MALFORMED as error:
        raise _no_file() from error


def too_many_bytes(limit_bytes: int) -> TooLarge:
    """The file is larger than what is taken."""
    text = N_("Tệp lớn quá {limit} MB")
    return TooLarge("file_too_large", text, limit=limit_bytes // (1024 * 1024))


async def in_memory(chunks: AsyncIterator[bytes], limit_bytes: int) -> bytes:
    """A small file whole. Raises TooLarge."""
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > limit_bytes:
            raise too_many_bytes(limit_bytes)
    return bytes(data)


async def _read_parts(
    reader: MultipartReader, take: Take[Kept], limit_bytes: int, wanted: Mapping[str, int]
) -> Upload[Kept]:
    texts: dict[str, str] = {}
    async for part in reader:
        if not isinstance(part, BodyPartReader):
            break
        if part.name == "file":
            return Upload(await take(_chunks(part), limit_bytes), part.filename, texts)
        name = part.name or "body"
        if name not in wanted:
            text = N_("Mục này không được nhận")
            raise Invalid("extra_forbidden", text, field=name[:40])
        texts[name] = await _short_text(part, name, wanted[name])
    raise _no_file()


def _no_file() -> Invalid:
    return Invalid("file_missing", N_("Chọn một tệp để gửi"), field="file")


async def _short_text(part: BodyPartReader, name: str, limit: int) -> str:
    data = b""
    async for chunk in _chunks(part):
        data += chunk
        if len(data) > limit * 4:
            break
    text = data.decode("utf-8", "replace").replace("\0", "")
    require_short(name, text, limit)
    return text


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK_BYTES):
        yield chunk
