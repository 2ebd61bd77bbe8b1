"""What a network for a GPU executes and moves, beside what it has to."""

from __future__ import annotations

from dataclasses import dataclass

from tvmlcnn import frontend, pipeline
from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda import cuda_source, find_compiler
from tvmlcnn.package.variants import together
from tvmlcnn.precision import element_for
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import Gpu

from ..summary import analyze
from .kernels import KernelCount, count_kernels

MOST_INSTRUCTIONS = 1.6
"""Of warps, over those that multiply-adds need: what a network of our own kernels is to keep."""
MOST_TRAFFIC = 1.5
"""Bytes that memory moves, wave by wave of blocks, over the compulsory ones, likewise."""


@dataclass(frozen=True)
class Called:
    """One call of a network's program.

    Attributes
    ----------
    function, rule : str
        The kernel's name, and the rule that made it.
    layers : tuple of str
        Of torch's module, that it computes.
    launches : tuple of KernelCount
    multiply_adds : int
        That its operations need, two of them one.
    tensor_bytes : int
        Of its operands and results, each once.
    """

    function: str
    rule: str
    layers: tuple[str, ...]
    launches: tuple[KernelCount, ...]
    multiply_adds: int
    tensor_bytes: int

    @property
    def warp_instructions(self) -> int:
        """Of all its launches."""
        return sum(launch.warp_instructions for launch in self.launches)

    @property
    def block_bytes(self) -> int:
        """What leaves the multiprocessors: each sector once for a block."""
        return sum(launch.block_bytes for launch in self.launches)

    @property
    def wave_bytes(self) -> int:
        """What memory moves: each sector once for the blocks that run at a time."""
        return sum(launch.wave_bytes for launch in self.launches)

    @property
    def sector_bytes(self) -> int:
        """What warps ask for, instruction by instruction."""
        return sum(launch.sector_bytes for launch in self.launches)


@dataclass(frozen=True)
class NetworkCount:
    """What one run of a network does on a GPU.

    Attributes
    ----------
    model : str
    target : str
    compiler : str
    macs : int
        Multiply-adds that the network needs.
    compulsory_bytes : int
        That its layers move at least, fused but one after the other (`analysis.fusion.traffic`).
    calls : tuple of Called
    """

    model: str
    target: str
    compiler: str
    macs: int
    compulsory_bytes: int
    calls: tuple[Called, ...]

    @property
    def kernels(self) -> list[KernelCount]:
        """All launches, in order."""
        return [launch for call in self.calls for launch in call.launches]

    @property
    def instruction_ratio(self) -> float:
        """Instructions of warps over those that its multiply-adds need at one FFMA a lane."""
        return 32 * sum(call.warp_instructions for call in self.calls) / self.macs

    @property
    def block_traffic_ratio(self) -> float:
        """Bytes that leave the multiprocessors over the compulsory ones."""
        return sum(call.block_bytes for call in self.calls) / self.compulsory_bytes

    @property
    def wave_traffic_ratio(self) -> float:
        """Bytes that memory moves, wave by wave, over the compulsory ones."""
        return sum(call.wave_bytes for call in self.calls) / self.compulsory_bytes

    @property
    def sector_traffic_ratio(self) -> float:
        """Bytes that warps ask for over the compulsory ones."""
        return sum(call.sector_bytes for call in self.calls) / self.compulsory_bytes

    @property
    def tensor_traffic_ratio(self) -> float:
        """Bytes of each call's tensors, each once, over the compulsory ones."""
        return sum(call.tensor_bytes for call in self.calls) / self.compulsory_bytes


def count_network(model: str, gpu: Gpu, dtype: str = "float32") -> NetworkCount:
    """Compile a network and count its machine code.

    Parameters
    ----------
    model : str
        As ``tvmlcnn compile`` takes it.
    gpu : Gpu
    dtype : str
        What layers compute in, as `tvmlcnn.compile` takes it; for int8 the network is calibrated
        with random numbers.

    Raises
    ------
    UserError
        If there is no such network, the GPU does not compute in the type, or there is no nvcc that
        compiles for it, or no nvdisasm.
    """
    element = element_for(dtype, gpu)
    code = gpu.gpu_code[:1]
    compiler = find_compiler(code)
    if compiler.path is None:
        raise UserError(f"counting needs nvcc, which prints registers; here is {compiler} only")
    total = analyze(model, dtype=dtype).total
    network = frontend.resolve(model)
    if dtype == "int8":
        from tvmlcnn.quantization import quantized_network  # torchao takes two seconds to import

        network, _ = quantized_network(network, "random", (), gpu.weight_bounds)
    with network.running():
        graph = frontend.import_graph(network.module, frontend.random_inputs(network.inputs))
    variants = together([pipeline.run(graph.mod, gpu, element=element)])
    functions, source = cuda_source(variants.mod, gpu)
    made_by = kernels_by_rule(variants.mod)
    rules = {name: rule for rule, names in made_by.items() for name in names}
    counted = count_kernels(functions, source, gpu, compiler)
    return NetworkCount(
        network.name,
        gpu.name,
        str(compiler),
        total.macs,
        total.traffic_bytes,
        tuple(
            Called(
                call["function"],
                rules[call["function"]],
                tuple(call["layers"]),
                counted[call["function"]],
                call["flops"] // 2,
                call["bytes"],
            )
            for call in variants.calls[0]
        ),
    )
