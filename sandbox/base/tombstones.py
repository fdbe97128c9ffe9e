"""Who was erased from a world: WORLD/privacy/tombstones.jsonl, which every writer of rows about people heeds.

    salt               16 bytes in hex, of this world alone, for this user alone
    tombstones.jsonl   a line for each: {"user": hash of the number, "key": hash of the source's key, "erased_ts", "receipt"}

A tombstone names nobody: it holds hashes, and whoever has rows asks whether one is meant. The salt keeps apart what
is published of it; who has the salt can try all numbers, as this module does (there are few).
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sandbox.base.errors import SandboxError
from sandbox.base.lines import append_line

FOLDER = "privacy"
_FILE, _SALT = "tombstones.jsonl", "salt"


@dataclass(frozen=True)
class Tombstone:
    """user, key: hashes. erased_ts: wall seconds since the epoch. receipt: where it is told."""

    user: str
    key: str
    erased_ts: float
    receipt: str


@dataclass(frozen=True)
class Tombstones:
    """All of one world. `digest` names the set, whatever its order; empty for none."""

    salt: bytes
    stones: tuple[Tombstone, ...]

    @property
    def digest(self) -> str:
        if not self.stones:
            return ""
        return hashlib.blake2b("\n".join(sorted({s.user for s in self.stones})).encode(), digest_size=8).hexdigest()

    def marked(self, content_hash: str) -> str:
        """The content hash of a world without these people. content_hash: of the world, with or without others."""
        plain = content_hash.partition("+")[0]
        return f"{plain}+{self.digest}" if self.stones else plain

    def of(self, user: int) -> Tombstone | None:
        """The first one of that user, None for whom was never erased."""
        mine = user_hash(self.salt, user)
        return next((stone for stone in self.stones if stone.user == mine), None)

    def users(self, n_users: int) -> np.ndarray:
        """int64, ascending: the erased among the numbers 0 to n_users - 1."""
        if not self.stones:
            return np.empty(0, np.int64)
        gone = {stone.user for stone in self.stones}
        return np.array([user for user in range(n_users) if user_hash(self.salt, user) in gone], np.int64)

    def keys(self, keys: Iterable[str]) -> np.ndarray:
        """int64, ascending: the rows of `keys`, the source's own, whose users were erased."""
        gone = {stone.key for stone in self.stones}
        return np.array([row for row, key in enumerate(keys) if key_hash(self.salt, key) in gone], np.int64)


def folder(world_dir: Path) -> Path:
    return world_dir / FOLDER


def load(world_dir: Path) -> Tombstones:
    """Raises PRIV-003 where they cannot be read whole: nobody may go on as if there were none."""
    path, salt = folder(world_dir) / _FILE, folder(world_dir) / _SALT
    if not path.exists():
        return Tombstones(b"", ())
    try:
        stones = tuple(Tombstone(**json.loads(line)) for line in path.read_text().splitlines() if line)
        return Tombstones(bytes.fromhex(salt.read_text()), stones)
    except (OSError, ValueError, TypeError) as error:
        raise SandboxError(
            "PRIV-003",
            where=str(path),
            seen=str(error)[:200],
            expected="a line of JSON for each, and the salt beside it",
            fix="restore the folder; until then nothing may be made from this world",
        ) from error


def n_users(world_dir: Path) -> int:
    """How many numbers of users a world has; the erased keep theirs."""
    return int(json.loads((world_dir / "world.json").read_text())["users"])


def add(world_dir: Path, people: Iterable[tuple[int, str]], *, erased_ts: float, receipt: str) -> Tombstones:
    """On disk, whole, when it returns. people: number and key of each; who has one gets no second. Raises PRIV-003,
    OSError on a full disk."""
    folder(world_dir).mkdir(exist_ok=True)
    salt = _salt(folder(world_dir) / _SALT)
    there = {stone.user for stone in load(world_dir).stones}
    stones = [Tombstone(user_hash(salt, user), key_hash(salt, key), erased_ts, receipt) for user, key in people]
    lines = [json.dumps(vars(stone)) for stone in stones if stone.user not in there]
    if lines:
        append_line(folder(world_dir) / _FILE, "\n".join(lines).encode(), sync=True)
    return load(world_dir)


def renumbered(world_dir: Path, stones: Tombstones, numbers: dict[str, int]) -> None:
    """The tombstones once more, for a world whose users have other numbers. numbers: by hash of the key."""
    lines = [
        json.dumps({**vars(s), "user": user_hash(stones.salt, numbers[s.key]) if s.key in numbers else s.user})
        for s in stones.stones
    ]
    path = folder(world_dir) / _FILE
    part = path.with_suffix(".part")
    part.write_text("".join(f"{line}\n" for line in lines))
    part.chmod(0o600)
    part.replace(path)


def user_hash(salt: bytes, user: int) -> str:
    """32 hexadecimal digits."""
    return hashlib.blake2b(b"user:%d" % user, key=salt, digest_size=16).hexdigest()


def key_hash(salt: bytes, key: str) -> str:
    """32 hexadecimal digits."""
    return hashlib.blake2b(b"key:" + key.encode(), key=salt, digest_size=16).hexdigest()


class Watch:
    """For processes that run on: who is erased, as of the file's latest change. One look at its time per call."""

    def __init__(self, world_dir: Path) -> None:
        self._world, self._path = world_dir, folder(world_dir) / _FILE
        self._seen: tuple[int, int] | None = None
        self._users = np.empty(0, np.int64)
        self._members: frozenset[int] = frozenset()

    def users(self) -> np.ndarray:
        """int64, ascending. Raises PRIV-003."""
        try:
            told = self._path.stat()
            now = (told.st_mtime_ns, told.st_size)
        except FileNotFoundError:
            return self._users
        if now != self._seen:
            self._users = load(self._world).users(n_users(self._world))
            self._members, self._seen = frozenset(self._users.tolist()), now
        return self._users

    def kept(self, users: np.ndarray) -> np.ndarray:
        """bool, by row: True for who is not erased."""
        gone = self.users()
        return ~np.isin(users, gone) if len(gone) else np.ones(len(users), bool)

    def members(self) -> frozenset[int]:
        """The same users, to look one up. Raises PRIV-003."""
        self.users()
        return self._members


def _salt(path: Path) -> bytes:
    """Made once."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text())
    salt = secrets.token_bytes(16)
    with os.fdopen(fd, "w") as file:
        file.write(salt.hex())
    return salt
