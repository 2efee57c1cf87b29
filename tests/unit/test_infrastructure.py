"""The ground that the other tests stand on: it must be able to fail."""

from pathlib import Path

import pytest
from blockbuster import BlockingError
from sqlmodel import col, select

from telemed.accounts.permissions import Action, Role, may
from telemed.consults.lifecycle import ConsultState
from telemed.core.db import Database
from telemed.core.jobs import Job, enqueue
from tests.conftest import make_settings
from tests.factories import Factory


async def test_a_blocking_call_of_ours_on_the_event_loop_is_found(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s" * 40)
    settings = make_settings(secret_key=None, secret_key_file=secret)
    with pytest.raises(BlockingError):
        settings.signing_key()


@pytest.mark.parametrize("_round", [1, 2])
async def test_every_test_gets_an_empty_database(database: Database, _round: int) -> None:
    async with database.work() as work:
        await enqueue(work, "kind", "key", work.now())
    async with database.read() as work:
        assert (await work.session.exec(select(col(Job.key)))).all() == ["key"]


def test_both_engines_are_tested(database_url: str, request: pytest.FixtureRequest) -> None:
    assert database_url.startswith(request.node.callspec.params["database_url"])


@pytest.mark.parametrize("state", ConsultState)
async def test_a_case_of_every_state_fits_the_tables(make: Factory, state: ConsultState) -> None:
    one, other = await make.case(state), await make.case(state)
    assert one.consult.id != other.consult.id
    assert one.specialist.facility_id == other.specialist.facility_id
    assert may(one.doctor, Action.CONSULT_REQUEST)


async def test_a_rotated_doctor_has_the_patients_of_the_station(make: Factory) -> None:
    station = await make.facility()
    doctor = await make.actor(Role.ROTATED_DOCTOR, posted_to=station)
    assert doctor.station_ids == {station.id}
