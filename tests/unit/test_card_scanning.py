"""A picture of a card becomes the text of its code, or a refusal; nothing that comes breaks it."""

from __future__ import annotations

import asyncio
import random
import resource
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from telemed.core.errors import Invalid, TooLarge, Unavailable
from telemed.patients import scan_worker
from telemed.patients.scanning import LIMITS, CardScanner
from tests import pictures
from tests.cards import ID_CARD, INSURANCE_CARD, Shot, photographed, saved


@pytest.fixture
async def scanner() -> AsyncIterator[CardScanner]:
    scanner = CardScanner()
    yield scanner
    await scanner.close()


@pytest.mark.parametrize("text", [ID_CARD, INSURANCE_CARD], ids=["id", "insurance"])
@pytest.mark.parametrize(
    "shot",
    [
        Shot(),
        Shot(degrees=12),
        Shot(degrees=100),
        Shot(degrees=180, share=0.7),
        Shot(share=0.4),
        Shot(blur=1.4),
        Shot(noise=30, share=0.7),
        Shot(degrees=-25, blur=1.2, noise=15, share=0.7),
        Shot(mode="RGB"),
        Shot(side=1080, share=0.3),
    ],
    ids=str,
)
async def test_a_card_is_read_however_it_is_held(
    scanner: CardScanner, text: str, shot: Shot
) -> None:
    assert await scanner.read(saved(photographed(text, shot))) == text


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
async def test_every_form_of_picture_is_read(scanner: CardScanner, form: str) -> None:
    small = photographed(ID_CARD, Shot(side=400, share=0.7, noise=0))
    assert await scanner.read(saved(small, form)) == ID_CARD


async def test_a_light_code_on_a_dark_ground_is_read(scanner: CardScanner) -> None:
    dark = photographed(ID_CARD).point(lambda value: 255 - value)
    assert await scanner.read(saved(dark)) == ID_CARD


@pytest.mark.parametrize(
    "name", ["Lò Văn Pánh", "LÒ VĂN PÁNH", "Lo\u0300 Va\u0306n Pa\u0301nh", "Ó"]
)
async def test_letters_come_out_as_they_went_in(scanner: CardScanner, name: str) -> None:
    text = f"011059000123||{name}|1959|Nam|Đ"
    assert await scanner.read(saved(photographed(text))) == text


async def test_a_card_comes_before_another_code_beside_it(scanner: CardScanner) -> None:
    both = Image.new("L", (1280, 640), 150)
    both.paste(photographed("https://example.test/"), (0, 0))
    both.paste(photographed(ID_CARD), (640, 0))
    assert await scanner.read(saved(both)) == ID_CARD


