"""Who calls, and how it is proved. Keys come in by value or by a callable; nothing is stored here.

access        the tokens that we sign and take
assertions    the tokens that clients sign to sign in
credentials   client secrets and API keys
registration  the public keys that clients register
signatures    the only import of python-jose in the project
"""
