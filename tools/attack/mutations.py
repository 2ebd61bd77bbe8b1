"""Damage: what disks, cables, other programs and people do to a file."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

_EXTREMES = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
_DEEP = json.loads("[" * 200 + "]" * 200)
_ODD: tuple[Any, ...] = (
    *(None, True, "", "x", "\x1b[31m", "\ud800", [], {}, [[]], _DEEP, {"kind": _DEEP}),
    *(0, 1, -1, 2**31, 2**63, 10**400, -(10**18), 0.5, 1e300, -1e-300, 1e999, float("nan")),
)


def damaged(content: bytes, random: Random) -> bytes:
    """Return content to which something has happened, mostly where headers are."""
    return random.choice(_KINDS)(bytearray(content), random)


def damaged_json(text: str, random: Random) -> str:
    """Return JSON in which one value is another, or is gone; or text that is none any more."""
    if random.random() < 0.2:
        return damaged(text.encode(), random).decode("utf-8", "replace")
    value = json.loads(text)
    places = list(_places(value))
    holder, place = random.choice(places)
    if random.random() < 0.15:
        del holder[place]
    else:
        other = random.choice(places)
        holder[place] = (
            random.choice(_ODD) if random.random() < 0.8 else copy.deepcopy(other[0][other[1]])
        )
    return json.dumps(value)


def _places(value: Any) -> Any:
    """Yield each list or object, however deep, with each of its places."""
    if isinstance(value, dict | list):
        for place in value if isinstance(value, dict) else range(len(value)):
            yield value, place
            yield from _places(value[place])


def _position(content: bytearray, random: Random) -> int:
    """Return a place that is often at the beginning or the end."""
    region = random.choice((64, 1024, len(content), -64, -4096))
    at = random.randrange(max(abs(region), 1))
    return (at if region > 0 else len(content) - 1 - at) % max(len(content), 1)


def _flip(content: bytearray, random: Random) -> bytes:
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        if content:
            at = _position(content, random)
            content[at] ^= 1 << random.randrange(8)
    return bytes(content)


def mutated_number(content: bytearray, random: Random) -> bytes:
    """Return content with another number somewhere, often an extreme one."""
    size = random.choice((1, 2, 4, 8))
    at = _position(content, random) // size * size
    near = len(content) + random.randrange(-2, 3)
    value = random.choice((*_EXTREMES, near, random.randrange(2**64)))
    content[at : at + size] = (value % 2 ** (8 * size)).to_bytes(size, "little")
    return bytes(content)


def _fill(content: bytearray, random: Random) -> bytes:
    at, size = _position(content, random), random.choice((4, 64, 512, 4096))
    size = len(content[at : at + size])
    content[at : at + size] = random.choice((b"\0", b"\xff", b"9", b"[")) * size
    return bytes(content)


def _move(content: bytearray, random: Random) -> bytes:
    size = random.choice((8, 64, 512, 4096))
    one, other = _position(content, random), _position(content, random)
    size = min(size, len(content) - max(one, other))
    content[one : one + size] = content[other : other + size]
    return bytes(content)


def _insert(content: bytearray, random: Random) -> bytes:
    at = _position(content, random)
    content[at:at] = random.randbytes(random.choice((1, 8, 4096)))
    return bytes(content)


def _remove(content: bytearray, random: Random) -> bytes:
    at = _position(content, random)
    del content[at : at + random.choice((1, 8, 64, 4096))]
    return bytes(content)


def _cut(content: bytearray, random: Random) -> bytes:
    return bytes(content[: random.choice((_position(content, random), 0, 1, 63, 64))])


_KINDS: tuple[Callable[[bytearray, Random], bytes], ...] = (
    *(_flip, _flip, mutated_number, mutated_number, _fill, _move, _insert, _remove, _cut),
)
