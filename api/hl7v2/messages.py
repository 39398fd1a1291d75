"""Builds ORU^R01 and MDM messages of a screening, as text with CR after each segment."""

from api.hl7v2.fields import ENCODING, composed, escaped, instant, segment
from api.hl7v2.obx_segments import observations, report_obx
from api.hl7v2.person_segments import clinician, patient, visit
from api.hl7v2.screening_event import SYSTEM, Told

_MDM_TYPES = {
    "result": "MDM^T02^MDM_T02",
    "replacement": "MDM^T10^MDM_T02",
    "withdrawal": "MDM^T11^MDM_T01",
}


def message(event: Told) -> str:
    """Build the type of message that the profile's options name."""
    return oru(event) if event.options.message == "ORU" else mdm(event)


def oru(event: Told) -> str:
    """Build an ORU^R01 message with discrete results and the report.

    A corrected result keeps its filler order number and has status `C`; a result entered in error
    has status `W` and no values.
    """
    lines = [
        _build_msh(event, "ORU^R01^ORU_R01"),
        patient(event),
        visit(event),
        segment("ORC", {1: "RE", 3: event.order}),
        _build_obr(event),
        *observations(event),
    ]
    return "\r".join(lines) + "\r"


def mdm(event: Told) -> str:
    """Build MDM^T02 for a new report, T10 for a replacement, T11 for a withdrawal."""
    lines = [
        _build_msh(event, _MDM_TYPES[event.event]),
        segment("EVN", {2: instant(event.at)}),
        patient(event),
        visit(event),
        _build_txa(event),
    ]
    if event.event != "withdrawal":
        if event.report is None:
            raise ValueError("expected a report to send as a document")
        lines.append(report_obx(event, event.report, 1))
    return "\r".join(lines) + "\r"


def _build_msh(event: Told, message_type: str) -> str:
    options = event.options
    fields = {
        2: ENCODING,
        3: escaped(options.sending_application),
        4: escaped(options.sending_facility),
        5: escaped(options.receiving_application),
        6: escaped(options.receiving_facility),
        7: instant(event.at),
        9: message_type,
        10: escaped(event.control_id),
        11: "T" if event.test else "P",
        12: "2.5.1",
        18: options.character_set,
    }
    return segment("MSH", fields)


def _build_obr(event: Told) -> str:
    rulebook = event.rulebook.rulebook
    answered_on = event.screening.context.answered_on
    fields = {
        1: "1",
        3: event.order,
        4: composed(rulebook.instrument, rulebook.title, SYSTEM),
        7: answered_on.strftime("%Y%m%d") if answered_on else instant(event.observed_at),
        16: clinician(event),
        22: instant(event.at),
        24: "OTH",
        25: "F" if event.event == "result" else "C",
    }
    return segment("OBR", fields)


def _build_txa(event: Told) -> str:
    options, is_withdrawal = event.options, event.event == "withdrawal"
    fields = {
        1: "1",
        2: escaped(options.document_type),
        3: "AP",
        4: instant(event.observed_at),
        5: clinician(event),
        6: instant(event.observed_at),
        12: event.document,
        13: event.replaced_document if event.event == "replacement" else "",
        15: event.order,
        16: f"nociscreen-report.{event.report.form}" if event.report else "",
        17: escaped(options.completion),
        18: escaped(options.confidentiality),
        19: "CA" if is_withdrawal else escaped(options.availability),
    }
    return segment("TXA", fields)
