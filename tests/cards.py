"""Cards as a camera sees them: the QR code of a made-up person, askew, blurred and noisy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

import segno
from PIL import Image, ImageChops, ImageDraw, ImageFilter

ID_CARD = (
    "011059000123|040123456|Lò Văn Pánh|12031959|Nam|Bản Co Chạy, Mường Pồn, Điện Biên|01072021"
)
# A card of the years 2015 to 2024: sixteen parts, the end marked, dates that nobody filled in.
INSURANCE_CARD = "|".join(
    [
        "DT4110110059123",
        "Lò Văn Pánh".encode().hex(),
        "12/03/1959",
        "1",
        "Bản Co Chạy, Xã Mường Pồn, Tỉnh Điện Biên".encode().hex(),
        "11 - 019",
        "01/01/2026",
        "-",
        "01/01/2020",
        "11110110059123",
        "-",
        "4",
        "01/01/2026",
        "1598b3f2f1b4d7a-7102",
        "$",
    ]
)
DESK = 150


@dataclass(frozen=True)
class Shot:
    """How the camera was held; the share is the side of the code in that of the picture."""

    side: int = 640
    share: float = 0.5
    degrees: float = 0
    blur: float = 0.5
    noise: float = 8
    mode: str = "L"


def photographed(text: str, shot: Shot | None = None) -> Image.Image:
    """A picture of a card that says `text`."""
    shot = shot or Shot()
    code = _code(text)
    width = int(shot.side * shot.share)
    card = Image.new("L", (int(width * 1.9), int(width * 1.2)), 205)
    card.paste(code.resize((width, width), Image.Resampling.LANCZOS), (width // 10, width // 10))
    lines = ImageDraw.Draw(card)
    for row in range(6):
        y = width // 8 + row * width // 6
        lines.rectangle((int(width * 1.2), y, int(width * 1.75), y + width // 24), fill=90)
    # The code in the middle, whatever stands beside it.
    around = Image.new("L", (shot.side * 2, shot.side * 2), DESK)
    around.paste(card, (shot.side - width * 6 // 10, shot.side - width * 6 // 10))
    turned = around.rotate(shot.degrees, resample=Image.Resampling.BICUBIC, fillcolor=DESK)
    half = shot.side // 2
    picture = turned.crop((half, half, half + shot.side, half + shot.side))
    picture = picture.filter(ImageFilter.GaussianBlur(shot.blur))
    grain = Image.effect_noise(picture.size, shot.noise)
    return ImageChops.add(picture, grain, 1, -128).convert(shot.mode)


@lru_cache
def _code(text: str) -> Image.Image:
    """Printed ink is not black and plastic not white."""
    drawn = BytesIO()
    segno.make_qr(text, error="l", boost_error=False).save(drawn, kind="png", scale=8, border=4)
    return Image.open(drawn).convert("L").point(lambda value: 60 + value * 150 // 255)


def saved(picture: Image.Image, form: str = "JPEG", quality: int = 50) -> bytes:
    """As it is sent."""
    target = BytesIO()
    picture.save(target, form, quality=quality)
    return target.getvalue()
