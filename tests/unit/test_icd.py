from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import func, select

from telemed.__main__ import main
from telemed.consults import icd
from telemed.consults.models import IcdCode
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Invalid

Run = Callable[..., int]

NATIONAL = """code,title
J18,"Viêm phổi, tác nhân không xác định"
J18.1,"Viêm phổi thùy, không đặc hiệu"
a91,Sốt xuất huyết Dengue nặng
B18.00,Viêm gan virus B mạn
G20†,Bệnh Parkinson
"""


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    return tmp_path / "icd.csv"


def write(path: Path, content: str | bytes) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)


async def import_text(
    work: UnitOfWork, path: Path, content: str | bytes, version: str = "1"
) -> int:
    write(path, content)
    return await icd.import_csv(work, path, system="ICD-10 VN", version=version)


async def codes(work: UnitOfWork, text: str, limit: int = 20) -> list[str]:
    return [entry.code for entry in (await icd.search(work, text, limit)).codes]


class TestWhoList:
    async def test_it_is_loaded_once(self, work: UnitOfWork) -> None:
        assert await icd.load_who(work) == 12_246
        assert await icd.load_who(work) == 0
        query = select(func.count()).select_from(IcdCode)
        assert (await work.session.exec(query)).one() == 12_246

    async def test_it_is_searched_by_code_and_by_words(self, work: UnitOfWork) -> None:
        await icd.load_who(work)

        assert await codes(work, "j18") == ["J18", "J18.0", "J18.1", "J18.2", "J18.8", "J18.9"]
        assert await codes(work, "J18.1") == await codes(work, "j181") == ["J18.1"]
        assert (await codes(work, "lobar pneumonia"))[0] == "J18.1"
        assert "J18.1" in await codes(work, "unspecified LOBAR pneum")
        assert await codes(work, "J18.") == await codes(work, "J18")

        results = await icd.search(work, "measles")
        assert (results.system, results.version) == ("ICD-10 WHO", "2019")
        assert "World Health Organization" in results.attribution
        assert len(await codes(work, "a", 500)) == icd.RESULTS_LIMIT


async def test_no_search_gives_more_than_its_limit(work: UnitOfWork, csv_file: Path) -> None:
    await import_text(work, csv_file, NATIONAL)

    assert await codes(work, "j", 1) == []
    assert await codes(work, "j1", 1) == ["J18"]
    assert await codes(work, "viem", 2) == ["J18", "J18.1"]


async def test_a_code_is_found_with_its_list(work: UnitOfWork, csv_file: Path) -> None:
    await import_text(work, csv_file, NATIONAL)

    choice = await icd.find_choice(work, "A91")
    assert choice is not None
    assert (choice.title, choice.system, choice.version) == (
        "Sốt xuất huyết Dengue nặng",
        "ICD-10 VN",
        "1",
    )
    assert await icd.find_choice(work, "J18.77") is None
    assert await icd.find_choice(work, None) is None


SIGNS = ["", "  ", "%", "_", "%%%", "'; DROP TABLE icd_code", "\\", "…"]


@pytest.mark.parametrize("text", SIGNS)
async def test_signs_find_nothing_by_themselves(
    work: UnitOfWork, csv_file: Path, text: str
) -> None:
    await import_text(work, csv_file, NATIONAL)

    assert await codes(work, text) == []


async def test_without_a_list_nothing_is_found(work: UnitOfWork) -> None:
    assert await codes(work, "J18") == []
    assert await icd.find_choice(work, "J18") is None


