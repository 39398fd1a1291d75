"""Tokens, keys, secrets and passwords. Keys are passed in; nothing is stored here.

access_tokens      access tokens that we issue and verify
client_assertions  assertions that clients sign to authenticate
client_secrets     client secrets and API keys
jwk_registration   public keys that clients register
signatures         the only import of python-jose in the project
"""
