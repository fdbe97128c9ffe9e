"""What a drill keeps from its trainee until the debrief, unreadable by eye and by grep.

The key lies in a file beside what it seals, as the processes of one user cannot keep a secret from that
user: this guards against accident and nothing more. Of a drill behind a web page only the server has both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import zlib
from contextlib import suppress
from pathlib import Path

from sandbox.base.errors import SandboxError

KEY_NAME = "key"
KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 8


class Seal:
    """Seals texts with one key of KEY_BYTES.

    The key stream is SHAKE-256 of key and nonce, xored over the compressed text; a tag of BLAKE2b tells
    whole ones from those that were cut off.
    """

    def __init__(self, key: bytes) -> None:
        assert len(key) == KEY_BYTES
        self._key = key

    @classmethod
    def beside(cls, directory: Path) -> Seal:
        """The seal of a directory, its key made where there is none: whoever comes first makes it, for all.
        Raises OSError, and CFG-003 for a damaged key."""
        path = directory / KEY_NAME
        with suppress(FileNotFoundError):
            return cls._read(path)
        whole = directory / f".{KEY_NAME}-{os.getpid()}-{secrets.token_hex(4)}"
        fd = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # somebody was quicker: theirs counts
                os.link(whole, path)
        finally:
            whole.unlink()
        return cls._read(path)

    @classmethod
    def _read(cls, path: Path) -> Seal:
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise SandboxError(
                "CFG-003",
                where=str(path),
                seen=f"{len(key)} bytes",
                expected=f"a key of {KEY_BYTES} bytes",
                fix="the drill cannot be read without it: start another one, sandbox drill start",
            )
        return cls(key)

    def close(self, text: bytes) -> str:
        """The text sealed: one line of base64, another one each time."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        hidden = self._mixed(nonce, zlib.compress(text, 9))
        return base64.b64encode(nonce + hidden + self._tag(nonce + hidden)).decode()

    def open(self, line: str | bytes) -> bytes:
        """What was sealed. Raises ValueError for anything that this seal has not closed, or not whole."""
        try:
            raw = base64.b64decode(line, validate=True)
        except binascii.Error as error:
            raise ValueError("not a sealed line") from error
        body, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
        if len(body) <= _NONCE_BYTES or not hmac.compare_digest(tag, self._tag(body)):
            raise ValueError("not sealed by this key, or damaged")
        return zlib.decompress(self._mixed(body[:_NONCE_BYTES], body[_NONCE_BYTES:]))

    def _mixed(self, nonce: bytes, text: bytes) -> bytes:
        stream = hashlib.shake_256(self._key + nonce).digest(len(text))
        mixed = int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")
        return mixed.to_bytes(len(text), "big")

    def _tag(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._key, digest_size=_TAG_BYTES).digest()
