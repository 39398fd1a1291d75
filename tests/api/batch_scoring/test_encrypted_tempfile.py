"""An upload on disk: unreadable, no two cells alike, and read back as it was."""

import io

import pytest

from api.batch_scoring.chunk_spool import NonClosingReader
from api.batch_scoring.encrypted_tempfile import CELL_BYTES, EncryptedTempFile
from api.security.aead import InvalidCiphertextError

MARK = b"CANARY-" + b"7" * 20


def read_disk(file: EncryptedTempFile) -> bytes:
    file._file.flush()
    file._file.seek(0)
    return file._file.read()


def read_back(file: EncryptedTempFile) -> bytes:
    file.seek(0)
    return io.BufferedReader(NonClosingReader(file)).read()


def test_an_upload_is_unreadable_on_disk_and_reads_back_as_it_was():
    content = b"".join(b"%d,%s\n" % (n, MARK) for n in range(80_000))
    assert len(content) > 2 * CELL_BYTES
    with EncryptedTempFile() as file:
        for start in range(0, len(content), 70_001):
            file.append(content[start : start + 70_001])
        assert MARK not in read_disk(file)
        assert read_back(file) == content


def test_cells_of_equal_text_differ_on_disk():
    with EncryptedTempFile() as file:
        file.append(bytes(3 * CELL_BYTES))
        on_disk = read_disk(file)
        size = len(on_disk) // 3
        assert len({on_disk[start : start + 64] for start in (0, size, 2 * size)}) == 3
        assert read_back(file) == bytes(3 * CELL_BYTES)


def test_two_files_of_equal_text_differ_on_disk():
    with EncryptedTempFile() as one, EncryptedTempFile() as two:
        one.append(bytes(CELL_BYTES))
        two.append(bytes(CELL_BYTES))
        assert read_disk(one)[:64] != read_disk(two)[:64]


def test_a_cell_that_was_changed_or_moved_on_disk_is_refused():
    with EncryptedTempFile() as file:
        file.append(bytes(2 * CELL_BYTES))
        on_disk = read_disk(file)
        size = len(on_disk) // 2
        file._file.seek(0)
        file._file.write(on_disk[size:] + on_disk[:size])
        with pytest.raises(InvalidCiphertextError):
            read_back(file)


@pytest.mark.parametrize("size", [0, 1, CELL_BYTES - 1, CELL_BYTES, CELL_BYTES + 1])
def test_a_file_reads_back_on_both_sides_of_a_cell(size):
    content = bytes(range(256)) * (size // 256 + 1)
    with EncryptedTempFile() as file:
        file.append(content[:size])
        assert (file.size, read_back(file)) == (size, content[:size])


@pytest.mark.parametrize(
    ("offset", "whence", "position"),
    [
        (CELL_BYTES + 5, io.SEEK_SET, CELL_BYTES + 5),
        (-7, io.SEEK_END, 2 * CELL_BYTES + 3),
        (CELL_BYTES, io.SEEK_CUR, CELL_BYTES),
        (-1, io.SEEK_CUR, 0),
    ],
)
def test_reading_begins_anywhere(offset, whence, position):
    content = b"".join(bytes([number]) * CELL_BYTES for number in (1, 2)) + b"0123456789"
    with EncryptedTempFile() as file:
        file.append(content)
        assert file.seek(offset, whence) == position
        assert file.read(4) == content[position : position + 4]
        assert file.seek(2, io.SEEK_CUR) == position + 6
