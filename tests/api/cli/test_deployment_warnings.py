"""What is unsafe about a deployment is said in one line for each point; nothing else is."""

import pytest

from api.cli.deployment_warnings import list_deployment_warnings
from api.settings import Settings

HTTPS = {"public_url": "https://screening.example.org"}
PROXY = {"trusted_proxies": "192.0.2.7"}
DATABASE = "postgresql://service:secret@{}/n"
LEDGER = {"withdrawals_file": "ledger"}


@pytest.mark.parametrize(
    ("host", "settings", "points"),
    [
        ("127.0.0.1", {}, []),
        ("127.0.0.1", HTTPS, []),
        ("127.0.0.1", {"public_url": "http://127.0.0.1:8000"}, []),
        ("127.0.0.1", {"public_url": "http://clinic.example"}, ["cross the network unencrypted"]),
        ("192.0.2.1", PROXY, ["cookies are sent unencrypted"]),
        ("192.0.2.1", HTTPS | PROXY, []),
        ("::", HTTPS, ["all callers share its address"]),
        ("127.0.0.1", HTTPS | {"trusted_proxies": "*"}, ["every caller can claim any address"]),
        ("127.0.0.1", LEDGER | {"database_url": DATABASE.format("127.0.0.1")}, []),
        (
            "127.0.0.1",
            {"database_url": DATABASE.format("127.0.0.1")},
            ["brings back revoked keys and erased patients"],
        ),
        (
            "127.0.0.1",
            LEDGER | {"database_url": DATABASE.format("db.example")},
            ["db.example is not verified"],
        ),
        (
            "127.0.0.1",
            LEDGER | {"database_url": DATABASE.format("db.example") + "?sslmode=require"},
            ["db.example is not verified"],
        ),
        (
            "127.0.0.1",
            LEDGER | {"database_url": DATABASE.format("db.example") + "?sslmode=verify-full"},
            [],
        ),
    ],
)
def test_each_unsafe_point_is_named_alone(host, settings, points):
    warnings = list(list_deployment_warnings(Settings(**settings), host))
    assert len(warnings) == len(points)
    assert all(point in warning for point, warning in zip(points, warnings, strict=True))
    assert "secret" not in "".join(warnings)
