"""Validates HL7 v2 messages with two independent libraries."""

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hl7types.hl7.v2_5_1.messages import ADT_A39, MDM_T01, MDM_T02, ORU_R01

TYPES = {"ORU^R01^ORU_R01": ORU_R01, "MDM^T02^MDM_T02": MDM_T02, "MDM^T10^MDM_T02": MDM_T02,
         "MDM^T11^MDM_T01": MDM_T01, "ADT^A40^ADT_A39": ADT_A39}  # fmt: skip


def validate_message(text: str) -> None:
    """Raise if hl7apy in strict mode or hl7types finds a fault."""
    message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
    assert message.validate()
    TYPES[message.msh.msh_9.value].model_validate_er7(text)
