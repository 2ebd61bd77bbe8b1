"""Counting what ARM code runs, and the cycles of a model of its core."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from conftest import Cli
from counting import needs_programs

import tvmlcnn
from tvmlcnn.analysis.counting import CORES, added, core, count_file
from tvmlcnn.analysis.counting.cortex_a7 import issue_cycles
from tvmlcnn.analysis.counting.cycles import cycles
from tvmlcnn.analysis.counting.figures import Figures, figures
from tvmlcnn.analysis.counting.instructions import assembly, is_thumb, tally
from tvmlcnn.analysis.counting.profile import Section, read_profile
from tvmlcnn.errors import UserError

FMLA = (bytes.fromhex("20cc224e"),)  # fmla v0.4s, v1.4s, v2.4s
LOAD = (bytes.fromhex("e003c03d"),)  # ldr q0, [sp]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("fmla v0.4s, v1.4s, v2.s[1]", {"fmla"}),
        ("fmls v0.8h, v1.8h, v2.8h", {"fmla"}),
        ("fmla z0.s, p0/m, z1.s, z2.s", {"fmla"}),
        ("bfmmla v0.4s, v1.8h, v2.8h", {"fmla"}),
        ("vfma.f32 q0, q1, q2", {"fmla"}),
        ("vmla.f32 q0, q1, d2[0]", {"fmla"}),
        ("fmadd s0, s1, s2, s3", set()),
        ("vmla.f32 s0, s1, s2", set()),
        ("fmul v0.4s, v1.4s, v2.4s", set()),
        ("sdot v0.4s, v1.16b, v2.4b[1]", {"dot"}),
        ("smmla v0.4s, v1.16b, v2.16b", {"dot"}),
        ("smlal2 v0.4s, v1.8h, v2.8h", {"dot"}),
        ("vmlal.s16 q0, d1, d2", {"dot"}),
        ("smull x0, w1, w2", set()),
        ("madd x0, x1, x2, x3", set()),
        ("ld1r { v0.4s }, [x0]", {"loads"}),
        ("ldr q0, [x0], #16", {"loads"}),
        ("ldp q0, q1, [sp, #32]", {"loads", "stack"}),
        ("stp x29, x30, [sp, #-16]!", {"stores", "stack"}),
        ("vldmia sp!, {d8}", {"loads", "stack"}),
        ("vpush {d8}", {"stores", "stack"}),
        ("vst1.32 {d8, d9}, [r5:128]!", {"stores"}),
        ("prfm pldl1keep, [x0]", set()),
        ("add x0, sp, #4", set()),
    ],
)
def test_an_instruction_is_of_its_kinds(text: str, kinds: set[str]) -> None:
    assert tally([text]) == dict.fromkeys(kinds, 1)


def test_a_register_that_is_made_of_the_stack_pointer_addresses_the_stack() -> None:
    spills = ["add r4, sp, #88", "vstmia r4, {d2, d3}", "add r4, sp, #104", "vldmia r4, {d4}"]
    assert tally(spills)["stack"] == 2
    assert tally([*spills, "add r4, r9, r0", "vld1.32 {d12[]}, [r4:32]"])["stack"] == 2
    assert tally(["mov x8, sp", "ldr x8, [x8]", "ldr q0, [x8]"])["stack"] == 1


def test_cortex_a7_computes_numbers_one_by_one() -> None:
    """Half as many cycles for a multiply-add as for a product and a sum."""
    assert issue_cycles(["vfma.f32 q0, q1, q2"]) == 4
    assert issue_cycles(["vmul.f32 q0, q1, q2", "vadd.f32 q3, q0, q3"]) == 8
    assert issue_cycles(["vmul.f32 d0, d1, d2[0]"]) == 2
    assert issue_cycles(["vorr q0, q1, q1"]) == 2
    assert issue_cycles(["vldmia r1, {d2, d3}"]) == 2
    assert issue_cycles(["vpush {d8-d15}"]) == 8
    assert issue_cycles(["push {r4, r5, lr}"]) == 2
    assert issue_cycles(["ldr r0, [r1]", "add r0, r0, #4", "bne #-20"]) == 2


def test_thumb_is_told_by_its_instructions() -> None:
    wide = bytes.fromhex("4cff5a0d")  # vmul.f32 q8, q6, q5, in Thumb
    assert is_thumb((bytes.fromhex("0122"), wide))
    assert is_thumb((wide, wide))
    assert not is_thumb((bytes.fromhex("5a0d4cf3"),))  # vmul.f32 q8, q6, q5, in ARM
    assert not is_thumb((bytes.fromhex("f6ffffea"),))  # b #-32, in ARM


def test_a_profile_has_what_each_thread_ran_between_marks(tmp_path: Path) -> None:
    path = tmp_path / "profile"
    path.write_text(
        f"b 1f 5500 {FMLA[0].hex()}\ne 1f 0 a\nm\n"
        f"b 2 5504 {LOAD[0].hex()} {FMLA[0].hex()}\ne 1f 0 1\ne 2 1 2\nm\n"
    )
    both = LOAD + FMLA
    assert read_profile(path) == [
        Section({0: Counter({FMLA: 10})}),
        Section({0: Counter({FMLA: 1}), 1: Counter({both: 2})}),
    ]
    assert read_profile(path)[1].runs == {FMLA: 1, both: 2}


@needs_programs
def test_code_is_read_and_modelled() -> None:
    texts = assembly([FMLA, LOAD, (b"\0\0\0\0",)], "aarch64")
    assert texts[FMLA] == ["fmla v0.4s, v1.4s, v2.4s"]
    assert texts[LOAD] == ["ldr q0, [sp]"]
    chain = {FMLA * 4: texts[FMLA] * 4}
    for model in ("cortex-a55", "cortex-a72", "neoverse-n1"):
        # Each adds to what the one before gives.
        assert 8 <= cycles(chain, "aarch64", model)[FMLA * 4] <= 20


@needs_programs
def test_arm_and_thumb_are_read_as_what_they_are() -> None:
    thumb = (bytes.fromhex("08bf"), bytes.fromhex("0122"), bytes.fromhex("4cff5a0d"))
    arm = (bytes.fromhex("5a0d4cf3"),)
    texts = assembly([thumb, arm], "armv7l")
    assert texts[arm] == ["vmul.f32 q8, q6, q5"]
    assert texts[thumb] == ["it", "movs r2, #1", "vmul.f32 q8, q6, q5"]


@needs_programs
def test_figures_are_of_each_part_and_add_up() -> None:
    parts = [Counter({FMLA: 10, LOAD: 2}), Counter({LOAD: 3})]
    one, two = figures(parts, "aarch64", "cortex-a72")
    assert (one.instructions, one.fmla, one.loads, one.stack) == (12, 10, 2, 2)
    assert (two.instructions, two.fmla, two.loads, two.stack) == (3, 0, 3, 3)
    assert added([one, two]) == Figures(15, 10, 0, 5, 0, 5, one.cycles + two.cycles)


def test_a_core_without_a_model_is_refused() -> None:
    with pytest.raises(UserError, match=r"no model of x86-64-v3; .*cortex-a72"):
        core("x86-64-v3")


@pytest.mark.emulated("aarch64")
@needs_programs
def test_a_file_is_counted_kernel_by_kernel_and_always_alike(
    small_arm_file: Path, small_net: torch.nn.Module
) -> None:
    counted = count_file(small_arm_file)
    assert counted == count_file(small_arm_file)
    macs = sum(call.flops for call, _ in counted.kernels) / 2
    assert counted.core == CORES["cortex-a72"]
    # A vector has four; Winograd's convolutions need fewer, channels that are filled up more.
    assert macs / 8 < counted.total.fmla < macs / 2
    layers = {layer for call, _ in counted.kernels for layer in call.layers}
    convolutions = {
        name
        for name, module in small_net.named_modules()
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear))
    }
    assert layers >= convolutions
    assert counted.outside.instructions < 200_000  # Python's, whatever the network
    assert counted.total.cycles > counted.total.fmla  # that core begins one a cycle


@pytest.mark.emulated("armv7l")
@needs_programs
def test_a_file_of_32_bits_is_counted(small_net: torch.nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "small.so"
    tvmlcnn.compile(small_net, "rpi2", (1, 3, 32, 32), output=path, check=False)
    counted = count_file(path)
    assert counted.total.cycles > 4 * sum(call.flops for call, _ in counted.kernels) / 8


@pytest.mark.emulated("aarch64")
@needs_programs
def test_profile_says_that_it_is_a_model(cli: Cli, small_arm_file: Path) -> None:
    printed = cli("profile", small_arm_file, "--model").out
    assert "no time" in printed
    assert "cortex-a72" in printed
    data = cli("profile", small_arm_file, "--model", "--json").json
    assert data["model"] == "cortex-a72"
    assert all(kernel["cycles"] > 0 and kernel["rule"] for kernel in data["kernels"])
    assert "us" not in data["kernels"][0]


def test_profile_says_in_a_line_what_is_missing(
    cli: Cli, small_arm_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tvmlcnn/emulated-pi/aarch64").mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "emulated_pi.py build" in cli("profile", small_arm_file, "--model").error
    python = tmp_path / "tvmlcnn/emulated-pi/aarch64/python"
    python.touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    assert "apt-get install llvm-19 qemu-user" in cli("profile", small_arm_file, "--model").error


def test_profile_models_no_other_processor(cli: Cli, small_file: Path) -> None:
    assert "no model of" in cli("profile", small_file, "--model").error
