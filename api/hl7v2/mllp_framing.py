"""Framing: messages to the bytes of MLLP and back, however the bytes were cut on their way."""

START, END, RETURN = b"\x0b", b"\x1c", b"\r"


class FrameError(ValueError):
    """What came is no frame, or a longer one than is taken."""


def framed(message: bytes) -> bytes:
    """The message between its marks."""
    return START + message + END + RETURN


class Frames:
    """Takes bytes as they come, gives messages as they are complete."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = bytearray()

    @property
    def half(self) -> bool:
        """Whether the beginning of a message is here and not its end."""
        return bool(self._held)

    def feed(self, some: bytes) -> list[bytes]:
        """The messages that these bytes complete.

        Raises FrameError where bytes stand outside of a frame, or a frame is too long.
        """
        self._held += some
        found = []
        while self._held:
            if not self._held.startswith(START):
                raise FrameError("expected a message to begin with 0x0B")
            end = self._held.find(END + RETURN)
            if end < 0:
                break
            found.append(bytes(self._held[1:end]))
            del self._held[: end + 2]
        if len(self._held) > self._most:
            raise FrameError(f"expected a message of at most {self._most} bytes")
        return found
