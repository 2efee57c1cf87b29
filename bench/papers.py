"""Minutes as PDF: time per page with the process warm, and what the event loop feels of twenty at once.

`python -m bench.papers [--papers 40]`. Beside the product's printer the same page is laid out by
WeasyPrint in this process, which is what the separate process is measured against.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from typing import Final

from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration

from telemed.printing.printer import CSS as STYLE
from telemed.printing.printer import Printer
from tests.papers import count_pages

GOAL_LAG: Final = 0.050
AT_ONCE: Final = 20
TICK: Final = 0.005
ROW: Final = (
    "<tr><td>{n}. Có cần chuyển tuyến không, đi lúc nào?</td><td>Ở lại trạm, theo dõi SpO2 mỗi giờ;"
    " chuyển khi dưới 92 %, tri giác xấu đi, hoặc nhịp thở trên 30 lần/phút.</td></tr>"
)
PAGE: Final = (
    '<!doctype html><html lang="vi"><head><title>Trích biên bản</title></head><body>'
    '<span class="page-word">Trang</span><h1>TRÍCH BIÊN BẢN HỘI CHẨN</h1>'
    + "<p>Họ và tên: <b>GIÀNG THỊ THỬ</b> · Năm sinh: 08/03/1985</p>" * 12
    + "<table><thead><tr><th>Câu hỏi</th><th>Kết luận</th></tr></thead><tbody>"
    + "".join(ROW.format(n=n) for n in range(1, 9))
    + "</tbody></table></body></html>"
)


async def lag(stop: asyncio.Event) -> list[float]:
    """How late the loop comes back from a short sleep, again and again."""
    found = []
    while not stop.is_set():
        began = time.perf_counter()
        await asyncio.sleep(TICK)
        found.append(time.perf_counter() - began - TICK)
    return found


async def measure(papers: int) -> tuple[list[float], list[float], float, int]:
    """Seconds for each paper alone; lags, and seconds in all, of twenty at once; pages of one."""
    printer = Printer()
    try:
        pages = count_pages(await printer.make(PAGE))
        alone = []
        for _ in range(papers):
            began = time.perf_counter()
            await printer.make(PAGE)
            alone.append(time.perf_counter() - began)
        stop = asyncio.Event()
        lags = asyncio.create_task(lag(stop))
        began = time.perf_counter()
        await asyncio.gather(*(printer.make(PAGE) for _ in range(AT_ONCE)))
        took = time.perf_counter() - began
        stop.set()
        return alone, await lags, took, pages
    finally:
        await printer.close()


def bare(papers: int) -> list[float]:
    """The same page laid out in this process."""
    fonts = FontConfiguration()
    style = CSS(string=STYLE.read_text(), font_config=fonts)
    found = []
    for _ in range(papers + 1):
        began = time.perf_counter()
        HTML(string=PAGE).write_pdf(stylesheets=[style], font_config=fonts, pdf_variant="pdf/ua-1")
        found.append(time.perf_counter() - began)
    return found[1:]


def main() -> int:
    """Print the figures, and whether the goal holds."""
    parser = argparse.ArgumentParser(prog="bench.papers")
    parser.add_argument("--papers", type=int, default=40)
    papers = parser.parse_args().papers
    alone, lags, took, pages = asyncio.run(measure(papers))
    inside = bare(papers)
    p50, most = statistics.median(alone), max(lags)
    print(f"minutes of {pages} page(s), {papers} in turn, process warm")
    print(f"p50 {p50 / pages * 1000:.0f} ms a page, slowest {max(alone) / pages * 1000:.0f} ms")
    print(
        f"WeasyPrint in this process: p50 {statistics.median(inside) / pages * 1000:.0f} ms a page"
    )
    print(
        f"{AT_ONCE} at once: all after {took:.1f} s; event loop late by at most {most * 1000:.0f} ms"
    )
    print(f"goal {GOAL_LAG * 1000:.0f} ms: {'holds' if most <= GOAL_LAG else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
