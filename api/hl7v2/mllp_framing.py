"""Frames messages for MLLP and extracts them from a byte stream."""

START, END, RETURN = b"\x0b", b"\x1c", b"\r"


class FrameError(ValueError):
    """The received bytes are not an MLLP frame, or the frame is too long."""


def frame_message(message: bytes) -> bytes:
    """Wrap a message in its MLLP frame."""
    return START + message + END + RETURN


class FrameDecoder:
    """An incremental decoder of MLLP frames."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    @property
    def has_partial_frame(self) -> bool:
        """True if a frame has begun and not ended."""
        return bool(self._buffer)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Add received bytes and return the messages they complete.

        Raises FrameError for bytes outside a frame and for a frame that is too long.
        """
        self._buffer += chunk
        messages = []
        while self._buffer:
            if not self._buffer.startswith(START):
                raise FrameError("expected a message to begin with 0x0B")
            end = self._buffer.find(END + RETURN)
            if end < 0:
                break
            messages.append(bytes(self._buffer[1:end]))
            del self._buffer[: end + 2]
        if len(self._buffer) > self._max_bytes:
            raise FrameError(f"expected a message of at most {self._max_bytes} bytes")
        return messages
