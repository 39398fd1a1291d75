"""Builds ORU^R01 and MDM messages of a screening, as text with CR after each segment."""

from api.hl7v2.fields import (
    ENCODING_CHARACTERS,
    build_segment,
    escape_text,
    format_timestamp,
    join_components,
)
from api.hl7v2.obx_segments import build_observations, build_report_obx
from api.hl7v2.person_segments import (
    build_pid,
    build_pv1,
    encode_clinician,
    encode_order_number,
)
from api.hl7v2.screening_event import CODING_SYSTEM, ScreeningEvent

_MDM_TYPES = {
    "result": "MDM^T02^MDM_T02",
    "replacement": "MDM^T10^MDM_T02",
    "withdrawal": "MDM^T11^MDM_T01",
}
_RESTRICTED, _VERY_RESTRICTED = "R", "V"
"""Codes of tables 0177 and 0272."""


def build_message(event: ScreeningEvent) -> str:
    """Build the type of message that the profile's options name."""
    return build_oru(event) if event.options.message == "ORU" else build_mdm(event)


def build_oru(event: ScreeningEvent) -> str:
    """Build an ORU^R01 message with discrete results and the report.

    A corrected result keeps its filler order number and has status `C`; a result entered in error
    has status `W` and no values.
    """
    lines = [
        _build_msh(event, "ORU^R01^ORU_R01"),
        build_pid(event),
        build_pv1(event),
        _build_orc(event),
        _build_obr(event),
        *build_observations(event),
    ]
    return "\r".join(lines) + "\r"


def build_mdm(event: ScreeningEvent) -> str:
    """Build MDM^T02 for a new report, T10 for a replacement, T11 for a withdrawal."""
    lines = [
        _build_msh(event, _MDM_TYPES[event.kind]),
        build_segment("EVN", {2: format_timestamp(event.sent_at)}),
        build_pid(event),
        build_pv1(event),
        _build_txa(event),
    ]
    if event.kind != "withdrawal":
        if event.report is None:
            raise ValueError("expected a report to send as a document")
        lines.append(build_report_obx(event, event.report, 1))
    return "\r".join(lines) + "\r"


def _build_msh(event: ScreeningEvent, message_type: str) -> str:
    options = event.options
    fields = {
        2: ENCODING_CHARACTERS,
        3: escape_text(options.sending_application),
        4: escape_text(options.sending_facility),
        5: escape_text(options.receiving_application),
        6: escape_text(options.receiving_facility),
        7: format_timestamp(event.sent_at),
        9: message_type,
        10: escape_text(event.control_id),
        11: "T" if event.is_test else "P",
        12: "2.5.1",
        18: options.character_set,
    }
    return build_segment("MSH", fields)


def _build_orc(event: ScreeningEvent) -> str:
    """Build ORC, with the confidentiality code (table 0177) of a restricted result."""
    fields = {1: "RE", 2: encode_order_number(event), 3: event.filler_order_number}
    if event.is_confidential:
        fields[28] = join_components(_RESTRICTED, "Restricted", "HL70177")
    return build_segment("ORC", fields)


def _build_obr(event: ScreeningEvent) -> str:
    rulebook = event.rulebook.rulebook
    answered_on = event.screening.context.answered_on
    fields = {
        1: "1",
        2: encode_order_number(event),
        3: event.filler_order_number,
        4: join_components(rulebook.instrument, rulebook.title, CODING_SYSTEM),
        7: answered_on.strftime("%Y%m%d") if answered_on else format_timestamp(event.observed_at),
        16: encode_clinician(event),
        22: format_timestamp(event.sent_at),
        24: "OTH",
        25: "F" if event.kind == "result" else "C",
    }
    return build_segment("OBR", fields)


def _build_txa(event: ScreeningEvent) -> str:
    options, is_withdrawal = event.options, event.kind == "withdrawal"
    fields = {
        1: "1",
        2: escape_text(options.document_type),
        3: "AP",
        4: format_timestamp(event.observed_at),
        5: encode_clinician(event),
        6: format_timestamp(event.observed_at),
        12: event.document_number,
        13: event.replaced_document_number if event.kind == "replacement" else "",
        15: event.filler_order_number,
        16: f"nociscreen-report.{event.report.form}" if event.report else "",
        17: escape_text(options.completion),
        18: _determine_confidentiality(event),
        19: "CA" if is_withdrawal else escape_text(options.availability),
    }
    return build_segment("TXA", fields)


def _determine_confidentiality(event: ScreeningEvent) -> str:
    """Return the profile's status of documents, or restricted if confidential and not stricter."""
    status = event.options.confidentiality
    is_lower = event.is_confidential and status != _VERY_RESTRICTED
    return _RESTRICTED if is_lower else escape_text(status)
