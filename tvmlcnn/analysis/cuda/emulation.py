"""Running kernels of a GPU without one, to count what each of them executes and accesses.

Warps are followed through the machine code: how often each piece runs, and which 32-byte sectors
of global memory it touches, follow from integers that the launch decides alone. Threads that part
are run from the lowest address on, which is where they meet again. Nothing of it is a time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from .flow import GLOBAL_ACCESS, Piece, address_terms, pieces
from .machine import Lanes, UnknownError
from .operands import Operand, Uses, operand, width
from .sass import Instruction, Listing
from .semantics import execute
from .steps import Step, signed

SECTOR = 32
"""Bytes that a GPU reads from and writes to memory at least, from Maxwell on (tuning guides)."""
_MOST_STEPS = 400_000
_FAR = np.int64(1 << 45)
"""Sectors of all tensors are below it."""


@dataclass
class Executed:
    """What some blocks executed, each of them taken for its weight of blocks.

    Attributes
    ----------
    instructions : Counter
        Instructions of warps, by `Instruction.kind`.
    sectors : dict of str to float
        Sectors that loads and stores of warps ask for, one of a warp once an instruction, by
        ``"load"`` and ``"store"``.
    of_blocks : dict of str to float
        Sectors that blocks ask for, each once a block: what is left if a first-level cache holds
        all that a block uses.
    assumed : bool
        Whether jumps or addresses depended on data: what jumps would skip is counted, and a
        sector for each lane.
    """

    instructions: Counter[str] = field(default_factory=Counter)
    sectors: dict[str, float] = field(default_factory=lambda: {"load": 0.0, "store": 0.0})
    of_blocks: dict[str, float] = field(default_factory=lambda: {"load": 0.0, "store": 0.0})
    assumed: bool = False


class Run:
    """A run of some blocks of a kernel; ``together`` has `Executed.of_blocks` count a sector once.

    It counts as a block's otherwise, of each block that asks for it.
    """

    def __init__(
        self, kernel: Listing, lanes: Lanes, weights: np.ndarray, together: bool = False
    ) -> None:
        self.kernel, self.lanes = kernel, lanes
        # Whose sectors are told apart: each block's, or those of all blocks together.
        self.owners = np.zeros_like(lanes.block_of) if together else lanes.block_of
        self.pieces = pieces(kernel)
        self.weights = weights
        self.warp_weights = np.repeat(weights, lanes.warps_of_block)
        self.runs: defaultdict[int, float] = defaultdict(float)
        self.executed = Executed()
        self._gathered = {"load": 0.0, "store": 0.0}
        self._touched: dict[str, list[np.ndarray]] = {"load": [], "store": []}

    def run(self) -> Executed:
        """Run until all lanes have ended.

        Raises
        ------
        UnknownError
            If a loop's end depends on data.
        """
        waiting: dict[int, np.ndarray | None] = {0: None}
        for _ in range(_MOST_STEPS):
            if not waiting:
                break
            at = min(waiting)
            active = waiting.pop(at)
            if at not in self.pieces:
                raise UnknownError(f"it runs past its end, at {at}")
            for target, part in self._run_piece(self.pieces[at], active):
                self._join(waiting, target, part)
        else:
            raise UnknownError(f"it is not at its end after {_MOST_STEPS} pieces")
        for begin, runs in self.runs.items():
            for instruction in self.pieces[begin].instructions:
                self.executed.instructions[instruction.kind] += round(runs)
        for kind, keys in self._touched.items():
            if keys:
                blocks = np.unique(np.concatenate(keys)) // _FAR
                self.executed.of_blocks[kind] = float(self.weights[blocks].sum())
            self.executed.of_blocks[kind] += self._gathered[kind]
        return self.executed

    def _join(
        self, waiting: dict[int, np.ndarray | None], target: int, part: np.ndarray | None
    ) -> None:
        if target in waiting:
            other = waiting[target]
            part = None if part is None or other is None else part | other
        if part is not None and part.all():
            part = None
        waiting[target] = part

    def _run_piece(
        self, piece: Piece, active: np.ndarray | None
    ) -> list[tuple[int, np.ndarray | None]]:
        lanes = self.lanes
        if active is None:
            weight = float(self.warp_weights.sum())
        else:
            weight = float(self.warp_weights[np.unique(lanes.warp_of[active])].sum())
        self.runs[piece.first] += weight
        lanes.active = active
        last = piece.instructions[-1]
        for instruction, of in piece.computed:
            guarded = self._guarded(instruction, active)
            if instruction.opcode in GLOBAL_ACCESS:
                self._access(instruction, of, guarded)
            if instruction is last and instruction.opcode in _LEAVE:
                return self._leave(piece, instruction, of, active)
            lanes.active = guarded
            if guarded is None or guarded.any():
                execute(lanes, Step(instruction, of))
            lanes.active = active
        return [(piece.end, active)]

    def _guarded(self, instruction: Instruction, active: np.ndarray | None) -> np.ndarray | None:
        """Return the active lanes whose guard holds; an unknown one is taken to hold."""
        if not instruction.guard:
            return active
        told = self.lanes.predicate(operand(instruction.guard))
        if told is None:
            self.executed.assumed = True
            return active
        if told.all():
            return active
        told = np.broadcast_to(told, (self.lanes.count,))
        return told if active is None else told & active

    def _leave(
        self, piece: Piece, instruction: Instruction, of: Uses, active: np.ndarray | None
    ) -> list[tuple[int, np.ndarray | None]]:
        taken = self._taken(piece, instruction, of, active)
        everyone = np.ones(self.lanes.count, bool) if active is None else active
        going = everyone if taken is None else everyone & taken
        staying = everyone & ~going
        found: list[tuple[int, np.ndarray | None]] = []
        if going.any() and instruction.opcode != "EXIT":
            found.append((self._target(instruction, of), going))
        if staying.any():
            found.append((piece.end, staying))
        return found

    def _taken(
        self, piece: Piece, instruction: Instruction, of: Uses, active: np.ndarray | None
    ) -> np.ndarray | None:
        """Return which lanes a jump takes along (None: all)."""
        if "DIV" in instruction.modifiers:
            return np.zeros(1, bool)  # it is for warps that have parted
        conditions = [operand(instruction.guard)] if instruction.guard else []
        conditions += [s for s in of.sources if s.kind == "predicate"]
        taken: np.ndarray | None = None
        for condition in conditions:
            told = self.lanes.predicate(condition)
            if told is None:
                if self._target(instruction, of, piece.end) <= piece.first:
                    raise UnknownError(f"data decide about the loop that ends at {instruction}")
                self.executed.assumed = True
                return np.zeros(1, bool)
            taken = told if taken is None else taken & told
        return taken

    def _target(self, instruction: Instruction, of: Uses, unless: int | None = None) -> int:
        if instruction.opcode == "EXIT" and unless is not None:
            return unless
        if instruction.opcode == "RET":
            place = next(s for s in of.sources if s.kind == "register")
            held, active = self.lanes.read(place), self.lanes.active
            if held is not None and active is not None:
                held = np.broadcast_to(held, (self.lanes.count,))[active]
            if held is None or len(np.unique(held)) != 1:
                raise UnknownError(f"where it returns to: {instruction}")
            return int(held.flat[0]) // 16
        target = self.kernel.labels.get(instruction.target or "")
        if target is None:
            raise UnknownError(f"where it jumps to: {instruction}")
        return target

    def _access(self, instruction: Instruction, of: Uses, active: np.ndarray | None) -> None:
        sources = [s for s in of.sources if s.kind == "address"]
        source = sources[-1] if instruction.opcode == "LDGSTS" else sources[0]
        self.lanes.active = active
        addresses = self._address(source)
        kind = "store" if instruction.opcode in _STORES else "load"
        if addresses is None:
            self._gather(kind, active)
            return
        addresses = np.broadcast_to(addresses, (self.lanes.count,))
        warps, blocks = self.lanes.warp_of, self.owners
        if active is not None:
            addresses, warps, blocks = addresses[active], warps[active], blocks[active]
        sectors = (addresses >> np.uint64(5)).astype(np.int64)
        keys = np.unique(sectors + _FAR * warps)
        self.executed.sectors[kind] += float(self.warp_weights[keys // _FAR].sum())
        self._touched[kind].append(np.unique(sectors + _FAR * blocks))
        if sum(map(len, self._touched[kind])) > 1 << 22:
            self._touched[kind] = [np.unique(np.concatenate(self._touched[kind]))]

    def _gather(self, kind: str, active: np.ndarray | None) -> None:
        """Count a sector for each lane, the most there can be: data decide about the address."""
        blocks = self.lanes.block_of if active is None else self.lanes.block_of[active]
        most = float(self.weights[blocks].sum())
        self.executed.sectors[kind] += most
        self._gathered[kind] += most
        self.executed.assumed = True

    def _address(self, source: Operand) -> np.ndarray | None:
        total = np.zeros(1, np.uint64)
        for term in address_terms(source):
            name, *modifiers = term.split(".")
            read = operand(name)
            if read.kind == "register" and name not in {"RZ", "URZ"} and "U32" not in modifiers:
                value = self.lanes.read_pair(read)
            else:
                value = self.lanes.read(read)
                if value is not None and read.kind == "number":
                    value = signed(value).view(np.uint64)
            if value is None:
                return None
            total = total + value
        return total


_STORES = {"STG", "ST", "RED", "REDG"}
_LEAVE = {"BRA", "EXIT", "RET", "CALL", "JMP", "BRX", "JMX"}

__all__ = ["SECTOR", "Executed", "Run", "width"]