class TestImport:
    async def test_the_list_loaded_last_is_searched(self, work: UnitOfWork, csv_file: Path) -> None:
        await icd.load_who(work)
        assert await import_text(work, csv_file, NATIONAL) == 5

        assert await codes(work, "viem phoi thuy") == ["J18.1"]
        assert await codes(work, "Viêm phổi") == ["J18", "J18.1"]
        assert await codes(work, "A91") == ["A91"]
        assert await codes(work, "g20") == ["G20"]
        assert await codes(work, "pneumonia") == []

    async def test_codes_of_older_lists_stay_readable(
        self, work: UnitOfWork, csv_file: Path
    ) -> None:
        await icd.load_who(work)
        await import_text(work, csv_file, NATIONAL)

        assert await icd.find_title(work, "A97.2", "ICD-10 WHO", "2019") == "Severe Dengue"
        assert await icd.find_title(work, "A91", "ICD-10 VN", "1") == "Sốt xuất huyết Dengue nặng"
        assert await icd.find_title(work, "A91", "ICD-10 VN", "9") == ""

    async def test_a_file_may_start_with_a_byte_order_mark(
        self, work: UnitOfWork, csv_file: Path
    ) -> None:
        content = codecs.BOM_UTF8 + NATIONAL.replace("\n", "\r\n").encode()

        assert await import_text(work, csv_file, content) == 5

    async def test_the_same_file_again_adds_nothing_another_needs_its_own_version(
        self, work: UnitOfWork, csv_file: Path
    ) -> None:
        await import_text(work, csv_file, NATIONAL)

        assert await import_text(work, csv_file, NATIONAL) == 0
        changed = NATIONAL.replace("Parkinson", "Parkinson nguyên phát")
        with pytest.raises(Conflict):
            await import_text(work, csv_file, changed)
        assert await import_text(work, csv_file, changed, version="2") == 5

    async def test_every_bad_row_is_named_and_nothing_is_imported(
        self, database: Database, csv_file: Path
    ) -> None:
        rows = "code,title\nJ18,Viêm phổi\nU13/9,Khác\nJ18,Viêm phổi\nJ19,\nJ20," + "x" * 401 + "\n"
        with pytest.raises(Invalid) as refusal:
            async with database.work() as work:
                await import_text(work, csv_file, rows)

        assert [(e.field, e.code) for e in refusal.value.fields] == [
            ("row 3", "icd_code"),
            ("row 4", "icd_repeated"),
            ("row 5", "icd_title_missing"),
            ("row 6", "icd_title_long"),
        ]
        assert refusal.value.fields[0].params == {"row": 3, "given": "U13/9"}
        async with database.read() as work:
            assert await icd.find_current_list(work) is None

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "icd_columns"),
            (b"ma,ten\nJ18,x\n", "icd_columns"),
            (b"code,title\n", "icd_empty"),
            (b"code,title\nJ18,\xff\xfe\n", "icd_encoding"),
            (b'code,title\nJ18,"x\n', "icd_csv"),
            (b"code,title\nJ18\n", "fields_invalid"),
        ],
    )
    async def test_a_file_of_another_form_is_refused(
        self, work: UnitOfWork, csv_file: Path, content: bytes, code: str
    ) -> None:
        with pytest.raises(Invalid) as refusal:
            await import_text(work, csv_file, content)

        assert refusal.value.code == code

    @pytest.mark.parametrize(("system", "version"), [("", "1"), ("x" * 61, "1"), ("x", "1" * 21)])
    async def test_a_list_has_a_name_and_a_version(
        self, work: UnitOfWork, csv_file: Path, system: str, version: str
    ) -> None:
        write(csv_file, NATIONAL)
        with pytest.raises(Invalid):
            await icd.import_csv(work, csv_file, system=system, version=version)

    async def test_a_file_that_is_not_there_is_refused(self, work: UnitOfWork) -> None:
        with pytest.raises(Invalid):
            await icd.import_csv(work, Path("/nowhere.csv"), system="ICD-10 VN", version="1")


class TestCommand:
    @pytest.fixture
    def run(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Run:
        monkeypatch.setenv("TELEMED_DATABASE_URL", database_url)
        monkeypatch.setenv("TELEMED_DATA_DIR", str(tmp_path / "var"))
        monkeypatch.setenv("TELEMED_SECRET_KEY", "a-secret-for-tests-that-is-long-enough")
        return lambda *arguments: main(["icd", "import", *arguments, "--version", "06/2026"])

    def test_a_file_is_loaded_once(
        self, run: Run, csv_file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write(csv_file, NATIONAL)

        assert run(str(csv_file)) == run(str(csv_file)) == 0
        assert capsys.readouterr().out.splitlines() == [
            "ICD-10 VN 06/2026: 5 codes loaded",
            "ICD-10 VN 06/2026: nothing new",
        ]

    def test_bad_rows_are_named(
        self, run: Run, csv_file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write(csv_file, "code,title\nU13/9,x\nJ18,\n")

        assert run(str(csv_file)) == 2
        words = capsys.readouterr().err
        assert "U13/9" in words
        assert "J18" in words
