"""What is typed is kept: by the buttons of the form, and by scripts."""

from __future__ import annotations

from typing import Any

import pytest

from telemed.consults import icd
from telemed.core.db import Database
from tests.web.request.desk import (
    SCRIPT,
    Desk,
    kept,
    text_of,
    value_of,
)


class TestKeeping:
    async def test_a_draft_is_resumed_as_it_was_typed(self, desk: Desk) -> None:
        typed = {"revision": "0", "reason": '  Sốt <b>"cao"</b>\n\n ', "vital_spo2": " 9 3 0 "}
        answer = await desk.browser.post(
            desk.draft, data={**typed, "act": "later"}, allow_redirects=False
        )
        assert (answer.status, answer.headers["Location"]) == (303, "/home")

        page = await (await desk.browser.get(desk.form)).text()
        assert "  Sốt &lt;b&gt;&#34;cao&#34;&lt;/b&gt;\n\n </textarea>" in page
        assert value_of(page, "vital_spo2") == " 9 3 0 "

    async def test_one_more_question_without_scripts(self, desk: Desk) -> None:
        typed = {"revision": "0", "question": ["một", "hai"], "act": "add_question"}
        page = await text_of(await desk.browser.post(desk.draft, data=typed))

        assert page.count('name="question"') == 3
        assert ">\nhai</textarea>" in page

    async def test_no_more_than_ten_questions(self, desk: Desk) -> None:
        typed = {"revision": "0", "question": ["?"] * 10, "act": "add_question"}
        page = await text_of(await desk.browser.post(desk.draft, data=typed))

        assert page.count('name="question"') == 10
        assert "Thêm câu hỏi" not in page

    async def test_a_code_is_searched_and_picked_without_scripts(
        self, desk: Desk, database: Database
    ) -> None:
        async with database.work() as work:
            await icd.load_who(work)
        typed = {"revision": "0", "icd": "lobar pneumonia", "act": "find_icd"}
        page = await text_of(await desk.browser.post(desk.draft, data=typed))

        assert "J18.1 – Lobar pneumonia, unspecified" in page
        assert "World Health Organization" in page
        picked = {"revision": "1", "icd": "lobar pneumonia", "icd_choice": "J18.1"}
        page = await text_of(await desk.browser.post(desk.draft, data=picked))
        assert value_of(page, "icd") == "J18.1"

    async def test_what_somebody_else_wrote_meanwhile_is_shown_beside_the_own_text(
        self, desk: Desk, database: Database
    ) -> None:
        await desk.browser.post(desk.draft, data={"revision": "0", "reason": "bản một"})
        answer = await desk.browser.post(desk.draft, data={"revision": "0", "reason": "bản hai"})
        page = await text_of(answer)

        assert answer.status == 409
        assert ">\nbản hai</textarea>" in page
        assert '<dd class="said">bản một</dd>' in page
        assert (await kept(database)).fields["reason"] == "bản một"

        again = {"revision": value_of(page, "revision"), "reason": "bản hai"}
        await desk.browser.post(desk.draft, data=again)
        assert (await kept(database)).fields["reason"] == "bản hai"

    @pytest.mark.parametrize("extra", ["station_id", "role", "requester_id", "state", "number"])
    async def test_what_the_form_does_not_have_is_refused(
        self, desk: Desk, database: Database, extra: str
    ) -> None:
        typed = {"revision": "0", "reason": "Sốt", extra: "1"}
        for url in (desk.draft, desk.submit):
            answer = await desk.browser.post(url, data=typed, headers=SCRIPT)
            body = await answer.json()
            assert (answer.status, [f["field"] for f in body["fields"]]) == (422, [extra])

        assert (await kept(database)).revision == 0


