"""A request is sent once, or what is wrong is said and nothing is lost."""

from __future__ import annotations

import asyncio
import re

from sqlmodel import func, select

from telemed.consults.lifecycle import ConsultState
from telemed.consults.models import ConsultQuestion, VitalSigns
from telemed.core.db import Database
from tests.web.request.desk import (
    COMPLETE,
    SCRIPT,
    Desk,
    consult_of,
    kept,
    text_of,
    value_of,
)


class TestSending:
    async def test_a_complete_form_is_sent_and_leads_to_its_case(
        self, desk: Desk, database: Database
    ) -> None:
        answer = await desk.browser.post(desk.submit, data=COMPLETE, allow_redirects=False)

        assert (answer.status, answer.headers["Location"]) == (303, f"/consults/{desk.uid}")
        sent = await consult_of(database, desk.uid)
        assert (sent.state, sent.number) == (ConsultState.REQUESTED, "HC-2026-000001")
        assert sent.station_id == desk.station.id
        form = await desk.browser.get(desk.form, allow_redirects=False)
        assert (form.status, form.headers["Location"]) == (303, f"/consults/{desk.uid}")

    async def test_what_is_wrong_is_said_on_top_and_at_the_field_and_kept(
        self, desk: Desk, database: Database
    ) -> None:
        typed = COMPLETE | {"question": ["", ""], "vital_spo2": "930", "basis": ""}
        answer = await desk.browser.post(desk.submit, data=typed)
        page = await text_of(answer)

        assert answer.status == 422
        assert "<title>Lỗi: Yêu cầu hội chẩn – Telemed</title>" in page
        assert "Chưa gửi được – còn 3 chỗ cần sửa" in page
        for name, words in (
            ("question_1", "Ghi ít nhất một câu hỏi cho bác sĩ chuyên khoa"),
            ("vital_spo2", "SpO2 phải từ 30 đến 100\u00a0% – đang là 930"),
            ("basis", "Chọn ai đồng ý cho hội chẩn, hoặc chọn căn cứ cấp cứu"),
        ):
            assert f'<li><a href="#f-{name}">{words}</a></li>' in page
            assert re.search(rf'id="f-{name}-e">.*?<span>{re.escape(words)}</span>', page)
            assert f'id="f-{name}"' in page
        assert "Sửa xong, gửi lại" in page
        assert value_of(page, "vital_spo2") == "930"
        assert value_of(page, "revision") == "1"
        draft = await kept(database)
        assert (draft.revision, draft.fields["vital_spo2"]) == (1, "930")
        assert (await consult_of(database, desk.uid)).number is None

    async def test_danger_signs_are_kept_with_the_measurements_and_told(
        self, desk: Desk, database: Database
    ) -> None:
        ticked = {"sign_stridor": "yes", "sign_wheezing": "yes", "vital_low_target": "yes"}
        answer = await desk.browser.post(desk.submit, data=COMPLETE | ticked)
        page = await text_of(answer)

        assert answer.status == 200
        assert "Có dấu hiệu cấp cứu" in page
        assert "Dấu hiệu: Thở rít; Khò khè." in page
        assert "gấp hơn mức đã chọn (Khẩn)" in page
        async with database.read() as work:
            stored = (await work.session.exec(select(VitalSigns))).one()
        assert stored.values == {"spo2": 93, "low_target": True, "signs": ["stridor", "wheezing"]}

    async def test_a_tick_that_is_none_is_refused_at_its_box(self, desk: Desk) -> None:
        answer = await desk.browser.post(desk.submit, data=COMPLETE | {"sign_stridor": "maybe"})
        page = await text_of(answer)

        assert answer.status == 422
        assert '<a href="#f-sign_stridor">' in page

    async def test_a_corrected_form_goes_through(self, desk: Desk, database: Database) -> None:
        wrong = await desk.browser.post(desk.submit, data=COMPLETE | {"vital_spo2": "930"})
        revision = value_of(await wrong.text(), "revision")
        right = COMPLETE | {"revision": revision}
        answer = await desk.browser.post(desk.submit, data=right, allow_redirects=False)

        assert answer.status == 303
        assert (await consult_of(database, desk.uid)).state is ConsultState.REQUESTED

    async def test_nobody_is_overwritten_by_an_invalid_form_either(
        self, desk: Desk, database: Database
    ) -> None:
        await desk.browser.post(desk.draft, data={"revision": "0", "reason": "của người khác"})
        wrong = COMPLETE | {"vital_spo2": "930"}
        answer = await desk.browser.post(desk.submit, data=wrong)
        page = await text_of(answer)

        assert answer.status == 409
        assert '<dd class="said">của người khác</dd>' in page
        assert ">\nSốt 3 ngày</textarea>" in page
        assert (await kept(database)).fields["reason"] == "của người khác"

    async def test_a_form_sent_twice_is_one_request(self, desk: Desk, database: Database) -> None:
        keyed = COMPLETE | {"idempotency_key": "one-press"}
        answers = await asyncio.gather(
            *(desk.browser.post(desk.submit, data=keyed, allow_redirects=False) for _ in range(8)),
            *(
                desk.browser.post(desk.submit, data=COMPLETE, allow_redirects=False)
                for _ in range(8)
            ),
        )

        assert {(a.status, a.headers["Location"]) for a in answers} == {
            (303, f"/consults/{desk.uid}")
        }
        async with database.read() as work:
            questions = select(func.count()).select_from(ConsultQuestion)
            assert (await work.session.exec(questions)).one() == 1
        assert (await consult_of(database, desk.uid)).number == "HC-2026-000001"

    async def test_another_body_under_the_same_key_is_refused(self, desk: Desk) -> None:
        keyed = COMPLETE | {"idempotency_key": "one-press"}
        await desk.browser.post(desk.submit, data=keyed, allow_redirects=False)
        other = await desk.browser.post(
            desk.submit, data=keyed | {"reason": "khác"}, headers=SCRIPT
        )

        assert other.status == 422

    async def test_a_form_that_is_too_large_is_refused_in_words(
        self, desk: Desk, database: Database
    ) -> None:
        for size in (20_001, 600_000):
            typed = COMPLETE | {"reason": "x" * size}
            answer = await desk.browser.post(desk.submit, data=typed)
            assert answer.status == 413

        assert (await kept(database)).revision == 0

    async def test_english_pages_speak_english(self, desk: Desk) -> None:
        desk.browser.session.cookie_jar.update_cookies({"telemed_locale": "en"})
        page = await text_of(await desk.browser.get(desk.form))

        assert 'lang="en"' in page

    async def test_a_draft_is_sent_by_its_own_form_alone(
        self, desk: Desk, database: Database
    ) -> None:
        url = f"/consults/{desk.uid}/resubmit"
        answer = await desk.browser.post(url, data={"to": "internal"})

        assert answer.status == 409
        assert (await consult_of(database, desk.uid)).state is ConsultState.DRAFT

    async def test_what_was_sent_is_read_on_its_case(self, desk: Desk) -> None:
        vitals = {"vital_respiration": "24", "vital_gcs": "15", "vital_consciousness": "V"}
        sent = await desk.browser.post(desk.submit, data=COMPLETE | vitals)
        page = await text_of(await desk.browser.get(f"/consults/{desk.uid}?view=request"))

        assert sent.status == 200
        for words in ("HC-2026-000001", "Viêm phổi thùy", "Sốt 3 ngày", "Nhịp thở"):
            assert words in page
