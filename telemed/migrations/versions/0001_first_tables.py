"""The first tables: everything a new installation has."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


STATEMENTS = (
    ('sqlite', """CREATE TRIGGER audit_record_no_UPDATE BEFORE UPDATE ON audit_record
BEGIN SELECT RAISE(ABORT, 'audit_record is append-only'); END"""),
    ('sqlite', """CREATE TRIGGER audit_record_no_DELETE BEFORE DELETE ON audit_record
BEGIN SELECT RAISE(ABORT, 'audit_record is append-only'); END"""),
    ('postgresql', """CREATE OR REPLACE FUNCTION audit_record_append_only() RETURNS trigger LANGUAGE plpgsql AS
$body$ BEGIN RAISE EXCEPTION 'audit_record is append-only'; END $body$;"""),
    ('postgresql', """CREATE TRIGGER audit_record_append_only BEFORE UPDATE OR DELETE ON audit_record
FOR EACH ROW EXECUTE FUNCTION audit_record_append_only()"""),
    ('sqlite', "INSERT INTO audit_head (id, sequence, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000')"),
    ('postgresql', "INSERT INTO audit_head (id, sequence, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000')"),
    ('sqlite', """CREATE TRIGGER signature_no_UPDATE BEFORE UPDATE ON signature
BEGIN SELECT RAISE(ABORT, 'signature is append-only'); END"""),
    ('sqlite', """CREATE TRIGGER signature_no_DELETE BEFORE DELETE ON signature
BEGIN SELECT RAISE(ABORT, 'signature is append-only'); END"""),
    ('postgresql', """CREATE OR REPLACE FUNCTION signature_append_only() RETURNS trigger LANGUAGE plpgsql AS
$body$ BEGIN RAISE EXCEPTION 'signature is append-only'; END $body$;"""),
    ('postgresql', """CREATE TRIGGER signature_append_only BEFORE UPDATE OR DELETE ON signature
FOR EACH ROW EXECUTE FUNCTION signature_append_only()"""),
    ('sqlite', """CREATE TRIGGER signed_record_fixed BEFORE UPDATE ON signed_record WHEN OLD.state = 'signed'
BEGIN SELECT RAISE(ABORT, 'a signed record does not change'); END"""),
    ('sqlite', """CREATE TRIGGER signed_record_kept BEFORE DELETE ON signed_record WHEN OLD.state = 'signed'
BEGIN SELECT RAISE(ABORT, 'a signed record does not change'); END"""),
    ('postgresql', """CREATE OR REPLACE FUNCTION signed_record_fixed() RETURNS trigger LANGUAGE plpgsql AS
$body$ BEGIN RAISE EXCEPTION 'a signed record does not change'; END $body$;"""),
    ('postgresql', """CREATE TRIGGER signed_record_fixed BEFORE UPDATE OR DELETE ON signed_record
FOR EACH ROW WHEN (OLD.state = 'signed') EXECUTE FUNCTION signed_record_fixed()"""),
    ('sqlite', """CREATE VIRTUAL TABLE consult_fts USING fts5(
  search_text, content='consult', content_rowid='id', tokenize='unicode61 remove_diacritics 0')"""),
    ('sqlite', """CREATE TRIGGER consult_fts_insert AFTER INSERT ON consult BEGIN
  INSERT INTO consult_fts(rowid, search_text) VALUES (NEW.id, NEW.search_text); END"""),
    ('sqlite', """CREATE TRIGGER consult_fts_update AFTER UPDATE OF search_text ON consult BEGIN
  INSERT INTO consult_fts(consult_fts, rowid, search_text)
    VALUES ('delete', OLD.id, OLD.search_text);
  INSERT INTO consult_fts(rowid, search_text) VALUES (NEW.id, NEW.search_text); END"""),
    ('postgresql', "CREATE INDEX ix_consult_search ON consult USING gin (to_tsvector('simple', translate(search_text, '/\\-._@:+~=&?#<>*,;()[]{}|^!`', '                            ')))"),
    ('postgresql', 'CREATE EXTENSION IF NOT EXISTS btree_gist'),
    ('postgresql', """ALTER TABLE booking ADD CONSTRAINT booking_specialist_id_free EXCLUDE USING gist
(specialist_id WITH =, tstzrange(start_at, end_at) WITH &&) WHERE (state = 'booked')"""),
    ('postgresql', """ALTER TABLE booking ADD CONSTRAINT booking_patient_id_free EXCLUDE USING gist
(patient_id WITH =, tstzrange(start_at, end_at) WITH &&) WHERE (state = 'booked')"""),
    ('sqlite', """CREATE TRIGGER booking_specialist_id_INSERT_free BEFORE INSERT ON booking WHEN NEW.state = 'booked'
BEGIN SELECT RAISE(ABORT, 'booking_specialist_id_free') WHERE EXISTS (
  SELECT 1 FROM booking WHERE specialist_id = NEW.specialist_id AND state = 'booked'
  AND id IS NOT NEW.id AND start_at < NEW.end_at AND NEW.start_at < end_at); END"""),
    ('sqlite', """CREATE TRIGGER booking_specialist_id_UPDATE_free BEFORE UPDATE ON booking WHEN NEW.state = 'booked'
