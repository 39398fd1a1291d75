"""Indexes that end in the order of their lists, by client and by screening; the line of lists."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_NEWEST_FIRST = ("created_at", "id")
_OLD = {
    "screening_by_patient": ("screening", "patient_index", "created_at"),
    "screening_by_tier": ("screening", "tier_index"),
    "delivery_by_screening": ("delivery", "screening_id"),
}
_OWNED = {
    "screening_by_patient": ("screening", "patient_index", *_NEWEST_FIRST),
    "screening_by_status": ("screening", "status_index", *_NEWEST_FIRST),
    "screening_by_tier": ("screening", "tier_index", *_NEWEST_FIRST),
    "screening_by_band": ("screening", "band_index", *_NEWEST_FIRST),
    "screening_by_rulebook": ("screening", "rulebook", *_NEWEST_FIRST),
    "delivery_by_screening": ("delivery", "screening_id", *_NEWEST_FIRST),
    "delivery_by_state": ("delivery", "state", *_NEWEST_FIRST),
    "delivery_by_destination": ("delivery", "destination_id", *_NEWEST_FIRST),
    "delivery_open": ("delivery", "destination_id", "state", "seq"),
    "notification_by_state": ("notification", "state", "changed_at"),
    "link_by_screening": ("link", "screening_id"),
    "link_by_expiry": ("link", "expires_at"),
    "imported_by_screening": ("imported", "screening_id"),
}
_BY_CLIENT = {
    "client_secret_by_client": ("client_secret", "client_id"),
    "client_key_by_client": ("client_key", "client_id", "kid"),
    "client_key_set_by_client": ("client_key_set", "client_id"),
}


def upgrade() -> None:
    """Create the indexes and the column; screenings stored before have no line."""
    op.add_column("screening", sa.Column("line", sa.LargeBinary(), nullable=True))
    for name, (table, *_) in _OLD.items():
        op.drop_index(name, table_name=table)
    for name, (table, *columns) in _OWNED.items():
        op.create_index(name, table, ["organisation_id", *columns])
    for name, (table, *columns) in _BY_CLIENT.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Drop them again; lists then open the assessments."""
    for name, (table, *_) in (_OWNED | _BY_CLIENT).items():
        op.drop_index(name, table_name=table)
    for name, (table, *columns) in _OLD.items():
        op.create_index(name, table, ["organisation_id", *columns])
    op.drop_column("screening", "line")
