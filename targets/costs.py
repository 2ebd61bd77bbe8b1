"""What kernels cost on a core, as far as no data sheet says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """Figures that rules choose tiles, pieces and algorithms by.

    Costs are in multiply-adds of a vector, the time in which a core does one at its full rate.

    Attributes
    ----------
    chains : int
        Latency of a multiply-add times how many go on at a time: so many sums are needed for one
        chain of additions not to wait for itself.
    spared_registers : int
        Vector registers that a tile leaves free, for loads that run ahead of their use.
    ahead_registers : int
        That LLVM takes for what it loads ahead where a loop makes two loads of each row's values.
    issues : bool
        Whether it is instructions that take time beside multiply-adds: a load of two vectors as
        much as one of one, and what leads a loop too. Else loads take it, by the vector.
    vectors_of_a_load : int
        That an instruction loads, at most, where all are whole and follow each other.
    addresses : int
        Rows at irregular distances that general registers hold, beside the weights' address and
        a counter.
    tile : int
        What a tile costs besides its sums.
    place : int
        What it costs to find a pixel's row and column.
    epilogue : int
        What a vector of sums costs after its reduction.
    miss : float
        Share of a tile's time that it takes longer where its weights are not in the first cache.
    second_cache_vectors : float
        Vectors that the second cache delivers in the time of a multiply-add.
    far_bytes : float
        Bytes that go to or come from where a map is that the second cache does not hold, in the
        time of a multiply-add.
    stream_bytes : float
        The same where they are read in order while the core computes.
    long_read_bytes : int
        That one has to read in a row for the memory's prefetchers to help.
    lone_pixel : float
        Share of its rate at which a tile of one pixel runs, whose weights no other pixel uses.
    kept : float
        Share of a cache that what is used again can have.
    fusion_margin : float
        Gain that is asked of two convolutions in one kernel: the estimate is rough.
    transform : float
        What Winograd's transforms cost for each value they make: its additions, the copy of the
        overlapping input, loads and stores.
    winograd_margin : float
        Gain that is asked of each step to Winograd's larger weights: they take room, and the
        estimate is rough.
    winograd_transforms : tuple of (int, int, float)
        A convolution's stride, the outputs of a tile of Winograd's filtering along each side, and
        what the transforms of one of its points take, over those of tiles of 4x4 with steps of one.
    winograd_tiles : int
        Tiles of a block at least, for each weight that is read to be used often enough.
    winograd_apart : int
        Tiles whose even rows are computed before the odd ones, at most: with one both are computed
        at once, which takes more registers and loads each product once.
    strassen_transform : float
        What the combinations of rows and the sums of products of Strassen's algorithm cost for each
        value that a product of blocks reads or makes.
    memory_bytes : float
        Bytes of weights that memory delivers in the time of a multiply-add of one core, where the
        device's bandwidth is not known.
    unrolled_taps : int
        Taps of a window, or of a depthwise kernel, whose code is unrolled at most.
    unrolled_vectors : int
        Vectors of a period of groups whose code is unrolled at most.
    unrolled_steps : int
        Steps of a reduction that are unrolled at most: with more LLVM takes loads too far ahead.
    paired_pixels : int
        Of a tile whose products are added in pairs, at least: with fewer LLVM loads all weights of
        a step first, more than there are registers.
    prefetch_pixels : int
        Pixels for each lane that are so few that their weights are fetched ahead.
    prefetch_steps : int
        Steps of a reduction between two fetches of weights where the sums are in memory.
    strip_rows, strip_tiles : int
        Rows of a strip of a grouped convolution, or tiles where a map is one row, at most.
    """

    chains: int
    spared_registers: int
    ahead_registers: int
    issues: bool
    vectors_of_a_load: int
    addresses: int
    tile: int
    place: int
    epilogue: int
    miss: float
    second_cache_vectors: float
    far_bytes: float
    stream_bytes: float
    long_read_bytes: int
    lone_pixel: float
    kept: float
    fusion_margin: float
    transform: float
    winograd_margin: float
    winograd_transforms: tuple[tuple[int, int, float], ...]
    winograd_tiles: int
    winograd_apart: int
    strassen_transform: float
    memory_bytes: float
    unrolled_taps: int
    unrolled_vectors: int
    unrolled_steps: int
    paired_pixels: int
    prefetch_pixels: int
    prefetch_steps: int
    strip_rows: int
    strip_tiles: int


AVX2 = Costs(
    # Four cycles of latency, two a cycle (Intel from Skylake, AMD from Zen; Agner Fog, "Instruction
    # tables").
    chains=8,
    # Renamed registers hold what is loaded ahead.
    spared_registers=0,
    ahead_registers=4,
    issues=False,
    vectors_of_a_load=1,
    # Of 16 general registers; chosen by measuring 128 -> 16 channels at 55x55 on AMD Zen 5.
    addresses=13,
    # Chosen by measuring the layers of MobileNet V2 and ResNet-50 on AMD Zen 3.
    tile=32,
    place=16,
    epilogue=2,
    miss=0.25,
    # Chosen by measuring pointwise layers at 7x7 and 14x14 on AMD Zen 5.
    second_cache_vectors=7 / 32,
    # Chosen by measuring the expanded maps of MobileNet V2 on AMD Zen 3.
    far_bytes=5,
    stream_bytes=25,
    long_read_bytes=256,
    kept=0.75,
    fusion_margin=1.14,
    # Chosen by measuring the 3x3 layers of ResNet-50 and SqueezeNet on AMD Zen 3. With steps of two
    # half the values are only copied: layers of 32 to 256 channels take 0.71 to 0.89 of the time.
    transform=8,
    winograd_margin=1.15,
    winograd_transforms=((1, 2, 1), (1, 4, 1), (2, 2, 0.3), (2, 4, 0.3)),
    winograd_tiles=24,
    # Operands come from memory: sums that no register holds cost no load.
    winograd_apart=1,
    # None is to be taken: on AMD Zen no network gains by it, MobileNet V2 takes 1.02 of the time,
    # ResNet-50 1.03.
    strassen_transform=100,
    # A PC's: 16 bytes in the time of four.
    memory_bytes=4,
    # Chosen by measuring depthwise and pooling layers up to 7x7 on AMD Zen 3.
    unrolled_taps=25,
    unrolled_vectors=32,
    unrolled_steps=4,
    paired_pixels=1,
    # Chosen by measuring pointwise layers at 7x7 on AMD Zen 5.
    prefetch_pixels=20,
    prefetch_steps=64,
    # Chosen by measuring ShuffleNet V1 and ResNeXt-50 on AMD Zen 3.
    lone_pixel=0.8,
    strip_rows=8,
    strip_tiles=16,
)
"""x86 with AVX2, and with AVX-512, where no figure turned out to be another one."""