class TestScripts:
    async def save(self, desk: Desk, revision: int, values: Any, **headers: str) -> Any:
        body = {"revision": revision, "values": values}
        return await desk.browser.post(desk.draft, json=body, headers=SCRIPT | headers)

    async def test_a_save_says_what_the_scores_make_of_the_vital_signs(self, desk: Desk) -> None:
        values = {
            "vital_pulse": "112",
            "vital_respiration": "24",
            "vital_spo2": "93",
            "vital_systolic": "104",
            "vital_temperature": "38,6",
            "vital_consciousness": "A",
        }
        first = await (await self.save(desk, 0, values)).json()
        assert (first["triage"]["title"], first["triage"]["advice"]) == (
            "Chưa tính NEWS2",
            "còn thiếu: Thở oxy.",
        )

        values |= {"vital_oxygen": "no", "urgency": "routine"}
        second = await (await self.save(desk, 1, values)).json()
        assert (second["triage"]["title"], second["triage"]["tone"]) == ("NEWS2: 8\u00a0điểm", "e")
        assert second["triage"]["disagreement"] == (
            "Thang điểm gợi ý mức Cấp cứu, gấp hơn mức đã chọn (Thường quy). Xin xem lại."
        )

        # What cannot be read yet is as if it had not been typed.
        third = await (await self.save(desk, 2, values | {"vital_spo2": "9e3"})).json()
        assert third["triage"]["advice"] == "còn thiếu: SpO2."
        none = await (await self.save(desk, 3, {"reason": "Sốt"})).json()
        assert none["triage"] is None

    async def test_a_save_says_how_far_each_part_is(self, desk: Desk, database: Database) -> None:
        values = {"question": ["Chuyển viện?", "", "x"], "agree_consult": ["2026-01"]}
        answer = await self.save(desk, 0, {**values, "agree_teaching": [], "vital_spo2": "930"})
        body = await answer.json()

        assert answer.status == 200
        assert body["revision"] == 1
        states = {section["id"]: section["state"] for section in body["sections"]}
        assert (states["cau-hoi"], states["sinh-ton"], states["kham"], states["anh"]) == (
            "done",
            "wrong",
            "missing",
            "optional",
        )
        assert (await kept(database)).fields == {
            "question_1": "Chuyển viện?",
            "question_2": "",
            "question_3": "x",
            "agree_consult": "2026-01",
            "vital_spo2": "930",
            "allergy_seen": "not_asked",
        }

    async def test_a_conflict_carries_what_is_kept(self, desk: Desk) -> None:
        await self.save(desk, 0, {"question": ["a", ""], "reason": "bản một"})
        answer = await self.save(desk, 0, {"question": ["a", ""], "reason": "bản hai"})
        body = await answer.json()

        assert (answer.status, body["code"]) == (409, "draft_changed")
        assert body["current"] == {
            "revision": 1,
            "values": {"question": ["a", ""], "reason": "bản một"},
        }

    async def test_a_save_that_is_repeated_under_its_key_gets_the_same_answer(
        self, desk: Desk, database: Database
    ) -> None:
        key = {"Idempotency-Key": "one-save"}
        first = await (await self.save(desk, 0, {"reason": "Sốt"}, **key)).json()
        again = await (await self.save(desk, 0, {"reason": "Sốt"}, **key)).json()

        assert again == first
        assert (await kept(database)).revision == 1

    @pytest.mark.parametrize(
        ("body", "status", "field"),
        [
            (b"[]", 422, "body"),
            (b"{", 422, "body"),
            (b'{"revision": "x", "values": {}}', 422, "revision"),
            (b'{"revision": -1, "values": {}}', 422, "revision"),
            (b'{"revision": 99999999999999999999, "values": {}}', 422, "revision"),
            (b'{"revision": 0}', 422, "values"),
            (b'{"revision": 0, "values": {"reason": 1}}', 422, None),
            (b'{"revision": 0, "values": {"reason": ["a", "b"]}}', 422, "reason"),
            (b'{"revision": 0, "values": {"reason": "\\u0000"}}', 422, "values"),
            (b'{"revision": 0, "values": {"station_id": "1"}}', 422, "station_id"),
            (
                b'{"revision": 0, "values": {"question": ["?","?","?","?","?","?","?","?","?","?","?"]}}',
                422,
                "question_11",
            ),
            (b'{"revision": 0, "values": {}, "role": "specialist"}', 422, "role"),
            (b'{"revision": 0, "values": {"reason": "' + b"x" * 20_001 + b'"}}', 413, "reason"),
            (b'{"revision": 0, "values": {"reason": "' + b"x" * 600_000 + b'"}}', 413, None),
        ],
    )
    async def test_a_malformed_save_is_refused_and_nothing_is_kept(
        self, desk: Desk, database: Database, body: bytes, status: int, field: str | None
    ) -> None:
        headers = SCRIPT | {"Content-Type": "application/json"}
        answer = await desk.browser.post(desk.draft, data=body, headers=headers)
        fields = [item["field"] for item in (await answer.json()).get("fields", [])]

        assert answer.status == status
        assert field is None or fields == [field]
        assert (await kept(database)).revision == 0

    async def test_codes_are_found_by_scripts(self, desk: Desk, database: Database) -> None:
        async with database.work() as work:
            await icd.load_who(work)
        answer = await desk.browser.get("/icd?q=j181", headers=SCRIPT)
        body = await answer.json()

        assert body["codes"] == [{"code": "J18.1", "title": "Lobar pneumonia, unspecified"}]
        assert (body["system"], body["version"]) == ("ICD-10 WHO", "2019")
        assert "World Health Organization" in body["attribution"]
        too_long = await desk.browser.get(f"/icd?q={'x' * 101}", headers=SCRIPT)
        assert too_long.status == 422
