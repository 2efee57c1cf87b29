"""Rotations and transfer logs through pages that work without scripts."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from aiohttp import ClientResponse
from sqlmodel import select

from telemed.accounts.permissions import Actor, Role
from telemed.accounts.service import Accounts
from telemed.core.clock import FakeClock
from telemed.core.db import Database, UnitOfWork
from telemed.facilities.models import Facility
from telemed.training.models import TransferLog, TransferState
from tests.conftest import Client
from tests.factories import Factory
from tests.people import PASSWORD, code_at, give_password, give_second_factor
from tests.web.forms import faults, value_of

SignIn = Callable[[Actor], Awaitable[Client]]
SCRIPT = {"Sec-Fetch-Mode": "cors", "Accept": "application/json"}


async def logs(database: Database) -> list[TransferLog]:
    async with database.read() as work:
        return list((await work.session.exec(select(TransferLog))).all())


# --- transfer logs ---------------------------------------------------------------------------


@dataclass
class Lesson:
    """A rotated doctor who teaches, a trainee, and a session to write down."""

    teacher: Client
    trainee: Client
    station: Facility
    secret: str
    clock: FakeClock
    form: dict[str, str | list[str]]

    async def write(self, **changes: str | list[str]) -> ClientResponse:
        return await self.teacher.post("/training/sessions/new", data=self.form | changes)

    def code(self) -> str:
        self.clock.advance(timedelta(seconds=30))
        return code_at(self.secret, self.clock.now())


@pytest.fixture
async def lesson(
    work: UnitOfWork, make: Factory, accounts: Accounts, signed_in: SignIn, clock: FakeClock
) -> Lesson:
    station = await make.facility(name="Trạm Y tế Nà Tấu")
    teacher = await make.person(Role.ROTATED_DOCTOR, posted_to=station)
    trainee = await make.person(Role.COMMUNE_DOCTOR, at=station, full_name="Lường Văn Thoan")
    for person in (teacher, trainee):
        await give_password(work, accounts, person)
    secret = await give_second_factor(work, accounts, teacher)
    browsers = [await signed_in(await make.actor_of(person)) for person in (teacher, trainee)]
    form: dict[str, str | list[str]] = {
        "station": str(station.id),
        "technique_code": "18.2",
        "technique_name": "Siêu âm tim cấp cứu",
        "type": "hands_on",
        "place": "on_site",
        "day": "20/11/2026",
        "start": "08:00",
        "end": "10:30",
        "trainers": [str(teacher.id)],
        "trainees": [str(trainee.id)],
        "observed": "3",
        "assisted": "",
        "performed": "1",
        "evaluation": "Đặt đầu dò đúng",
    }
    return Lesson(browsers[0], browsers[1], station, secret, clock, form)


async def test_a_session_is_logged_signed_countersigned_and_found(
    lesson: Lesson, make: Factory, signed_in: SignIn, database: Database
) -> None:
    saved = await lesson.write()
    path = saved.url.path
    assert "Máy chủ đã nhận nhật ký, chưa ký" in await saved.text()
    assert (await lesson.trainee.get(path)).status == 404
    form = {"password": PASSWORD, "code": lesson.code(), "revision": "1"}
    signed = await lesson.teacher.post(f"{path}/sign", data=form)
    assert "Đã ký nhật ký chuyển giao" in await signed.text()
    waiting = await (await lesson.trainee.get("/training/sessions")).text()
    assert "Ký xác nhận buổi Siêu âm tim cấp cứu" in waiting
    countersigned = await lesson.trainee.post(f"{path}/sign", data={"password": PASSWORD})
    assert "Đã ký đủ" in await countersigned.text()
    trainer = await signed_in(await make.actor(Role.TRAINER))
    found = await (await trainer.get("/training/sessions?q=sieu+am&state=complete")).text()
    assert f'href="{path}"' in found
    (log,) = await logs(database)
    assert (log.state, log.observed, log.assisted) == (TransferState.COMPLETE, 3, 0)
    hours = log.ends_at - log.starts_at
    assert (hours, log.starts_at.isoformat()) == (
        timedelta(hours=2.5),
        "2026-11-20T01:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"technique_code": "29.1"}, "technique_code", "Chưa đúng dạng"),
        ({"technique_code": "18"}, "technique_code", "Chưa đúng dạng"),
        ({"technique_code": "18.٢"}, "technique_code", "Chưa đúng dạng"),
        ({"technique_code": "BS_18.12345"}, "technique_code", "Chưa đúng dạng"),
        ({"technique_name": "a"}, "technique_name", "Chưa ghi mục này"),
        ({"type": "other"}, "type", "Chọn một trong các giá trị có sẵn"),
        ({"day": "mai"}, "day", "Ngày ghi như 29/11/2026"),
        ({"start": "8"}, "start", "Giờ ghi như 07:30"),
        ({"end": "08:00"}, "end", "Giờ kết thúc phải sau giờ bắt đầu"),
        ({"end": "20:30"}, "end", "Một buổi dài nhất 12 giờ"),
        ({"day": "24/11/2026"}, "start", "Chỉ ghi buổi đã diễn ra"),
        ({"observed": "-1"}, "observed", "Phải từ 0 trở lên"),
        ({"observed": "201"}, "observed", "Phải từ 200 trở xuống"),
        ({"trainees": []}, "trainees", "Chọn ít nhất một người học của trạm"),
        ({"trainers": ["999999"]}, "trainers", "Chọn ít nhất một người dạy, khác người học"),
    ],
)
async def test_a_wrong_log_is_shown_again_as_it_was_typed(
    lesson: Lesson,
    database: Database,
    changes: dict[str, str | list[str]],
    field: str,
    sentence: str,
) -> None:
    refused = await lesson.write(**changes)
    page = await refused.text()
    assert refused.status == 422
    assert faults(page) == {field: sentence}
    assert "Đặt đầu dò đúng" in page
    assert value_of(page, "day") == (lesson.form | changes)["day"]
    assert await logs(database) == []


@pytest.mark.parametrize("code", ["1.1", "18.2", "28.9999", "BS_2.114", ""])
async def test_codes_of_the_national_list_are_taken(lesson: Lesson, code: str) -> None:
    assert (await lesson.write(technique_code=code)).status == 200


async def test_a_session_may_last_until_midnight(lesson: Lesson, database: Database) -> None:
    await lesson.write(start="22:00", end="24:00")
    (log,) = await logs(database)
    assert log.ends_at - log.starts_at == timedelta(hours=2)


async def test_a_draft_is_changed_and_a_stale_change_is_told(
    lesson: Lesson, database: Database
) -> None:
    path = (await lesson.write()).url.path
    page = await (await lesson.teacher.get(f"{path}/edit")).text()
    assert (value_of(page, "start"), value_of(page, "end")) == ("08:00", "10:30")
    revision = value_of(page, "revision") or ""
    form = lesson.form | {"revision": revision, "technique_name": "Đặt nội khí quản"}
    assert (await lesson.teacher.post(f"{path}/edit", data=form)).status == 200
    stale = await lesson.teacher.post(f"{path}/edit", data=form | {"evaluation": "Bản cũ"})
    page = await stale.text()
    assert (stale.status, list(faults(page))) == (422, ["revision"])
    assert "Bản cũ" in page
    (log,) = await logs(database)
    assert (log.technique_name, log.evaluation) == ("Đặt nội khí quản", "Đặt đầu dò đúng")


async def test_nobody_signs_a_draft_they_did_not_see(lesson: Lesson, database: Database) -> None:
    path = (await lesson.write()).url.path
    seen = value_of(await (await lesson.teacher.get(path)).text(), "revision") or ""
    form = lesson.form | {"revision": seen, "technique_name": "Đặt nội khí quản"}
    assert (await lesson.teacher.post(f"{path}/edit", data=form)).status == 200
    proof = {"password": PASSWORD, "code": lesson.code(), "revision": seen}
    refused = await lesson.teacher.post(f"{path}/sign", data=proof)
    page = await refused.text()
    assert (refused.status, list(faults(page))) == (422, ["revision"])
    assert "Đặt nội khí quản" in page
    assert value_of(page, "revision") not in {None, seen}
    (log,) = await logs(database)
    assert (log.state, log.record_uid) == (TransferState.DRAFT, None)


async def test_nobody_signs_without_showing_who_they_are(
    lesson: Lesson, database: Database
) -> None:
    path = (await lesson.write()).url.path
    for form, field in (
        ({"password": ""}, "password"),
        ({"password": "sai", "code": lesson.code()}, "password"),
        ({"password": PASSWORD, "code": "000000"}, "code"),
        ({"password": PASSWORD}, "code"),
    ):
        refused = await lesson.teacher.post(f"{path}/sign", data=form)
        assert (refused.status, list(faults(await refused.text()))) == (422, [field])
    (log,) = await logs(database)
    assert log.state is TransferState.DRAFT


async def test_a_trainee_adds_to_what_is_signed(lesson: Lesson) -> None:
    path = (await lesson.write()).url.path
    form = {"password": PASSWORD, "code": lesson.code(), "revision": "1"}
    await lesson.teacher.post(f"{path}/sign", data=form)
    addition = {"text": "Tôi chỉ <b>quan sát</b>", "reason": "Sửa số ca", "password": PASSWORD}
    page = await (await lesson.trainee.post(f"{path}/addenda", data=addition)).text()
    assert "Bản bổ sung 1" in page
    assert "Tôi chỉ &lt;b&gt;quan sát&lt;/b&gt;" in page
    assert "Lý do: Sửa số ca" in page
    empty = await lesson.trainee.post(f"{path}/addenda", data=addition | {"text": ""})
    assert list(faults(await empty.text())) == ["text"]


async def test_a_call_leads_into_the_room(lesson: Lesson) -> None:
    path = (await lesson.write()).url.path
    called = await lesson.teacher.post(f"{path}/call", allow_redirects=False)
    room = called.headers["Location"]
    assert called.status == 303
    assert re.fullmatch(r"/sessions/[\w-]{22}", room)
    assert (await lesson.trainee.get(room)).status == 200
    page = await (await lesson.teacher.get(path)).text()
    assert f'href="{room}"' in page
    assert "Qua cuộc gọi hình" in page


async def test_strangers_cannot_tell_a_log_from_none(
    lesson: Lesson, make: Factory, signed_in: SignIn
) -> None:
    path = (await lesson.write()).url.path
    stranger = await signed_in(await make.actor(Role.TRAINER))
    for method, end in (("GET", ""), ("GET", "/edit"), ("POST", "/sign"), ("POST", "/call")):
        told = []
        for place in (path, "/training/sessions/" + "x" * 22):
            form = {"password": PASSWORD} if method == "POST" else None
            answer = await stranger.request(method, place + end, data=form, headers=SCRIPT)
            told.append((answer.status, (await answer.json())["code"]))
        assert told[0] == told[1]
        assert told[0][0] in {404, 422}


@pytest.mark.parametrize(
    "query", ["before=0", f"station={2**31}", "state=odd", "code=" + "1" * 13, "q=a&q=b", "x=1"]
)
async def test_an_odd_question_is_refused_by_its_field(lesson: Lesson, query: str) -> None:
    answer = await lesson.teacher.get(f"/training/sessions?{query}", headers=SCRIPT)
    assert answer.status == 422
    assert [each["field"] for each in (await answer.json())["fields"]] == [query.partition("=")[0]]
