"""Small pictures that look like what a station sends; drawn, never taken from anybody."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

MARK = "SYNTHETIC - TELEMED DEMO"
QUALITY = 82
VARIANTS = 2
_GRAIN = 6

Drawing = Callable[[Random], Image.Image]


def draw_all(seed: int) -> Iterator[tuple[str, bytes]]:
    """Every kind of picture in a few variants, as JPEG. Takes a second or two."""
    for kind, draw in DRAWINGS.items():
        for variant in range(VARIANTS):
            chance = Random(f"{seed} {kind} {variant}")
            image = _with_mark(draw(chance))
            target = io.BytesIO()
            image.save(target, "JPEG", quality=QUALITY, progressive=True)
            yield kind, target.getvalue()


def _chest(chance: Random) -> Image.Image:
    image = Image.new("L", (800, 900), 14)
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((70, 90, 730, 900), 180, fill=118)
    for side in (-1, 1):
        middle = 400 + side * 165
        draw.ellipse((middle - 125, 170, middle + 125, 740), fill=38)
    draw.rectangle((372, 60, 428, 900), fill=176)
    draw.ellipse((330, 430, 590, 730), fill=168)
    draw.ellipse((90, 690, 380, 900), fill=150)
    draw.ellipse((420, 710, 710, 900), fill=146)
    image = image.filter(ImageFilter.GaussianBlur(9))
    ribs = Image.new("L", image.size, 0)
    pencil = ImageDraw.Draw(ribs)
    for number in range(8):
        top = 150 + number * 68
        for box, angles in (
            ((110, top, 400, top + 190), (200, 350)),
            ((400, top, 690, top + 190), (190, 340)),
        ):
            pencil.arc(box, *angles, fill=46, width=15)
    image = ImageChops.add(image, ribs.filter(ImageFilter.GaussianBlur(3)))
    patch = Image.new("L", image.size, 0)
    left, top = chance.randint(190, 260), chance.randint(500, 600)
    ImageDraw.Draw(patch).ellipse((left, top, left + 130, top + 120), fill=chance.randint(60, 90))
    return _grained(ImageChops.add(image, patch.filter(ImageFilter.GaussianBlur(26))), chance)


def _bone(chance: Random) -> Image.Image:
    image = Image.new("L", (700, 900), 12)
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((190, 0, 520, 640), 90, fill=70)
    draw.rounded_rectangle((160, 560, 560, 900), 120, fill=70)
    tilt = chance.randint(14, 30)
    draw.rounded_rectangle((230, 0, 310, 430), 26, fill=170)
    draw.polygon([(222, 444), (322, 452), (348 + tilt, 590), (228 + tilt, 590)], fill=178)
    draw.rounded_rectangle((390, 0, 450, 560), 22, fill=160)
    for row, columns in ((610, 4), (670, 4)):
        for column in range(columns):
            left = 220 + column * 68
            draw.ellipse((left, row, left + 60, row + 56), fill=158)
    for finger in range(4):
        left = 215 + finger * 74
        draw.rounded_rectangle((left, 736, left + 44, 890), 18, fill=162)
    return _grained(image.filter(ImageFilter.GaussianBlur(4)), chance)


def _ecg(chance: Random) -> Image.Image:
    image = Image.new("RGB", (1100, 720), (255, 249, 246))
    draw = ImageDraw.Draw(image)
    for step, colour in ((10, (249, 222, 218)), (50, (236, 178, 172))):
        for x in range(0, 1100, step):
            draw.line((x, 0, x, 720), fill=colour)
        for y in range(0, 720, step):
            draw.line((0, y, 1100, y), fill=colour)
    beat = chance.randint(150, 190)
    leads = (("I", -0.1), ("II", 0.35), ("III", 0.4), ("aVR", -0.2), ("aVL", -0.25), ("aVF", 0.4))
    for row, (name, rise) in enumerate(leads):
        base = 70 + row * 108
        points = [(x, base - 62 * _wave(x % beat / beat, rise)) for x in range(60, 1080, 2)]
        draw.line(points, fill=(40, 40, 60), width=2)
        draw.text((20, base - 30), name, fill=(40, 40, 60), font_size=22)
    return image


def _wave(phase: float, rise: float) -> float:
    """One heart beat: P, QRS, ST segment, T."""

    def bump(centre: float, width: float, height: float) -> float:
        return height * math.exp(-(((phase - centre) / width) ** 2))

    segment = rise if 0.36 < phase < 0.56 else 0.0
    return (
        bump(0.16, 0.03, 0.14)
        + bump(0.29, 0.008, -0.12)
        + bump(0.32, 0.011, 1.0)
        + bump(0.345, 0.01, -0.25)
        + segment
        + bump(0.58, 0.05, 0.26)
    )


def _ultrasound(chance: Random) -> Image.Image:
    size = (860, 700)
    speckle = Image.frombytes("L", (215, 175), chance.randbytes(215 * 175)).resize(size)
    image = speckle.filter(ImageFilter.GaussianBlur(2)).point(lambda value: int(value * 0.55))
    draw = ImageDraw.Draw(image)
    left, top = chance.randint(380, 460), chance.randint(280, 340)
    draw.ellipse((left, top, left + 130, top + 96), fill=16)
    bright = Image.new("L", size, 0)
    ImageDraw.Draw(bright).rectangle((left + 16, top + 96, left + 114, top + 250), fill=70)
    image = ImageChops.add(
        image.filter(ImageFilter.GaussianBlur(1.4)), bright.filter(ImageFilter.GaussianBlur(12))
    )
    fan = Image.new("L", size, 0)
    ImageDraw.Draw(fan).pieslice((-70, -520, 930, 660), 42, 138, fill=255)
    return ImageChops.multiply(image, fan)


def _skin(chance: Random) -> Image.Image:
    image = Image.new("RGB", (800, 620), (206, 158, 128))
    shade = Image.frombytes("L", (40, 31), chance.randbytes(1240)).resize(image.size)
    shade = shade.filter(ImageFilter.GaussianBlur(24)).point(lambda value: 225 + value // 9)
    image = ImageChops.multiply(image, Image.merge("RGB", (shade, shade, shade)))
    draw = ImageDraw.Draw(image)
    for _ in range(chance.randint(12, 22)):
        x, y, size = chance.randint(180, 620), chance.randint(130, 480), chance.randint(8, 34)
        draw.ellipse((x, y, x + size, y + size), fill=(186, 92, 78))
    return image.filter(ImageFilter.GaussianBlur(3))


def _eschar(chance: Random) -> Image.Image:
    """A black scab in a red ring, as after the bite of a mite."""
    image = _skin(chance)
    draw = ImageDraw.Draw(image)
    draw.ellipse((330, 240, 470, 360), fill=(176, 82, 70))
    draw.ellipse((368, 268, 432, 330), fill=(58, 34, 30))
    return image.filter(ImageFilter.GaussianBlur(3))


DRAWINGS: Mapping[str, Drawing] = {
    "chest": _chest,
    "bone": _bone,
    "ecg": _ecg,
    "ultrasound": _ultrasound,
    "skin": _skin,
    "eschar": _eschar,
}


def _grained(image: Image.Image, chance: Random) -> Image.Image:
    width, height = image.width // 2, image.height // 2
    grain = Image.frombytes("L", (width, height), chance.randbytes(width * height))
    return ImageChops.add(
        image, grain.resize(image.size).point(lambda value: value // 255 * _GRAIN)
    )


def _with_mark(image: Image.Image) -> Image.Image:
    marked = image.convert("RGB")
    draw = ImageDraw.Draw(marked)
    draw.rectangle((0, marked.height - 34, 340, marked.height), fill=(0, 0, 0))
    draw.text((10, marked.height - 28), MARK, fill=(255, 255, 255), font_size=20)
    return marked
