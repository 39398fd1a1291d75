"""The same rows as a file of each kind that a batch reads, as bytes."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pyreadstat
import zstandard

COLUMNS = ("row_id", "phq4_nervous", "phq4_worrying")
Row = tuple[str, int, int]
_SPACE = "urn:oasis:names:tc:opendocument:xmlns"


def encode_csv(rows: Sequence[Row]) -> bytes:
    """Return a CSV file."""
    return "".join(f"{','.join(map(str, row))}\n" for row in (COLUMNS, *rows)).encode()


def encode_gzip(rows: Sequence[Row]) -> bytes:
    """Return a CSV file that is compressed by gzip."""
    return gzip.compress(encode_csv(rows), mtime=0)


def encode_zstandard(rows: Sequence[Row]) -> bytes:
    """Return a CSV file that is compressed by Zstandard."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(encode_csv(rows))


def encode_archive(rows: Sequence[Row]) -> bytes:
    """Return an archive with half of the rows in each of two CSV files."""
    content, middle = io.BytesIO(), len(rows) // 2
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in (("a.csv", rows[:middle]), ("b.csv", rows[middle:])):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), encode_csv(part))
    return content.getvalue()


def encode_ndjson(rows: Sequence[Row]) -> bytes:
    """Return a file with an object a line."""
    return b"".join(
        json.dumps(dict(zip(COLUMNS, row, strict=True))).encode() + b"\n" for row in rows
    )


def encode_array(rows: Sequence[Row]) -> bytes:
    """Return a JSON array of objects."""
    return json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=1).encode()


def encode_parquet(rows: Sequence[Row]) -> bytes:
    """Return a Parquet file."""
    content = io.BytesIO()
    _build_frame(rows).write_parquet(content)
    return content.getvalue()


def encode_feather(rows: Sequence[Row]) -> bytes:
    """Return an Arrow file."""
    content = io.BytesIO()
    _build_frame(rows).write_ipc(content)
    return content.getvalue()


def encode_workbook(rows: Sequence[Row]) -> bytes:
    """Return an Excel workbook."""
    content = io.BytesIO()
    _build_frame(rows).write_excel(content)
    return content.getvalue()


def encode_opendocument(rows: Sequence[Row]) -> bytes:
    """Return an OpenDocument spreadsheet."""
    lines = "".join(
        f"<table:table-row>{''.join(map(_encode_cell, row))}</table:table-row>"
        for row in (COLUMNS, *rows)
    )
    spaces = "".join(f' xmlns:{n}="{_SPACE}:{n}:1.0"' for n in ("office", "table", "text"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = f'<m:manifest xmlns:m="{_SPACE}:manifest:1.0"/>'
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr(
            "content.xml",
            f"<office:document-content{spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="S">{lines}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return content.getvalue()


def encode_spss(rows: Sequence[Row]) -> bytes:
    """Return an SPSS file with compressed rows."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "in.sav"
        pyreadstat.write_sav(_build_frame(rows), str(file), row_compress=True)
        return file.read_bytes()


TEXT_ENCODERS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "csv.gz": encode_gzip,
    "csv.zst": encode_zstandard,
    "zip": encode_archive,
    "ndjson": encode_ndjson,
    "json": encode_array,
}
TABLE_ENCODERS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "parquet": encode_parquet,
    "feather": encode_feather,
    "xlsx": encode_workbook,
    "ods": encode_opendocument,
    "sav": encode_spss,
}


def _build_frame(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame([*rows], schema=COLUMNS, orient="row")


def _encode_cell(value: str | int) -> str:
    kind = "string" if isinstance(value, str) else f'float" office:value="{value}'
    return (
        f'<table:table-cell office:value-type="{kind}"><text:p>{value}</text:p></table:table-cell>'
    )
