"""Operations of the API that need a scope."""

from support.path_resources import UNKNOWN, addressed


def guarded(service) -> list[tuple[str, str, str]]:
    """Method, address and scope of every guarded operation."""
    return [
        (method, addressed(path, UNKNOWN), operation["security"][0]["token"][0])
        for path, methods in service.openapi()["paths"].items()
        for method, operation in methods.items()
        if (operation["security"] or [{}])[0].get("token")
    ]
