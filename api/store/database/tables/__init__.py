"""The table classes: personal data is encrypted, and searchable values are keyed hashes.

Only the store uses these classes; callers get schemas. `organisation_id` comes first in the primary
key of each owned row, so that no foreign key can point into another organisation.
"""

from api.store.database.tables.access import (
    ApiKeyRow,
    ClientKeyRow,
    ClientRow,
    ClientSecretRow,
    PractitionerRow,
    SigningKeyRow,
    UsedAssertionRow,
)
from api.store.database.tables.audit import AuditHeadRow, AuditRow, OrganisationKeyRow
from api.store.database.tables.batch import BatchChunkRow, BatchRow, WorkerRow
from api.store.database.tables.delivery import (
    AllowedPlaceRow,
    AttemptRow,
    DeliveryRow,
    DestinationRow,
    PatientMoveRow,
)
from api.store.database.tables.forms import DraftRow, FormSettingsRow, LinkRow
from api.store.database.tables.letterhead import LetterheadRow
from api.store.database.tables.owned import OrganisationRow, OwnedRow
from api.store.database.tables.screening import (
    AcknowledgementRow,
    AnsweredRow,
    EnteredInErrorRow,
    LegalHoldRow,
    ReportRow,
    ScreeningRow,
)
from api.store.database.tables.sign_in import (
    FailureRow,
    IdentityRow,
    ImportedRow,
    InvitationRow,
    RecoveryCodeRow,
    SessionRow,
    SignInRow,
)
from api.store.database.tables.trust import ClientKeySetRow, IssuerRow, UsedTokenRow

OWNED_TABLES: tuple[type[OwnedRow], ...] = (
    AcknowledgementRow,
    AllowedPlaceRow,
    AnsweredRow,
    ApiKeyRow,
    AttemptRow,
    AuditHeadRow,
    AuditRow,
    BatchChunkRow,
    BatchRow,
    ClientKeyRow,
    ClientKeySetRow,
    ClientRow,
    ClientSecretRow,
    DraftRow,
    DeliveryRow,
    DestinationRow,
    EnteredInErrorRow,
    FailureRow,
    FormSettingsRow,
    IdentityRow,
    ImportedRow,
    InvitationRow,
    IssuerRow,
    LegalHoldRow,
    LetterheadRow,
    LinkRow,
    OrganisationKeyRow,
    PatientMoveRow,
    PractitionerRow,
    RecoveryCodeRow,
    ReportRow,
    ScreeningRow,
    SessionRow,
    SignInRow,
    UsedAssertionRow,
    UsedTokenRow,
)
"""Every table whose rows belong to one organisation."""

__all__ = [
    "OWNED_TABLES",
    "AcknowledgementRow",
    "AllowedPlaceRow",
    "AnsweredRow",
    "ApiKeyRow",
    "AttemptRow",
    "AuditHeadRow",
    "AuditRow",
    "BatchChunkRow",
    "BatchRow",
    "ClientKeyRow",
    "ClientKeySetRow",
    "ClientRow",
    "ClientSecretRow",
    "DeliveryRow",
    "DestinationRow",
    "DraftRow",
    "EnteredInErrorRow",
    "FailureRow",
    "FormSettingsRow",
    "IdentityRow",
    "ImportedRow",
    "InvitationRow",
    "IssuerRow",
    "LegalHoldRow",
    "LetterheadRow",
    "LinkRow",
    "OrganisationKeyRow",
    "OrganisationRow",
    "OwnedRow",
    "PatientMoveRow",
    "PractitionerRow",
    "RecoveryCodeRow",
    "ReportRow",
    "ScreeningRow",
    "SessionRow",
    "SignInRow",
    "SigningKeyRow",
    "UsedAssertionRow",
    "UsedTokenRow",
    "WorkerRow",
]
