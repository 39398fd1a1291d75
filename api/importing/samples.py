"""The mapping files included with the service, to start from."""

from pathlib import Path

MAPPINGS_FOLDER = Path(__file__).parent / "maps"


def list_sample_mappings() -> dict[str, Path]:
    """Return the mapping files included with the service, by the name of the tool."""
    return {file.stem: file for file in sorted(MAPPINGS_FOLDER.glob("*.toml"))}
