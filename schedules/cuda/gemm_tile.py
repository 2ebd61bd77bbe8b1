"""The tile of an implicit GEMM: what a block and a thread of it compute."""

from __future__ import annotations

from dataclasses import dataclass

from tvmlcnn.targets import FLOAT32, Gpu, resident_blocks

from .blocks import LANES

OTHER_REGISTERS = 32
"""A thread's beside its sums and what it multiplies: addresses, counters, the epilogue."""


@dataclass(frozen=True)
class GemmTile:
    """How an implicit GEMM is cut.

    Attributes
    ----------
    rows : int
        Of a thread, each of `LANES` channels.
    row_threads, channel_threads : int
        Of a block.
    steps : int
        Of the reduction, whose factors are staged in shared memory at a time.
    parts : int
        Of the reduction, each of them another block's.
    shares : int
        Of the reduction, each of them other threads' of a block; parts have none.
    buffers : int
        Chunks of steps in shared memory: one is read while the others are brought.
    """

    rows: int
    row_threads: int
    channel_threads: int
    steps: int
    parts: int
    shares: int
    buffers: int

    @property
    def cut(self) -> int:
        """Into how many parts or shares the reduction is cut."""
        return self.parts * self.shares

    @property
    def threads(self) -> int:
        """Of a block."""
        return self.row_threads * self.channel_threads * self.shares

    @property
    def block_rows(self) -> int:
        """Rows of a block."""
        return self.rows * self.row_threads

    @property
    def block_channels(self) -> int:
        """Channels of a block."""
        return LANES * self.channel_threads

    @property
    def shared_floats(self) -> int:
        """Numbers that a block has in shared memory: both factors, and sums that it adds up."""
        factors = self.buffers * self.steps * (self.block_rows + self.block_channels)
        sums = self.block_rows * self.block_channels if self.shares > 1 else 0
        return self.shares * (factors + sums)

    @property
    def registers(self) -> int:
        """Of a thread: sums, what they are of, addresses and the rest."""
        return self.sums + 2 * self.rows + 2 * LANES * LANES + OTHER_REGISTERS

    @property
    def sums(self) -> int:
        """Of a thread."""
        return self.rows * LANES

    @property
    def loaded(self) -> int:
        """Steps of a row in shared memory that one load brings."""
        return LANES if self.steps % LANES == 0 else 1

    def chunks(self, steps: int) -> int:
        """Return how many chunks a reduction of so many steps is cut into, parts of one size."""
        return -(-steps // (self.steps * self.cut)) * self.cut

    def filled(self, steps: int) -> int:
        """Return how many steps these are, of which the last ones add zeros."""
        return self.chunks(steps) * self.steps

    def resident(self, gpu: Gpu, registers: int = 0) -> int:
        """Return how many blocks a multiprocessor of a GPU can hold at once.

        Parameters
        ----------
        gpu : Gpu
        registers : int
            Of a thread, where it is not the usual ones.
        """
        shared = FLOAT32.bytes * self.shared_floats
        return resident_blocks(self.threads, registers or self.registers, shared, gpu)
