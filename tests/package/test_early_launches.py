"""Kernels that are launched before the one in front of them ends wait before they do anything."""

from __future__ import annotations

import re

import pytest
from conftest import randomized
from networks import compiled
from torch import nn

from tvmlcnn.analysis.cuda.disassembly import disassemble, find_disassembler
from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda import Compiler, cuda_source, find_compiler
from tvmlcnn.package.variants import together
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import DEVICES, FLOAT16, FLOAT32, ElementType

NET = nn.Sequential(
    *(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU6(), nn.Conv2d(32, 32, 3, 1, 1, groups=32), nn.ReLU6()),
    *(nn.Conv2d(32, 16, 1), nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    nn.Linear(16, 1000),
)
_INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]+)")


def tools() -> Compiler:
    """Return what compiles for sm_90; skip the test where it or the disassembler is missing."""
    try:
        find_disassembler()
        return find_compiler(("sm_90",))
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.long
@pytest.mark.parametrize("element", [FLOAT32, FLOAT16], ids=lambda element: element.name)
def test_no_kernel_touches_memory_before_it_waits(element: ElementType) -> None:
    """Neither compiler may move a load of what is never written, by its type, to the front."""
    compiler = tools()
    mod = compiled(randomized(NET), (1, 3, 64, 64), DEVICES["h100"], element=element)
    functions, source = cuda_source(together([mod]).mod, DEVICES["h100"])
    launches = {launch.kernel for each in functions.values() for launch in each.launches}
    code = disassemble(compiler.inspect(source, "sm_90")[0])
    bodies = re.split(r"\n\.text\.(\w+):", code)
    kernels = dict(zip(bodies[1::2], bodies[2::2], strict=True))
    assert set(kernels) == launches
    for name, body in kernels.items():
        instructions = _INSTRUCTION.findall(body)
        before = instructions[: instructions.index("ACQBULK")]
        touching = ("LDG", "LDS", "LD.", "ST", "ATOM", "RED")
        assert not [each for each in before if each.startswith(touching)], name


@pytest.mark.parametrize("element", [FLOAT32, FLOAT16], ids=lambda element: element.name)
def test_products_are_not_launched_early(element: ElementType) -> None:
    """Their blocks would lie unevenly; what adds up their shares, and all others, is brief."""
    deep = nn.Sequential(nn.Conv2d(512, 64, 1), nn.Conv2d(64, 64, 3, groups=64))
    launched = {}
    for net, shape in ((NET, (1, 3, 64, 64)), (deep, (1, 512, 7, 7))):
        mod = compiled(net, shape, DEVICES["h100"], element=element)
        functions, _ = cuda_source(together([mod]).mod, DEVICES["h100"])
        for rule, names in kernels_by_rule(mod).items():
            for name in names:
                first, *others = functions[name].launches
                launched |= {rule: first.early} | ({"shares": others[0].early} if others else {})
    product = "implicit_gemm" if element == FLOAT32 else "tensor_gemm"
    assert not launched[product]
    assert launched["depthwise"]
    assert launched["pooling"]
    assert launched["row_product"]
    assert launched["shares"]


@pytest.mark.long
def test_kernels_of_older_architectures_have_no_such_instruction() -> None:
    compiler = tools()
    mod = compiled(randomized(NET), (1, 3, 64, 64), DEVICES["jetson-orin-nano"])
    source = cuda_source(together([mod]).mod, DEVICES["jetson-orin-nano"])[1]
    assert "ACQBULK" not in disassemble(compiler.inspect(source, "sm_87")[0])
