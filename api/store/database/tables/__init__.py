"""The table classes: personal data is encrypted, and searchable values are keyed hashes.

Only the store uses these classes; callers get schemas. `organisation_id` comes first in the primary
key of each owned row, so that no foreign key can point into another organisation.
"""

from api.store.database.tables.access import ApiKeyRow as ApiKeyRow
from api.store.database.tables.access import ApprovalRow as ApprovalRow
from api.store.database.tables.access import CanonicalBaseRow as CanonicalBaseRow
from api.store.database.tables.access import ClientKeyRow as ClientKeyRow
from api.store.database.tables.access import ClientKeySetRow as ClientKeySetRow
from api.store.database.tables.access import ClientRow as ClientRow
from api.store.database.tables.access import ClientSecretRow as ClientSecretRow
from api.store.database.tables.access import IssuerRow as IssuerRow
from api.store.database.tables.access import PractitionerRow as PractitionerRow
from api.store.database.tables.access import RevokedTokenRow as RevokedTokenRow
from api.store.database.tables.access import SigningKeyRow as SigningKeyRow
from api.store.database.tables.access import UsedAssertionRow as UsedAssertionRow
from api.store.database.tables.access import UsedTokenRow as UsedTokenRow
from api.store.database.tables.access import WithdrawalRow as WithdrawalRow
from api.store.database.tables.batch import BatchChunkRow as BatchChunkRow
from api.store.database.tables.batch import BatchRow as BatchRow
from api.store.database.tables.batch import MappingRow as MappingRow
from api.store.database.tables.batch import WorkerRow as WorkerRow
from api.store.database.tables.delivery import AllowedPlaceRow as AllowedPlaceRow
from api.store.database.tables.delivery import AttemptRow as AttemptRow
from api.store.database.tables.delivery import DeliveryRow as DeliveryRow
from api.store.database.tables.delivery import DestinationRow as DestinationRow
from api.store.database.tables.delivery import MessageRulesRow as MessageRulesRow
from api.store.database.tables.delivery import PatientMoveRow as PatientMoveRow
from api.store.database.tables.forms import DraftAcknowledgementRow as DraftAcknowledgementRow
from api.store.database.tables.forms import DraftRow as DraftRow
from api.store.database.tables.forms import FormSettingsRow as FormSettingsRow
from api.store.database.tables.forms import LinkRow as LinkRow
from api.store.database.tables.forms import ResponseDraftRow as ResponseDraftRow
from api.store.database.tables.notification import NotificationRow as NotificationRow
from api.store.database.tables.owned import AuditHeadRow as AuditHeadRow
from api.store.database.tables.owned import AuditRow as AuditRow
from api.store.database.tables.owned import LetterheadRow as LetterheadRow
from api.store.database.tables.owned import OrganisationKeyRow as OrganisationKeyRow
from api.store.database.tables.owned import OrganisationRow as OrganisationRow
from api.store.database.tables.owned import OwnedRow as OwnedRow
from api.store.database.tables.owned import match_reference as match_reference
from api.store.database.tables.screening import AcknowledgementRow as AcknowledgementRow
from api.store.database.tables.screening import AnsweredRow as AnsweredRow
from api.store.database.tables.screening import EnteredInErrorRow as EnteredInErrorRow
from api.store.database.tables.screening import LegalHoldRow as LegalHoldRow
from api.store.database.tables.screening import ReportRow as ReportRow
from api.store.database.tables.screening import RescoringRow as RescoringRow
from api.store.database.tables.screening import ScreeningRow as ScreeningRow
from api.store.database.tables.sign_in import FailureRow as FailureRow
from api.store.database.tables.sign_in import IdentityRow as IdentityRow
from api.store.database.tables.sign_in import ImportedRow as ImportedRow
from api.store.database.tables.sign_in import InvitationRow as InvitationRow
from api.store.database.tables.sign_in import KeptFormRow as KeptFormRow
from api.store.database.tables.sign_in import RecoveryCodeRow as RecoveryCodeRow
from api.store.database.tables.sign_in import SessionRow as SessionRow
from api.store.database.tables.sign_in import SignInRow as SignInRow

OWNED_TABLES: tuple[type[OwnedRow], ...] = tuple(OwnedRow.__subclasses__())
"""Every table whose rows belong to one organisation."""
