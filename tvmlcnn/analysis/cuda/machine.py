"""Lanes of several blocks that run a kernel together, in the integers that lead it.

Only what decides where a kernel goes and which addresses it uses is computed: integers and
predicates. What comes from memory, or from arithmetic of floating point, is not known.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .operands import Operand

Value = np.ndarray
"""uint64, below 2^32: of each lane, or of shape (1,) where all have the same."""
_MASK = np.uint64(0xFFFFFFFF)
PARAMETER_BASE = {75: 0x160, 80: 0x160, 86: 0x160, 87: 0x160, 88: 0x160, 89: 0x160, 90: 0x210}
"""Where parameters begin in the constant bank 0, by the compute capability; 0x380 from 10.0 on."""
_LATER_BASE = 0x380
_SPACE = 1 << 40
"""Apart from each other lie tensors, at addresses that nothing overlaps."""


class UnknownError(Exception):
    """What decides where the kernel goes on depends on data."""


def constant(value: int) -> Value:
    """Return a value that all lanes have."""
    return np.array([value & 0xFFFFFFFF], np.uint64)


@dataclass
class Lanes:
    """Threads of some blocks of a launch, and what they hold.

    Attributes
    ----------
    grid, block : tuple of int
        Of the launch: x, y, z.
    blocks : ndarray of int
        Shape (n, 3): which of the grid's.
    capability : int
    active : ndarray of bool or None
        Which lanes read and write now; None: all.
    """

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    blocks: np.ndarray
    capability: int
    active: np.ndarray | None = None
    _held: dict[str, np.ndarray | None] = field(default_factory=dict)
    _unknown: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        x, y, z = self.block
        threads = x * y * z
        number = np.arange(threads, dtype=np.uint64)
        count = len(self.blocks)
        self.count = count * threads
        self.warps_of_block = -(-threads // 32)
        self.block_of = np.repeat(np.arange(count), threads)
        self.warp_of = self.block_of * self.warps_of_block + np.tile(number // 32, count).astype(
            int
        )
        self._special = {
            "SR_TID.X": np.tile(number % x, count),
            "SR_TID.Y": np.tile(number // x % y, count),
            "SR_TID.Z": np.tile(number // (x * y), count),
            "SR_LANEID": np.tile(number % 32, count),
            **{
                f"SR_CTAID.{axis}": np.repeat(self.blocks[:, at].astype(np.uint64), threads)
                for at, axis in enumerate("XYZ")
            },
        }

    def read(self, source: Operand) -> Value | None:
        """Return 32 bits of a source, None where they are not known."""
        value = self._bits(source)
        if value is None or not (source.negated or source.inverted):
            return value
        turned = ~value if source.inverted else np.uint64(0) - value
        return turned & _MASK

    def _bits(self, source: Operand) -> Value | None:
        if source.kind == "register":
            return self.register(source.name)
        if source.kind == "number" or (source.kind == "float" and isinstance(source.value, int)):
            return constant(int(source.value))
        if source.kind == "constant":
            return self.bank(source.name, int(source.value))
        if source.kind == "special":
            if source.name == "SRZ":
                return constant(0)
            return self._special.get(source.name)
        return None

    def register(self, name: str) -> Value | None:
        """Return what a register holds."""
        return constant(0) if name in {"RZ", "URZ"} else self._get(name)

    def read_pair(self, source: Operand) -> Value | None:
        """Return 64 bits of a source."""
        low = self._bits(source)
        if source.kind == "number":
            return low
        if source.kind == "constant":
            high = self.bank(source.name, int(source.value) + 4)
        else:
            high = self.register(following(source.name))
        if low is None or high is None:
            return None
        value = low | (high << np.uint64(32))
        return np.uint64(0) - value if source.negated else value

    def bank(self, name: str, offset: int) -> Value | None:
        """Return what constant bank 0 holds: the launch's shape, and addresses of tensors."""
        if name != "c0":
            return None
        base = PARAMETER_BASE.get(self.capability, _LATER_BASE)
        if offset >= base:
            number, half = divmod(offset - base, 8)
            address = (number + 1) * _SPACE
            return constant(address >> 32 if half == 4 else address)
        shape = dict(zip(range(0, 24, 4), (*self.block, *self.grid), strict=True))
        return constant(shape[offset]) if offset in shape else None

    def predicate(self, source: Operand) -> np.ndarray | None:
        """Return a predicate of each lane (or of all of them), None where it is not known."""
        if source.name in {"PT", "UPT"}:
            value = np.ones(1, bool)
        else:
            found = self._get(source.name)
            if found is None:
                return None
            value = found
        return ~value if source.inverted else value

    def write(self, name: str, value: Value | None) -> None:
        """Put 32 bits into a register of the lanes that are active; None where not known."""
        self._put(name, None if value is None else value & _MASK)

    def write_pair(self, name: str, value: Value | None) -> None:
        """Put 64 bits into a register and the one behind it."""
        self.write(name, value)
        self.write(following(name), None if value is None else value >> np.uint64(32))

    def write_predicate(self, name: str, value: np.ndarray | None) -> None:
        """Set a predicate of the lanes that are active."""
        self._put(name, value)

    def _get(self, name: str) -> np.ndarray | None:
        unknown = self._unknown.get(name)
        if unknown is not None and (self.active is None or (unknown & self.active).any()):
            return None
        # Registers of a warp that nobody wrote are zero, as code for 8.7 expects of UR2.
        return self._held.get(name, constant(0) if name.startswith("UR") else None)

    def _put(self, name: str, value: np.ndarray | None) -> None:
        if name in {"RZ", "URZ", "PT", "UPT"}:
            return
        # What a program reads of lanes that nobody wrote decides nothing.
        untouched = None if value is None else np.zeros(1, value.dtype)
        before = self._held.get(name, untouched)
        if self.active is None or (value is None and before is None):
            self._held[name] = value
            self._unknown.pop(name, None)
        elif value is None:
            self._unknown[name] = self._unknown.get(name, False) | self.active
        else:
            if before is None:
                self._unknown[name] = ~self.active
                self._held[name] = value
                return
            self._held[name] = np.where(self.active, value, before)
            if (unknown := self._unknown.pop(name, None)) is not None:
                left = unknown & ~self.active
                if left.any():
                    self._unknown[name] = left


def following(name: str) -> str:
    """Return the register behind one."""
    if name.endswith("Z"):
        return name
    kind = name.rstrip("0123456789")
    return f"{kind}{int(name[len(kind) :]) + 1}"