@pytest.mark.parametrize(
    "picture",
    [saved(photographed(ID_CARD, Shot(blur=9))), saved(Image.new("L", (640, 640), 150))],
    ids=["blurred", "empty"],
)
async def test_no_code_is_said_to_be_none(scanner: CardScanner, picture: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        await scanner.read(picture)
    assert [(each.field, each.code) for each in refused.value.fields] == [("picture", "qr_absent")]


GOOD = saved(photographed(ID_CARD))
HOSTILE = {
    "nothing": b"",
    "text": b"hello",
    "page": pictures.HTML,
    "drawing": pictures.SVG,
    "paper": pictures.PDF,
    "program": pictures.PE,
    "film": pictures.GIF,
    "head of a JPEG": GOOD[:600],
    "head of a PNG": saved(photographed(ID_CARD), "PNG")[:600],
    "head of a WebP": saved(photographed(ID_CARD), "WEBP")[:200],
    "marks of a JPEG": b"\xff\xd8\xff" * 1000,
}


@pytest.mark.parametrize("picture", HOSTILE.values(), ids=HOSTILE)
async def test_what_is_no_picture_is_refused_and_the_next_is_read(
    scanner: CardScanner, picture: bytes
) -> None:
    with pytest.raises(Invalid) as refused:
        await scanner.read(picture)
    (error,) = refused.value.fields
    assert (error.field, error.code) == ("picture", "picture_unreadable")
    assert await scanner.read(GOOD) == ID_CARD


async def test_damaged_pictures_are_read_or_refused(scanner: CardScanner) -> None:
    dice = random.Random(7)
    seen = set()
    for form in ("JPEG", "PNG", "WEBP"):
        whole = saved(photographed(ID_CARD, Shot(side=300, share=0.8)), form)
        for _ in range(40):
            damaged = bytearray(whole)
            for place in dice.choices(range(len(damaged)), k=dice.choice([1, 5, 50])):
                damaged[place] = dice.randrange(256)
            seen.add(await _outcome(scanner, bytes(damaged)))
    assert seen <= {"read", "qr_absent", "picture_unreadable", "picture_pixels"}
    assert {"read", "picture_unreadable"} <= seen


async def _outcome(scanner: CardScanner, picture: bytes) -> str:
    try:
        await scanner.read(picture)
    except Invalid as refused:
        return refused.code
    return "read"


async def test_too_many_bytes_are_refused_before_anybody_looks(scanner: CardScanner) -> None:
    with pytest.raises(TooLarge) as refused:
        await scanner.read(GOOD + b"\0" * 200_000)
    (error,) = refused.value.fields
    assert error.field == "picture"
    assert error.message.format(**error.params).startswith("Ảnh lớn nhất 200 kB")
    assert scanner.worker.pid is None


async def test_too_many_pixels_are_refused_by_the_head_alone(scanner: CardScanner) -> None:
    for bomb in (pictures.png_of(60_000, 60_000), saved(Image.new("L", (1500, 1400)))):
        assert await _outcome(scanner, bomb) in {"picture_pixels", "picture_unreadable"}
    assert await _outcome(scanner, saved(Image.new("L", (1500, 1400)))) == "picture_pixels"
    assert await _outcome(scanner, saved(Image.new("L", (1400, 1400)))) == "qr_absent"


async def test_many_at_once_are_read_one_after_the_other(scanner: CardScanner) -> None:
    shots = [replace(Shot(), degrees=float(turn)) for turn in range(10)]
    texts = [f"01105900{number:04}||Lò Văn A|1959|Nam|Bản" for number in range(10)]
    sent = [saved(photographed(text, shot)) for text, shot in zip(texts, shots, strict=True)]
    assert await asyncio.gather(*map(scanner.read, sent)) == texts


async def test_too_many_at_once_are_told(scanner: CardScanner) -> None:
    scanner.worker.limits = replace(LIMITS, waiting=2)
    answers = await asyncio.gather(*(scanner.read(GOOD) for _ in range(4)), return_exceptions=True)
    assert answers[:2] == [ID_CARD, ID_CARD]
    assert [type(each) for each in answers[2:]] == [Unavailable, Unavailable]


async def test_a_reader_that_hangs_is_no_reader(scanner: CardScanner, tmp_path: Path) -> None:
    hanging = tmp_path / "hanging.py"
    hanging.write_text(
        "import time\nCAPS, MOST_BYTES = {}, 10 ** 6\n"
        "def set_up(frame):\n    return lambda picture: time.sleep(99)\n"
    )
    scanner.worker.script = hanging
    scanner.worker.limits = replace(LIMITS, answer_seconds=0.1)
    assert await _outcome(scanner, GOOD) == "picture_unreadable"
    assert scanner.worker.pid is None


async def test_a_reader_that_does_not_start_is_said_to_be_away(
    scanner: CardScanner, tmp_path: Path
) -> None:
    scanner.worker.script = tmp_path / "nowhere.py"
    with pytest.raises(Unavailable):
        await scanner.read(GOOD)


async def test_the_reader_has_neither_settings_nor_a_way_to_keep_a_picture(
    scanner: CardScanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMED_SECRET_KEY", "must not be seen")
    await scanner.read(GOOD)
    own = Path(f"/proc/{scanner.worker.pid}")
    assert "must not be seen" not in (own / "environ").read_text()
    limits = (own / "limits").read_text()
    assert f"Max address space         {scan_worker.CAPS[resource.RLIMIT_AS]}" in limits
    assert "Max file size             0" in limits
