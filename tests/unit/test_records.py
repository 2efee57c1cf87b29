"""Signed records: drafts with revisions, then content that nothing and nobody changes."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from telemed.accounts.permissions import Actor, Role
from telemed.core import records
from telemed.core.audit import AuditRecord, AuditTag
from telemed.core.db import Database, UnitOfWork
from telemed.core.errors import Conflict, Missing, TelemedError
from telemed.core.records import (
    RecordKind,
    RecordState,
    Signature,
    SignatureMethod,
    SignedRecord,
    content_hash,
    is_intact,
)
from tests.factories import Factory

SUBJECT = "consult:" + "x" * 22
HANDS = 50
BY_PASSWORD = SignatureMethod.PASSWORD


@pytest.fixture
async def author(make: Factory) -> Actor:
    return await make.actor(Role.SPECIALIST)


@pytest.fixture
async def draft(work: UnitOfWork, author: Actor) -> SignedRecord:
    return await write(work, author, {"advice": "Thở oxy 2 l/phút"})


async def write(work: UnitOfWork, author: Actor, content: dict[str, str]) -> SignedRecord:
    return await records.create_draft(work, RecordKind.MINUTES, SUBJECT, author, content)


async def sign(
    work: UnitOfWork, record: SignedRecord, signer: Actor, signed_as: str = "chair"
) -> Signature:
    return await records.sign(work, record, signer, signed_as=signed_as, method=BY_PASSWORD)


async def reread(database: Database, record: SignedRecord) -> SignedRecord:
    async with database.read() as work:
        return await records.get_record(work, record.uid)


async def test_a_draft_is_replaced_over_the_revision_that_was_read(
    work: UnitOfWork, draft: SignedRecord
) -> None:
    first = draft.revision
    saved = await records.save_draft(work, draft, {"advice": "Khác"}, revision=first)
    assert saved.revision == first + 1
    with pytest.raises(Conflict) as refusal:
        await records.save_draft(work, saved, {"advice": "Viết đè"}, revision=first)
    assert refusal.value.code == "draft_changed"
    assert saved.content == {"advice": "Khác"}


async def test_of_fifty_saves_over_one_revision_one_wins(database: Database) -> None:
    async with database.work() as work:
        draft = await write(work, await Factory(work).actor(Role.SPECIALIST), {"advice": ""})
        revision = draft.revision

    async def save(number: int) -> str:
        try:
            async with database.work() as work:
                record = await records.get_record(work, draft.uid)
                content = {"advice": str(number)}
                await records.save_draft(work, record, content, revision=revision)
        except TelemedError as refusal:
            return refusal.code
        return str(number)

    outcomes = await asyncio.gather(*(save(number) for number in range(HANDS)))
    winners = [outcome for outcome in outcomes if outcome.isdigit()]
    assert set(outcomes) - set(winners) <= {"draft_changed", "changed_meanwhile"}
    assert len(winners) == 1
    assert (await reread(database, draft)).content == {"advice": winners[0]}


async def test_the_first_signature_fixes_the_content_and_names_its_hash(
    work: UnitOfWork, draft: SignedRecord, author: Actor
) -> None:
    signature = await sign(work, draft, author)
    assert draft.state is RecordState.SIGNED
    assert draft.fixed_at == signature.at == work.now()
    assert draft.content_hash == signature.content_hash == content_hash(draft.content)
    with pytest.raises(Conflict) as refusal:
        await records.save_draft(work, draft, {"advice": "Khác"}, revision=draft.revision)
    assert refusal.value.code == "record_signed"


async def test_a_second_person_signs_the_same_content_and_nobody_twice(
    work: UnitOfWork, make: Factory, draft: SignedRecord, author: Actor
) -> None:
    other = await make.actor(Role.COMMUNE_DOCTOR)
    await sign(work, draft, author)
    await sign(work, draft, other, "secretary")
    with pytest.raises(Conflict) as refusal:
        await sign(work, draft, other, "secretary")
    signatures = await records.list_signatures(work, draft)
    assert refusal.value.code == "signed_already"
    assert [(each.person_id, each.signed_as) for each in signatures] == [
        (author.id, "chair"),
        (other.id, "secretary"),
    ]
    assert is_intact(draft, signatures)


async def test_a_signature_is_on_record(
    work: UnitOfWork, draft: SignedRecord, author: Actor
) -> None:
    await sign(work, draft, author)
    await work.commit()
    (record,) = (await work.session.exec(select(AuditRecord))).all()
    assert (record.tag, record.person_id, record.subject) == (
        AuditTag.RECORD_SIGN,
        author.id,
        SUBJECT,
    )
    assert record.detail == {"record": draft.uid, "as_": "chair"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE signed_record SET content = '{}'",
        "UPDATE signed_record SET state = 'draft'",
        "UPDATE signed_record SET author_id = 1 + author_id",
        "DELETE FROM signed_record",
        "UPDATE signature SET person_id = 1 + person_id",
        "DELETE FROM signature",
    ],
)
async def test_the_database_itself_refuses_to_change_what_is_signed(
    database: Database, work: UnitOfWork, draft: SignedRecord, author: Actor, statement: str
) -> None:
    await sign(work, draft, author)
    await work.commit()
    async with database.engine.connect() as connection:
        with pytest.raises(DBAPIError, match=r"does not change|append-only"):
            await connection.execute(text(statement))
    async with database.read() as fresh:
        record = await records.get_record(fresh, draft.uid)
        signatures = await records.list_signatures(fresh, record)
    assert is_intact(record, signatures)
    assert len(signatures) == 1


async def test_a_draft_may_be_thrown_away(
    database: Database, work: UnitOfWork, draft: SignedRecord
) -> None:
    await work.session.delete(draft)
    await work.commit()
    with pytest.raises(Missing):
        await reread(database, draft)


async def test_an_addendum_is_a_record_of_its_own(
    work: UnitOfWork, draft: SignedRecord, author: Actor
) -> None:
    with pytest.raises(Conflict) as refusal:
        await records.create_draft(
            work, RecordKind.MINUTES, SUBJECT, author, {"text": "Thêm"}, amends=draft
        )
    await sign(work, draft, author)
    before = (draft.content, draft.content_hash)
    added = []
    for words in ("Thêm một", "Thêm hai"):
        addendum = await records.create_draft(
            work, RecordKind.MINUTES, SUBJECT, author, {"text": words}, amends=draft
        )
        await sign(work, addendum, author)
        added.append(addendum)
    assert refusal.value.code == "record_not_signed"
    assert await records.list_addenda(work, draft) == added
    assert await records.find_record(work, RecordKind.MINUTES, SUBJECT) is draft
    assert (draft.content, draft.content_hash) == before


async def test_a_record_is_found_by_kind_and_subject(work: UnitOfWork, draft: SignedRecord) -> None:
    find = records.find_record
    assert await find(work, RecordKind.MINUTES, SUBJECT) is draft
    assert await find(work, RecordKind.DECISION, SUBJECT) is None
    assert await find(work, RecordKind.MINUTES, "consult:other") is None


@pytest.mark.parametrize("damage", ["content", "content_hash", "signature"])
async def test_a_change_behind_the_back_of_the_database_is_found(
    work: UnitOfWork, draft: SignedRecord, author: Actor, damage: str
) -> None:
    signature = await sign(work, draft, author)
    await work.commit()
    work.session.expunge_all()
    changes: dict[str, object] = {
        "content": {"advice": "Thở oxy 20 l/phút"},
        "content_hash": content_hash({"advice": "Thở oxy 20 l/phút"}),
    }
    victim = signature if damage == "signature" else draft
    setattr(victim, damage if victim is draft else "content_hash", changes.get(damage, "0" * 64))
    assert not is_intact(draft, [signature])


async def test_damaged_content_is_not_signed_again(
    work: UnitOfWork, make: Factory, draft: SignedRecord, author: Actor
) -> None:
    await sign(work, draft, author)
    await work.commit()
    work.session.expunge(draft)
    draft.content = {"advice": "Khác"}
    with pytest.raises(Conflict) as refusal:
        await sign(work, draft, await make.actor(Role.COMMUNE_DOCTOR), "secretary")
    assert refusal.value.code == "record_damaged"


async def test_the_hash_does_not_depend_on_the_order_of_fields_or_on_storage(
    database: Database, work: UnitOfWork, author: Actor
) -> None:
    content = {"b": "Đỗ Thị “Mỷ”\n", "a": {"y": None, "x": [1, "½"]}}
    record = await records.create_draft(work, RecordKind.MINUTES, SUBJECT, author, content)
    await sign(work, record, author)
    await work.commit()
    stored = await reread(database, record)
    assert stored.content_hash == content_hash({"a": {"x": [1, "½"], "y": None}, "b": content["b"]})
    async with database.read() as fresh:
        query = select(Signature).where(col(Signature.record_id) == stored.id)
        assert is_intact(stored, list(await fresh.session.exec(query)))
