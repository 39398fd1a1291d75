"""FastAPI's telemetry stays off: its spans and logs would hold what a request contains."""

import pytest
from opentelemetry import metrics, trace
from support.builders import request


class RefusingProvider:
    """A provider that an operator, or a package, has set for the whole process."""

    def __getattr__(self, name):
        raise AssertionError(f"telemetry was asked to {name}")


@pytest.mark.parametrize("module", [trace, metrics], ids=["traces", "metrics"])
def test_nothing_is_given_to_a_provider_of_telemetry(kept_client, monkeypatch, module):
    name = {trace: "tracer", metrics: "meter"}[module]
    monkeypatch.setattr(module, f"get_{name}_provider", RefusingProvider)
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    listing = kept_client.get("/v1/screenings?patient=MRN-0042")
    assert listing.status_code == 200
    assert kept_client.post("/v1/score", json=request() | {"answers": 1}).status_code == 422
