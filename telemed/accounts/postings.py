"""Days on which somebody works at another facility; their rights there follow from it."""

from __future__ import annotations

from datetime import date

from telemed.accounts.models import Posting
from telemed.core.db import UnitOfWork


async def post(
    work: UnitOfWork,
    *,
    person_id: int,
    facility_id: int,
    starts_on: date,
    ends_on: date,
    posting_id: int | None = None,
) -> Posting:
    """A new posting, or other days or another place for one that exists."""
    posting = await work.session.get(Posting, posting_id) if posting_id else None
    if posting is None:
        posting = Posting(
            person_id=person_id, facility_id=facility_id, starts_on=starts_on, ends_on=ends_on
        )
    posting.person_id, posting.facility_id = person_id, facility_id
    posting.starts_on, posting.ends_on = starts_on, ends_on
    work.session.add(posting)
    await work.session.flush()
    return posting


async def withdraw(work: UnitOfWork, posting_id: int | None) -> None:
    """The posting was none: its rights have never been."""
    posting = await work.session.get(Posting, posting_id) if posting_id else None
    if posting is not None:
        await work.session.delete(posting)
        await work.session.flush()
