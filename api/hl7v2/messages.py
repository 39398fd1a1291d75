"""Messages: what is told of a screening as ORU^R01 or MDM, text with segments ended by CR."""

from api.hl7v2.fields import ENCODING, composed, escaped, instant, segment
from api.hl7v2.obx_segments import observations, report_obx
from api.hl7v2.person_segments import clinician, patient, visit
from api.hl7v2.screening_event import SYSTEM, Told

_MDM = {
    "result": "MDM^T02^MDM_T02",
    "replacement": "MDM^T10^MDM_T02",
    "withdrawal": "MDM^T11^MDM_T01",
}


def message(told: Told) -> str:
    """The message that the options ask for. An MDM of a report needs the report."""
    return oru(told) if told.options.message == "ORU" else mdm(told)


def oru(told: Told) -> str:
    """ORU^R01: the result with everything that it was computed from, discrete, and the report.

    What corrects an earlier result comes under its number, with `C`; what was entered in error
    comes with `W`, and without a value.
    """
    lines = [
        _header(told, "ORU^R01^ORU_R01"),
        patient(told),
        visit(told),
        segment("ORC", {1: "RE", 3: told.order}),
        _request(told),
        *observations(told),
    ]
    return "\r".join(lines) + "\r"


def mdm(told: Told) -> str:
    """MDM^T02 of a report, T10 of one that replaces another, T11 of one that is withdrawn."""
    lines = [
        _header(told, _MDM[told.event]),
        segment("EVN", {2: instant(told.at)}),
        patient(told),
        visit(told),
        _document(told),
    ]
    if told.event != "withdrawal":
        if told.report is None:
            raise ValueError("expected a report to send as a document")
        lines.append(report_obx(told, told.report, 1))
    return "\r".join(lines) + "\r"


def _header(told: Told, kind: str) -> str:
    options = told.options
    fields = {
        2: ENCODING,
        3: escaped(options.sending_application),
        4: escaped(options.sending_facility),
        5: escaped(options.receiving_application),
        6: escaped(options.receiving_facility),
        7: instant(told.at),
        9: kind,
        10: escaped(told.control_id),
        11: "T" if told.test else "P",
        12: "2.5.1",
        18: options.character_set,
    }
    return segment("MSH", fields)


def _request(told: Told) -> str:
    head = told.rulebook.rulebook
    observed = told.screening.context.answered_on
    fields = {
        1: "1",
        3: told.order,
        4: composed(head.instrument, head.title, SYSTEM),
        7: observed.strftime("%Y%m%d") if observed else instant(told.observed_at),
        16: clinician(told),
        22: instant(told.at),
        24: "OTH",
        25: "F" if told.event == "result" else "C",
    }
    return segment("OBR", fields)


def _document(told: Told) -> str:
    options, withdrawn = told.options, told.event == "withdrawal"
    fields = {
        1: "1",
        2: escaped(options.document_type),
        3: "AP",
        4: instant(told.observed_at),
        5: clinician(told),
        6: instant(told.observed_at),
        12: told.document,
        13: told.replaced_document if told.event == "replacement" else "",
        15: told.order,
        16: f"nociscreen-report.{told.report.form}" if told.report else "",
        17: escaped(options.completion),
        18: escaped(options.confidentiality),
        19: "CA" if withdrawn else escaped(options.availability),
    }
    return segment("TXA", fields)
