"""HL7 v2 validators from two independent libraries."""

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hl7types.hl7.v2_5_1.messages import ADT_A39, MDM_T01, MDM_T02, ORU_R01

TYPES = {"ORU^R01^ORU_R01": ORU_R01, "MDM^T02^MDM_T02": MDM_T02, "MDM^T10^MDM_T02": MDM_T02,
         "MDM^T11^MDM_T01": MDM_T01, "ADT^A40^ADT_A39": ADT_A39}  # fmt: skip


def checked(text: str) -> None:
    """Raises where hl7apy, being strict, or hl7types finds anything wrong."""
    parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
    assert parsed.validate()
    TYPES[parsed.msh.msh_9.value].model_validate_er7(text)
