"""Loading the list of techniques, and finding in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from telemed.__main__ import main
from telemed.accounts.permissions import GRANTS, Action, Role
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Denied, Invalid
from telemed.training.techniques import service
from telemed.training.techniques.models import Technique
from telemed.training.techniques.rules import Entry
from telemed.training.techniques.service import Imported
from tests.factories import Factory
from tests.races import HANDS, attempt_all

Run = Callable[[Path], int]
ENTRIES = [
    Entry("1.6", "Đặt catheter tĩnh mạch ngoại biên"),
    Entry("1.65", "Bóp bóng Ambu qua mặt nạ"),
    Entry("1.158", "Cấp cứu ngừng tuần hoàn cơ bản"),
    Entry("18.1", "Siêu âm ổ bụng"),
    Entry("18.20", "Siêu âm tim cấp cứu tại giường"),
    Entry("BS_18.2", "Siêu âm phổi"),
]


async def rows(work: UnitOfWork) -> dict[str, tuple[str, bool]]:
    found = (await work.session.exec(select(Technique))).all()
    return {row.code: (row.name, row.is_active) for row in found}


async def test_the_same_list_again_changes_nothing(work: UnitOfWork) -> None:
    assert await service.import_entries(work, ENTRIES) == Imported(added=6)
    before = await rows(work)
    again = await service.import_entries(work, ENTRIES)
    assert (again, again.changed) == (Imported(unchanged=6), 0)
    assert await rows(work) == before


async def test_a_newer_list_renames_adds_and_retires(work: UnitOfWork, make: Factory) -> None:
    await service.import_entries(work, ENTRIES)
    newer = [Entry("1.6", "Đặt kim luồn tĩnh mạch"), *ENTRIES[1:5], Entry("2.1", "Khí dung")]
    done = await service.import_entries(work, newer)
    assert done == Imported(added=1, renamed=1, retired=1, unchanged=4)
    known = await rows(work)
    assert known["1.6"] == ("Đặt kim luồn tĩnh mạch", True)
    assert known["BS_18.2"] == ("Siêu âm phổi", False)
    trainer = await make.actor(Role.TRAINER)
    assert await service.search(work, trainer, "kim luon") == [newer[0]]
    assert await service.search(work, trainer, "catheter") == []
    assert await service.search(work, trainer, "sieu am phoi") == []
    gone = await service.find_technique(work, "BS_18.2")
    assert gone
    assert not gone.is_active
    back = await service.import_entries(work, [*newer, ENTRIES[5]])
    assert back == Imported(returned=1, unchanged=6)


@pytest.mark.parametrize(
    ("typed", "codes"),
    [
        ("sieu am", ["18.1", "18.20", "BS_18.2"]),
        ("SIÊU ÂM tim", ["18.20"]),
        ("cap cuu", ["1.158", "18.20"]),
        ("am", ["1.65", "18.1", "18.20", "BS_18.2"]),
        ("1.6", ["1.6", "1.65"]),
        ("1.65 ", ["1.65"]),
        ("18", ["18.1", "18.20", "BS_18.2"]),
        ("18.2", ["18.20", "BS_18.2"]),
        ("bs_", ["BS_18.2"]),
        ("BS_18.2", ["BS_18.2"]),
        ("", []),
        ("%", []),
        ("_", []),
        ("' OR 1=1--", []),
        ("sieu %", ["18.1", "18.20", "BS_18.2"]),
    ],
)
async def test_techniques_are_found_by_code_and_by_words(
    work: UnitOfWork, make: Factory, typed: str, codes: list[str]
) -> None:
    await service.import_entries(work, ENTRIES)
    trainer = await make.actor(Role.TRAINER)
    assert [each.code for each in await service.search(work, trainer, typed)] == codes


async def test_no_search_gives_more_than_twenty(work: UnitOfWork, make: Factory) -> None:
    await service.import_entries(work, [Entry(f"2.{n}", f"Khí dung {n}") for n in range(50)])
    trainer = await make.actor(Role.TRAINER)
    assert len(await service.search(work, trainer, "khi dung")) == service.RESULTS_LIMIT == 20
    assert len(await service.search(work, trainer, "2")) == 20


@pytest.mark.parametrize("role", Role)
async def test_who_reads_sessions_searches(work: UnitOfWork, make: Factory, role: Role) -> None:
    actor = await make.actor(role)
    if role in GRANTS[Action.TRANSFER_READ]:
        assert await service.search(work, actor, "a") == []
        return
    with pytest.raises(Denied):
        await service.search(work, actor, "a")


async def test_fifty_who_load_a_list_load_it_once(database: Database) -> None:
    said = Counter(
        await attempt_all(database, [lambda work: service.import_entries(work, ENTRIES)] * HANDS)
    )
    assert set(said) <= {"done", "techniques_busy"}
    assert said["done"] >= 1
    async with database.read() as work:
        assert len(await rows(work)) == len(ENTRIES)


async def test_a_file_that_is_not_there_or_too_large_is_refused(
    work: UnitOfWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"1.1,a\n" * 10)
    monkeypatch.setattr(service, "LARGEST_FILE", 20)
    for path, code in ((tmp_path / "none.csv", "techniques_file"), (large, "techniques_large")):
        with pytest.raises(Invalid) as refusal:
            await service.import_file(work, path)
        assert refusal.value.code == code


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Run:
    monkeypatch.setenv("TELEMED_DATABASE_URL", database_url)
    monkeypatch.setenv("TELEMED_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("TELEMED_SECRET_KEY", "a-secret-for-tests-that-is-long-enough")
    return lambda path: main(["techniques", "import", str(path)])


def test_the_command_loads_a_file_and_says_what_changed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "techniques.csv"
    file.write_text("Mã;Tên\n1.65;Bóp bóng\n18.1;Siêu âm\n", "utf-8")
    assert run(file) == run(file) == 0
    file.write_text("1.65;Bóp bóng Ambu\n", "utf-8")
    assert run(file) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Techniques: 2 added, 0 renamed, 0 taken up again, 0 no longer offered, 0 as before",
        "Techniques: 0 added, 0 renamed, 0 taken up again, 0 no longer offered, 2 as before",
        "Techniques: 0 added, 1 renamed, 0 taken up again, 1 no longer offered, 0 as before",
    ]


def test_the_command_names_the_first_twenty_bad_rows_and_loads_nothing(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "techniques.csv"
    file.write_text("1.1,Thở oxy\n" + "29.1,a\n" * 25, "utf-8")
    assert run(file) == 2
    words = capsys.readouterr().err
    assert "Row 2, column 1" in words
    assert "Row 21, column 1" in words
    assert "Row 22" not in words
    assert "and 5 more" in words
    file.write_text("1.1,Thở oxy\n", "utf-8")
    assert run(file) == 0
    assert "1 added" in capsys.readouterr().out
