"""Passwords are stored as hashes that are slow to guess."""

from argon2 import Type, extract_parameters

from api.security.passwords import hash_password, verify_password


def test_a_hash_is_argon2id_with_the_parameters_of_owasp():
    stored_hash = hash_password("vier Katzen tanzen Polka")
    parameters = extract_parameters(stored_hash)
    assert parameters.type is Type.ID
    assert (parameters.time_cost, parameters.parallelism) == (2, 1)
    assert parameters.memory_cost >= 19_456  # KiB, for two rounds
    assert parameters.salt_len >= 16
    assert hash_password("vier Katzen tanzen Polka") != stored_hash
    assert verify_password("vier Katzen tanzen Polka", stored_hash)
    assert not verify_password("vier Katzen tanzen polka", stored_hash)
