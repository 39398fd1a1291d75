"""Routes of the rules for HL7 messages."""

from api.inbound.routes import message_rules

ROUTERS = (message_rules.router,)