BEGIN SELECT RAISE(ABORT, 'booking_specialist_id_free') WHERE EXISTS (
  SELECT 1 FROM booking WHERE specialist_id = NEW.specialist_id AND state = 'booked'
  AND id IS NOT NEW.id AND start_at < NEW.end_at AND NEW.start_at < end_at); END"""),
    ('sqlite', """CREATE TRIGGER booking_patient_id_INSERT_free BEFORE INSERT ON booking WHEN NEW.state = 'booked'
BEGIN SELECT RAISE(ABORT, 'booking_patient_id_free') WHERE EXISTS (
  SELECT 1 FROM booking WHERE patient_id = NEW.patient_id AND state = 'booked'
  AND id IS NOT NEW.id AND start_at < NEW.end_at AND NEW.start_at < end_at); END"""),
    ('sqlite', """CREATE TRIGGER booking_patient_id_UPDATE_free BEFORE UPDATE ON booking WHEN NEW.state = 'booked'
BEGIN SELECT RAISE(ABORT, 'booking_patient_id_free') WHERE EXISTS (
  SELECT 1 FROM booking WHERE patient_id = NEW.patient_id AND state = 'booked'
  AND id IS NOT NEW.id AND start_at < NEW.end_at AND NEW.start_at < end_at); END"""),
)


def upgrade() -> None:
    """Create every table, then what only one engine can say."""
    op.create_table('audit_head',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_head'))
    )
    op.create_table('audit_record',
    sa.Column('sequence', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('tag', sa.Enum('account:sign_in', 'account:sign_in_refused', 'account:sign_out', 'account:login_revoke', 'account:password_set', 'account:second_factor_set', 'account:second_factor_reset', 'account:reauthenticate', 'person:create', 'person:change', 'person:activation_issue', 'facility:change', 'patient:list', 'patient:read', 'patient:create', 'patient:change', 'consent:record', 'consent:withdraw', 'consult:list', 'consult:triage', 'consult:read', 'consult:write', 'consult:transition', 'consult:message', 'file:write', 'file:read', 'session:start', 'session:join', 'session:leave', 'session:end', 'minutes:read', 'minutes:write', 'record:sign', 'record:addendum', 'record:print', 'booking:make', 'booking:cancel', 'schedule:hours', 'rotation:change', 'transfer:read', 'transfer:write', 'history:search', 'history:read', 'audit:read', 'access:refused', name='audittag', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('subject', sa.String(length=80), nullable=False),
    sa.Column('patient_id', sa.Integer(), nullable=True),
    sa.Column('request_id', sa.String(length=32), nullable=False),
    sa.Column('detail', sa.JSON(), nullable=False),
    sa.Column('previous', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_audit_record')),
    sa.UniqueConstraint('hash', name=op.f('uq_audit_record_hash'))
    )
    op.create_index(op.f('ix_audit_record_at'), 'audit_record', ['at'], unique=False)
    op.create_index(op.f('ix_audit_record_patient_id'), 'audit_record', ['patient_id'], unique=False)
    op.create_index(op.f('ix_audit_record_person_id'), 'audit_record', ['person_id'], unique=False)
    op.create_index(op.f('ix_audit_record_subject'), 'audit_record', ['subject'], unique=False)
    op.create_table('commune',
    sa.Column('code', sa.String(length=5), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('kind', sa.Enum('commune', 'ward', name='communekind', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('province_code', sa.String(length=2), nullable=False),
    sa.Column('folded_name', sa.String(length=80), nullable=False),
    sa.PrimaryKeyConstraint('code', name=op.f('pk_commune'))
    )
    op.create_index(op.f('ix_commune_folded_name'), 'commune', ['folded_name'], unique=False)
    op.create_table('event_stream',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('last_number', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_event_stream')),
    sa.UniqueConstraint('name', name=op.f('uq_event_stream_name'))
    )
    op.create_table('icd_code',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('system', sa.String(length=60), nullable=False),
    sa.Column('version', sa.String(length=20), nullable=False),
    sa.Column('code', sa.String(length=7), nullable=False),
    sa.Column('title', sa.String(length=400), nullable=False),
    sa.Column('folded_title', sa.String(length=400), nullable=False),
    sa.Column('is_usable', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_icd_code')),
    sa.UniqueConstraint('system', 'version', 'code', name=op.f('uq_icd_code_system_version_code'))
    )
    op.create_index(op.f('ix_icd_code_code'), 'icd_code', ['code'], unique=False)
    op.create_table('icd_list',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('system', sa.String(length=60), nullable=False),
    sa.Column('version', sa.String(length=20), nullable=False),
    sa.Column('attribution', sa.String(length=200), nullable=False),
    sa.Column('loaded_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_icd_list')),
    sa.UniqueConstraint('system', 'version', name=op.f('uq_icd_list_system_version'))
    )
    op.create_table('idempotency_key',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('request_hash', sa.String(length=64), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('headers', sa.JSON(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_idempotency_key')),
    sa.UniqueConstraint('person_id', 'key', name=op.f('uq_idempotency_key_person_id_key'))
    )
    op.create_index(op.f('ix_idempotency_key_at'), 'idempotency_key', ['at'], unique=False)
    op.create_table('job',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('payload', sa.JSON(), nullable=False),
    sa.Column('claimed_by', sa.String(length=22), nullable=True),
    sa.Column('claimed_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_job')),
    sa.UniqueConstraint('kind', 'key', name=op.f('uq_job_kind_key'))
    )
    op.create_index(op.f('ix_job_due_at'), 'job', ['due_at'], unique=False)
    op.create_table('signed_record',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('kind', sa.Enum('minutes', 'decision', 'transfer_log', name='recordkind', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('subject', sa.String(length=60), nullable=False),
    sa.Column('amends_id', sa.Integer(), nullable=True),
    sa.Column('state', sa.Enum('draft', 'signed', name='recordstate', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('content', sa.JSON(), nullable=False),
    sa.Column('content_hash', sa.String(length=64), nullable=True),
    sa.Column('author_id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('saved_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('fixed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['amends_id'], ['signed_record.id'], name=op.f('fk_signed_record_amends_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_signed_record')),
    sa.UniqueConstraint('uid', name=op.f('uq_signed_record_uid'))
    )
    op.create_index(op.f('ix_signed_record_amends_id'), 'signed_record', ['amends_id'], unique=False)
    op.create_index(op.f('ix_signed_record_author_id'), 'signed_record', ['author_id'], unique=False)
    op.create_index(op.f('ix_signed_record_subject'), 'signed_record', ['subject'], unique=False)
    op.create_table('specialty',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('code', sa.String(length=20), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('sort_order', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_specialty')),
    sa.UniqueConstraint('code', name=op.f('uq_specialty_code'))
    )
    op.create_table('yearly_counter',
    sa.Column('series', sa.String(length=12), nullable=False),
    sa.Column('last_number', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('series', name=op.f('pk_yearly_counter'))
    )
    op.create_table('event',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('stream_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=True),
    sa.Column('data', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['stream_id'], ['event_stream.id'], name=op.f('fk_event_stream_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_event')),
    sa.UniqueConstraint('stream_id', 'number', name=op.f('uq_event_stream_id_number'))
    )
    op.create_index(op.f('ix_event_stream_id'), 'event', ['stream_id'], unique=False)
    op.create_table('facility',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('kind', sa.Enum('station', 'hospital', 'department_of_health', name='facilitykind', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('code', sa.String(length=10), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('folded_name', sa.String(length=120), nullable=False),
    sa.Column('commune_code', sa.String(), nullable=True),
    sa.Column('phone', sa.String(length=20), nullable=False),
    sa.Column('is_active', sa.Boolean(), nullable=False),
    sa.ForeignKeyConstraint(['commune_code'], ['commune.code'], name=op.f('fk_facility_commune_code')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_facility')),
    sa.UniqueConstraint('code', name=op.f('uq_facility_code')),
    sa.UniqueConstraint('uid', name=op.f('uq_facility_uid'))
    )
    op.create_table('signature',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('record_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('signed_as', sa.String(length=30), nullable=False),
    sa.Column('method', sa.Enum('password', 'password_and_code', name='signaturemethod', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('content_hash', sa.String(length=64), nullable=False),
    sa.Column('login_session_id', sa.Integer(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['record_id'], ['signed_record.id'], name=op.f('fk_signature_record_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_signature')),
    sa.UniqueConstraint('record_id', 'person_id', 'signed_as', name=op.f('uq_signature_record_id_person_id_signed_as'))
    )
    op.create_index(op.f('ix_signature_person_id'), 'signature', ['person_id'], unique=False)
    op.create_index(op.f('ix_signature_record_id'), 'signature', ['record_id'], unique=False)
    op.create_table('department',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('facility_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.ForeignKeyConstraint(['facility_id'], ['facility.id'], name=op.f('fk_department_facility_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_department')),
    sa.UniqueConstraint('facility_id', 'name', name=op.f('uq_department_facility_id_name'))
    )
    op.create_index(op.f('ix_department_facility_id'), 'department', ['facility_id'], unique=False)
    op.create_table('person',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('sign_in_name', sa.String(length=40), nullable=False),
    sa.Column('full_name', sa.String(length=80), nullable=False),
    sa.Column('folded_name', sa.String(length=80), nullable=False),
    sa.Column('sort_key', sa.String(length=200), nullable=False),
    sa.Column('title', sa.String(length=40), nullable=False),
    sa.Column('licence_number', sa.String(length=40), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=False),
    sa.Column('facility_id', sa.Integer(), nullable=True),
    sa.Column('department_id', sa.Integer(), nullable=True),
    sa.Column('locale', sa.String(length=2), nullable=False),
    sa.Column('state', sa.Enum('invited', 'active', 'disabled', name='personstate', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('is_synthetic', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['department_id'], ['department.id'], name=op.f('fk_person_department_id')),
    sa.ForeignKeyConstraint(['facility_id'], ['facility.id'], name=op.f('fk_person_facility_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person')),
    sa.UniqueConstraint('sign_in_name', name=op.f('uq_person_sign_in_name')),
    sa.UniqueConstraint('uid', name=op.f('uq_person_uid'))
    )
    op.create_index(op.f('ix_person_facility_id'), 'person', ['facility_id'], unique=False)
    op.create_index(op.f('ix_person_folded_name'), 'person', ['folded_name'], unique=False)
    op.create_index(op.f('ix_person_sort_key'), 'person', ['sort_key'], unique=False)
    op.create_table('activation_code',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_activation_code_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_activation_code')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_activation_code_code_hash'))
    )
    op.create_index(op.f('ix_activation_code_person_id'), 'activation_code', ['person_id'], unique=False)
    op.create_table('credential',
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('password_hash', sa.String(length=200), nullable=False),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_credential_person_id')),
    sa.PrimaryKeyConstraint('person_id', name=op.f('pk_credential'))
    )
    op.create_table('login_session',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('strength', sa.Enum('password', 'full', name='loginstrength', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('idle_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('browser', sa.String(length=120), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_login_session_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_login_session')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_login_session_token_hash')),
    sa.UniqueConstraint('uid', name=op.f('uq_login_session_uid'))
    )
    op.create_index(op.f('ix_login_session_person_id'), 'login_session', ['person_id'], unique=False)
    op.create_table('patient',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('station_id', sa.Integer(), nullable=False),
    sa.Column('personal_number', sa.String(length=12), nullable=True),
    sa.Column('old_number', sa.String(length=9), nullable=True),
    sa.Column('insurance_number', sa.String(length=15), nullable=True),
    sa.Column('temporary_code', sa.String(length=30), nullable=True),
    sa.Column('temporary_reason', sa.Enum('newborn', 'foreigner', 'unknown_person', 'no_document', name='temporaryreason', native_enum=False, create_constraint=True, length=32), nullable=True),
    sa.Column('full_name', sa.String(length=100), nullable=False),
    sa.Column('folded_name', sa.String(length=100), nullable=False),
    sa.Column('sex', sa.Enum('male', 'female', 'unknown', name='sex', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('birth_date', sa.Date(), nullable=True),
    sa.Column('birth_year', sa.Integer(), nullable=False),
    sa.Column('phone', sa.String(length=12), nullable=True),
    sa.Column('ethnic_code', sa.String(length=2), nullable=True),
    sa.Column('interpreter_language', sa.String(length=40), nullable=False),
    sa.Column('commune_code', sa.String(), nullable=True),
    sa.Column('address', sa.String(length=200), nullable=False),
    sa.Column('guardian_name', sa.String(length=100), nullable=False),
    sa.Column('guardian_phone', sa.String(length=12), nullable=False),
    sa.Column('allergy_state', sa.Enum('known', 'none', 'not_asked', name='allergystate', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('allergies', sa.String(length=500), nullable=False),
    sa.Column('allergies_asked_on', sa.Date(), nullable=True),
    sa.Column('is_synthetic', sa.Boolean(), nullable=False),
    sa.Column('created_by_id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['commune_code'], ['commune.code'], name=op.f('fk_patient_commune_code')),
    sa.ForeignKeyConstraint(['created_by_id'], ['person.id'], name=op.f('fk_patient_created_by_id')),
    sa.ForeignKeyConstraint(['station_id'], ['facility.id'], name=op.f('fk_patient_station_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_patient')),
    sa.UniqueConstraint('station_id', 'personal_number', name=op.f('uq_patient_station_id_personal_number')),
    sa.UniqueConstraint('temporary_code', name=op.f('uq_patient_temporary_code')),
    sa.UniqueConstraint('uid', name=op.f('uq_patient_uid'))
    )
    op.create_index(op.f('ix_patient_folded_name'), 'patient', ['folded_name'], unique=False)
    op.create_index(op.f('ix_patient_insurance_number'), 'patient', ['insurance_number'], unique=False)
    op.create_index(op.f('ix_patient_phone'), 'patient', ['phone'], unique=False)
    op.create_index(op.f('ix_patient_station_id'), 'patient', ['station_id'], unique=False)
    op.create_table('person_role',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('role', sa.Enum('commune_doctor', 'specialist', 'rotated_doctor', 'trainer', 'coordinator', 'administrator', name='role', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_person_role_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person_role')),
    sa.UniqueConstraint('person_id', 'role', name=op.f('uq_person_role_person_id_role'))
    )
    op.create_index(op.f('ix_person_role_person_id'), 'person_role', ['person_id'], unique=False)
    op.create_table('person_specialty',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('specialty_id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_person_specialty_person_id')),
    sa.ForeignKeyConstraint(['specialty_id'], ['specialty.id'], name=op.f('fk_person_specialty_specialty_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person_specialty')),
    sa.UniqueConstraint('person_id', 'specialty_id', name=op.f('uq_person_specialty_person_id_specialty_id'))
    )
    op.create_index(op.f('ix_person_specialty_person_id'), 'person_specialty', ['person_id'], unique=False)
    op.create_index(op.f('ix_person_specialty_specialty_id'), 'person_specialty', ['specialty_id'], unique=False)
    op.create_table('posting',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('facility_id', sa.Integer(), nullable=False),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=False),
    sa.ForeignKeyConstraint(['facility_id'], ['facility.id'], name=op.f('fk_posting_facility_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_posting_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_posting'))
    )
    op.create_index(op.f('ix_posting_facility_id'), 'posting', ['facility_id'], unique=False)
    op.create_index(op.f('ix_posting_person_id'), 'posting', ['person_id'], unique=False)
    op.create_table('second_factor',
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('secret_encrypted', sa.String(length=200), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_step', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_second_factor_person_id')),
    sa.PrimaryKeyConstraint('person_id', name=op.f('pk_second_factor'))
    )
    op.create_table('weekly_hours',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('weekday', sa.Integer(), nullable=False),
    sa.Column('start_minute', sa.Integer(), nullable=False),
    sa.Column('end_minute', sa.Integer(), nullable=False),
    sa.Column('slot_minutes', sa.Integer(), nullable=False),
    sa.CheckConstraint('start_minute < end_minute', name=op.f('ck_weekly_hours_order')),
    sa.CheckConstraint('weekday BETWEEN 0 AND 6', name=op.f('ck_weekly_hours_weekday')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_weekly_hours_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_weekly_hours'))
    )
    op.create_index(op.f('ix_weekly_hours_person_id'), 'weekly_hours', ['person_id'], unique=False)
    op.create_table('consent',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('patient_id', sa.Integer(), nullable=False),
    sa.Column('consult_uid', sa.String(length=22), nullable=True),
    sa.Column('purpose', sa.Enum('consult', 'recording', 'teaching', name='consentpurpose', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('is_granted', sa.Boolean(), nullable=False),
    sa.Column('given_by', sa.Enum('patient', 'guardian', 'emergency', name='consentgiver', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('giver_name', sa.String(length=100), nullable=False),
    sa.Column('text_version', sa.String(length=20), nullable=False),
    sa.Column('language', sa.String(length=20), nullable=False),
    sa.Column('interpreter', sa.String(length=100), nullable=False),
    sa.Column('recorded_by_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['patient_id'], ['patient.id'], name=op.f('fk_consent_patient_id')),
    sa.ForeignKeyConstraint(['recorded_by_id'], ['person.id'], name=op.f('fk_consent_recorded_by_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_consent'))
    )
    op.create_index(op.f('ix_consent_consult_uid'), 'consent', ['consult_uid'], unique=False)
    op.create_index(op.f('ix_consent_patient_id'), 'consent', ['patient_id'], unique=False)
    op.create_table('consult',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=True),
    sa.Column('station_id', sa.Integer(), nullable=False),
    sa.Column('requester_id', sa.Integer(), nullable=False),
    sa.Column('patient_id', sa.Integer(), nullable=False),
    sa.Column('specialty_id', sa.Integer(), nullable=True),
    sa.Column('named_id', sa.Integer(), nullable=True),
    sa.Column('assigned_id', sa.Integer(), nullable=True),
    sa.Column('state', sa.Enum('draft', 'requested', 'needs_info', 'accepted', 'scheduled', 'in_session', 'paused', 'answered', 'closed', 'declined', 'cancelled', 'expired', name='consultstate', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('urgency', sa.Enum('emergency', 'urgent', 'routine', name='urgency', native_enum=False, create_constraint=True, length=32), nullable=True),
    sa.Column('rank', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(length=4000), nullable=False),
    sa.Column('history', sa.String(length=8000), nullable=False),
    sa.Column('examination', sa.String(length=8000), nullable=False),
    sa.Column('medication', sa.String(length=4000), nullable=False),
    sa.Column('treatment', sa.String(length=4000), nullable=False),
    sa.Column('transfer_possible', sa.Boolean(), nullable=True),
    sa.Column('diagnosis', sa.String(length=500), nullable=False),
    sa.Column('icd_code', sa.String(length=7), nullable=True),
    sa.Column('icd_system', sa.String(length=60), nullable=True),
    sa.Column('icd_version', sa.String(length=20), nullable=True),
    sa.Column('remote_mode', sa.Enum('facility_support', name='remotemode', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('legal_basis', sa.Enum('consent', 'guardian_consent', 'emergency', name='legalbasis', native_enum=False, create_constraint=True, length=32), nullable=True),
    sa.Column('patient_age_years', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('requested_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('accepted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('follow_up_on', sa.String(length=10), nullable=True),
    sa.Column('state_reason', sa.String(length=500), nullable=False),
    sa.Column('search_text', sa.String(), nullable=False),
    sa.Column('is_synthetic', sa.Boolean(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['assigned_id'], ['person.id'], name=op.f('fk_consult_assigned_id')),
    sa.ForeignKeyConstraint(['named_id'], ['person.id'], name=op.f('fk_consult_named_id')),
    sa.ForeignKeyConstraint(['patient_id'], ['patient.id'], name=op.f('fk_consult_patient_id')),
    sa.ForeignKeyConstraint(['requester_id'], ['person.id'], name=op.f('fk_consult_requester_id')),
    sa.ForeignKeyConstraint(['specialty_id'], ['specialty.id'], name=op.f('fk_consult_specialty_id')),
    sa.ForeignKeyConstraint(['station_id'], ['facility.id'], name=op.f('fk_consult_station_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_consult')),
    sa.UniqueConstraint('number', name=op.f('uq_consult_number')),
    sa.UniqueConstraint('uid', name=op.f('uq_consult_uid'))
    )
    op.create_index('ix_consult_assigned', 'consult', ['assigned_id', 'id'], unique=False)
    op.create_index('ix_consult_assigned_state', 'consult', ['assigned_id', 'state', 'rank'], unique=False)
    op.create_index(op.f('ix_consult_icd_code'), 'consult', ['icd_code'], unique=False)
    op.create_index('ix_consult_named', 'consult', ['named_id', 'state'], unique=False)
    op.create_index(op.f('ix_consult_patient_id'), 'consult', ['patient_id'], unique=False)
    op.create_index(op.f('ix_consult_requester_id'), 'consult', ['requester_id'], unique=False)
    op.create_index('ix_consult_station', 'consult', ['station_id', 'id'], unique=False)
    op.create_index('ix_consult_station_state', 'consult', ['station_id', 'state', 'rank'], unique=False)
    op.create_index('ix_consult_worklist', 'consult', ['state', 'specialty_id', 'rank', 'due_at'], unique=False)
    op.create_table('rotation',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('decision_number', sa.String(length=40), nullable=False),
    sa.Column('decision_date', sa.Date(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('home_unit_id', sa.Integer(), nullable=False),
    sa.Column('station_id', sa.Integer(), nullable=False),
    sa.Column('specialty_id', sa.Integer(), nullable=True),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=False),
    sa.Column('tasks', sa.String(length=2000), nullable=False),
    sa.Column('posting_id', sa.Integer(), nullable=True),
    sa.Column('created_by_id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.CheckConstraint('starts_on <= ends_on', name=op.f('ck_rotation_order')),
    sa.ForeignKeyConstraint(['created_by_id'], ['person.id'], name=op.f('fk_rotation_created_by_id')),
    sa.ForeignKeyConstraint(['home_unit_id'], ['facility.id'], name=op.f('fk_rotation_home_unit_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_rotation_person_id')),
    sa.ForeignKeyConstraint(['posting_id'], ['posting.id'], name=op.f('fk_rotation_posting_id')),
    sa.ForeignKeyConstraint(['specialty_id'], ['specialty.id'], name=op.f('fk_rotation_specialty_id')),
    sa.ForeignKeyConstraint(['station_id'], ['facility.id'], name=op.f('fk_rotation_station_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rotation')),
    sa.UniqueConstraint('uid', name=op.f('uq_rotation_uid'))
    )
    op.create_index(op.f('ix_rotation_person_id'), 'rotation', ['person_id'], unique=False)
    op.create_index(op.f('ix_rotation_station_id'), 'rotation', ['station_id'], unique=False)
    op.create_table('booking',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('consult_id', sa.Integer(), nullable=False),
    sa.Column('specialist_id', sa.Integer(), nullable=False),
    sa.Column('patient_id', sa.Integer(), nullable=False),
    sa.Column('station_id', sa.Integer(), nullable=False),
    sa.Column('start_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('end_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('state', sa.Enum('booked', 'cancelled', name='bookingstate', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('booked_by_id', sa.Integer(), nullable=False),
    sa.Column('cancelled_by_id', sa.Integer(), nullable=True),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('start_at < end_at', name=op.f('ck_booking_order')),
    sa.ForeignKeyConstraint(['booked_by_id'], ['person.id'], name=op.f('fk_booking_booked_by_id')),
    sa.ForeignKeyConstraint(['cancelled_by_id'], ['person.id'], name=op.f('fk_booking_cancelled_by_id')),
    sa.ForeignKeyConstraint(['consult_id'], ['consult.id'], name=op.f('fk_booking_consult_id')),
    sa.ForeignKeyConstraint(['patient_id'], ['patient.id'], name=op.f('fk_booking_patient_id')),
    sa.ForeignKeyConstraint(['specialist_id'], ['person.id'], name=op.f('fk_booking_specialist_id')),
    sa.ForeignKeyConstraint(['station_id'], ['facility.id'], name=op.f('fk_booking_station_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_booking')),
    sa.UniqueConstraint('uid', name=op.f('uq_booking_uid'))
    )
    op.create_index(op.f('ix_booking_consult_id'), 'booking', ['consult_id'], unique=False)
    op.create_index(op.f('ix_booking_patient_id'), 'booking', ['patient_id'], unique=False)
    op.create_index(op.f('ix_booking_specialist_id'), 'booking', ['specialist_id'], unique=False)
    op.create_index(op.f('ix_booking_start_at'), 'booking', ['start_at'], unique=False)
    op.create_index(op.f('ix_booking_station_id'), 'booking', ['station_id'], unique=False)
    op.create_table('consult_draft',
    sa.Column('consult_id', sa.Integer(), nullable=False),
    sa.Column('fields', sa.JSON(), nullable=False),
    sa.Column('saved_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['consult_id'], ['consult.id'], name=op.f('fk_consult_draft_consult_id')),
    sa.PrimaryKeyConstraint('consult_id', name=op.f('pk_consult_draft'))
    )
    op.create_table('consult_question',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('consult_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('text', sa.String(length=1000), nullable=False),
    sa.ForeignKeyConstraint(['consult_id'], ['consult.id'], name=op.f('fk_consult_question_consult_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_consult_question')),
    sa.UniqueConstraint('consult_id', 'number', name=op.f('uq_consult_question_consult_id_number'))
    )
    op.create_index(op.f('ix_consult_question_consult_id'), 'consult_question', ['consult_id'], unique=False)
    op.create_table('live_session',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('kind', sa.Enum('consultation', 'technical_transfer', name='sessionkind', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('consult_id', sa.Integer(), nullable=True),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('station_id', sa.Integer(), nullable=True),
    sa.Column('state', sa.Enum('ringing', 'live', 'idle', 'ended', name='sessionstate', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('opened_by_id', sa.Integer(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('met_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['consult_id'], ['consult.id'], name=op.f('fk_live_session_consult_id')),
    sa.ForeignKeyConstraint(['opened_by_id'], ['person.id'], name=op.f('fk_live_session_opened_by_id')),
    sa.ForeignKeyConstraint(['station_id'], ['facility.id'], name=op.f('fk_live_session_station_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_live_session')),
    sa.UniqueConstraint('uid', name=op.f('uq_live_session_uid'))
    )
    op.create_index(op.f('ix_live_session_consult_id'), 'live_session', ['consult_id'], unique=False)
    op.create_index(op.f('ix_live_session_station_id'), 'live_session', ['station_id'], unique=False)
    op.create_table('message',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('consult_id', sa.Integer(), nullable=False),
    sa.Column('author_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Enum('talk', 'question', 'answer', name='messagekind', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('text', sa.String(length=4000), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['author_id'], ['person.id'], name=op.f('fk_message_author_id')),
    sa.ForeignKeyConstraint(['consult_id'], ['consult.id'], name=op.f('fk_message_consult_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_message')),
    sa.UniqueConstraint('uid', name=op.f('uq_message_uid'))
    )
    op.create_index(op.f('ix_message_consult_id'), 'message', ['consult_id'], unique=False)
    op.create_table('read_mark',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('consult_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('message_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['consult_id'], ['consult.id'], name=op.f('fk_read_mark_consult_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_read_mark_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_read_mark')),
    sa.UniqueConstraint('consult_id', 'person_id', name=op.f('uq_read_mark_consult_id_person_id'))
    )
    op.create_index(op.f('ix_read_mark_consult_id'), 'read_mark', ['consult_id'], unique=False)
    op.create_index(op.f('ix_read_mark_person_id'), 'read_mark', ['person_id'], unique=False)
    op.create_table('stored_file',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('consult_id', sa.Integer(), nullable=False),
    sa.Column('patient_id', sa.Integer(), nullable=False),
    sa.Column('station_id', sa.Integer(), nullable=False),
    sa.Column('uploaded_by_id', sa.Integer(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('size_bytes', sa.Integer(), nullable=False),
    sa.Column('media_type', sa.String(length=60), nullable=False),
    sa.Column('original_name', sa.String(length=200), nullable=False),
    sa.Column('caption', sa.String(length=200), nullable=False),
    sa.Column('state', sa.Enum('received', 'ready', 'unreadable', name='filestate', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('preview_sha256', sa.String(length=64), nullable=True),
    sa.Column('width', sa.Integer(), nullable=True),
    sa.Column('height', sa.Integer(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['consult_id'], ['consult.id'], name=op.f('fk_stored_file_consult_id')),
    sa.ForeignKeyConstraint(['patient_id'], ['patient.id'], name=op.f('fk_stored_file_patient_id')),
    sa.ForeignKeyConstraint(['station_id'], ['facility.id'], name=op.f('fk_stored_file_station_id')),
    sa.ForeignKeyConstraint(['uploaded_by_id'], ['person.id'], name=op.f('fk_stored_file_uploaded_by_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_stored_file')),
    sa.UniqueConstraint('consult_id', 'sha256', name=op.f('uq_stored_file_consult_id_sha256')),
    sa.UniqueConstraint('uid', name=op.f('uq_stored_file_uid'))
    )
    op.create_index(op.f('ix_stored_file_consult_id'), 'stored_file', ['consult_id'], unique=False)
    op.create_index(op.f('ix_stored_file_patient_id'), 'stored_file', ['patient_id'], unique=False)
    op.create_index(op.f('ix_stored_file_sha256'), 'stored_file', ['sha256'], unique=False)
    op.create_index(op.f('ix_stored_file_station_id'), 'stored_file', ['station_id'], unique=False)
    op.create_table('vital_signs',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('consult_id', sa.Integer(), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('values', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['consult_id'], ['consult.id'], name=op.f('fk_vital_signs_consult_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_vital_signs'))
    )
    op.create_index(op.f('ix_vital_signs_consult_id'), 'vital_signs', ['consult_id'], unique=False)
    op.create_table('participant',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('session_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('role', sa.Enum('requester', 'specialist', 'trainer', 'trainee', 'guest', name='participantrole', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('invited_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ring_ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_participant_person_id')),
    sa.ForeignKeyConstraint(['session_id'], ['live_session.id'], name=op.f('fk_participant_session_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_participant')),
    sa.UniqueConstraint('session_id', 'person_id', name=op.f('uq_participant_session_id_person_id')),
    sa.UniqueConstraint('uid', name=op.f('uq_participant_uid'))
    )
    op.create_index(op.f('ix_participant_person_id'), 'participant', ['person_id'], unique=False)
    op.create_index(op.f('ix_participant_session_id'), 'participant', ['session_id'], unique=False)
    op.create_table('transfer_log',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uid', sa.String(length=22), nullable=False),
    sa.Column('record_uid', sa.String(length=22), nullable=True),
    sa.Column('author_id', sa.Integer(), nullable=False),
    sa.Column('station_id', sa.Integer(), nullable=False),
    sa.Column('session_id', sa.Integer(), nullable=True),
    sa.Column('technique_code', sa.String(length=12), nullable=False),
    sa.Column('technique_name', sa.String(length=200), nullable=False),
    sa.Column('type', sa.Enum('theory', 'demonstration', 'hands_on', 'tele_guided', name='transfertype', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('place', sa.Enum('on_site', 'live_session', name='transferplace', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('observed', sa.Integer(), nullable=False),
    sa.Column('assisted', sa.Integer(), nullable=False),
    sa.Column('performed', sa.Integer(), nullable=False),
    sa.Column('evaluation', sa.String(length=2000), nullable=False),
    sa.Column('incidents', sa.String(length=2000), nullable=False),
    sa.Column('state', sa.Enum('draft', 'submitted', 'complete', name='transferstate', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('search_text', sa.String(), nullable=False),
    sa.Column('is_synthetic', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['author_id'], ['person.id'], name=op.f('fk_transfer_log_author_id')),
    sa.ForeignKeyConstraint(['session_id'], ['live_session.id'], name=op.f('fk_transfer_log_session_id')),
    sa.ForeignKeyConstraint(['station_id'], ['facility.id'], name=op.f('fk_transfer_log_station_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transfer_log')),
    sa.UniqueConstraint('record_uid', name=op.f('uq_transfer_log_record_uid')),
    sa.UniqueConstraint('uid', name=op.f('uq_transfer_log_uid'))
    )
    op.create_index(op.f('ix_transfer_log_author_id'), 'transfer_log', ['author_id'], unique=False)
    op.create_index(op.f('ix_transfer_log_starts_at'), 'transfer_log', ['starts_at'], unique=False)
    op.create_index(op.f('ix_transfer_log_station_id'), 'transfer_log', ['station_id'], unique=False)
    op.create_index(op.f('ix_transfer_log_technique_code'), 'transfer_log', ['technique_code'], unique=False)
    op.create_table('attendance',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('participant_id', sa.Integer(), nullable=False),
    sa.Column('joined_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('left_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('leave_reason', sa.Enum('left', 'rejoined', 'link_lost', 'session_ended', 'revoked', name='leavereason', native_enum=False, create_constraint=True, length=32), nullable=True),
    sa.ForeignKeyConstraint(['participant_id'], ['participant.id'], name=op.f('fk_attendance_participant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attendance'))
    )
    op.create_index(op.f('ix_attendance_participant_id'), 'attendance', ['participant_id'], unique=False)
    op.create_table('transfer_member',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('log_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('part', sa.Enum('trainer', 'trainee', name='transferpart', native_enum=False, create_constraint=True, length=32), nullable=False),
    sa.Column('signed_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['log_id'], ['transfer_log.id'], name=op.f('fk_transfer_member_log_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_transfer_member_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_transfer_member')),
    sa.UniqueConstraint('log_id', 'person_id', 'part', name=op.f('uq_transfer_member_log_id_person_id_part'))
    )
    op.create_index(op.f('ix_transfer_member_log_id'), 'transfer_member', ['log_id'], unique=False)
    op.create_index(op.f('ix_transfer_member_person_id'), 'transfer_member', ['person_id'], unique=False)
    dialect = op.get_context().dialect.name
    for engine, statement in STATEMENTS:
        if engine == dialect:
            op.execute(statement)

