"""The C++ wrapper: threads side by side, exceptions for what does not fit, nothing left open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from programs import call, emulated, refused, sample, sources, with_cmake, with_zig

import tvmlcnn

Classifier = Callable[[str], Path]


@pytest.mark.system
def test_it_is_built_by_cmake(classifier: Classifier, tmp_path: Path) -> None:
    file = classifier("x86_64")
    given = sample(file, tmp_path)
    program = with_cmake(sources("cpp", tmp_path))
    answer = f"{given.raw}: class {given.scores.argmax()}, score {given.scores.max():.6f}"
    assert call([program, file, *[given.raw] * 8]).splitlines() == [answer] * 8
    assert "has not the 12288 bytes" in refused([program, file, given.raw, given.npy])
    assert "invalid ELF header" in refused([program, given.npy, given.raw])


@pytest.mark.slow  # zig builds its C++ library once for each machine
@pytest.mark.parametrize(
    "machine",
    [pytest.param(name, marks=pytest.mark.emulated(name)) for name in ("aarch64", "armv7l")],
)
def test_other_machines(machine: str, classifier: Classifier, tmp_path: Path) -> None:
    given = sample(classifier("x86_64"), tmp_path)
    folder = sources("cpp", tmp_path)
    program = with_zig("c++", machine, folder / "classify.cpp", "-std=c++20", "-pthread")
    lines = call(emulated(machine, program, classifier(machine), *[given.raw] * 3)).splitlines()
    assert len(lines) == 3
    for line in lines:
        answer, score = line.split(", score ")
        assert answer == f"{given.raw}: class {given.scores.argmax()}"
        assert float(score) == pytest.approx(given.scores.max(), abs=1e-5)


CHECKS = """
#include <cassert>
#include <cstring>
#include <iostream>
#include "tvmlcnn.hpp"

template <typename F> void throws(F &&f, const char *words) {
    try { f(); } catch (const tvmlcnn::Error &error) {
        if (!std::strstr(error.what(), words)) { std::cerr << error.what() << '\\n'; std::exit(1); }
        return;
    }
    std::cerr << "nothing thrown: " << words << '\\n';
    std::exit(1);
}

int main(int, char **words) {
    const auto file = std::make_shared<const tvmlcnn::File>(words[1]);
    const auto in = file->inputs()[0];
    assert(file->programs() == 1 && in.name == "x" && in.shape[2] == 32);
    assert(file->outputs()[0].dtype == "float32" && file->outputs(7).empty());
    assert(file->manifest().front() == '{' && file->manifest().back() == '}');
    tvmlcnn::Instance network(file, 2);
    assert(network.threads() == 2);
    std::vector<float> x(3 * 32 * 32), y(10), first(10);
    const std::vector<float> &constant = x;
    network.run({constant}, {first});
    network.run({std::span<const float>(x)}, {y});
    assert(y == first);
    std::array<float, 10> array;
    tvmlcnn::Instance moved = std::move(network);
    moved.run({x}, {array});
    assert(std::memcmp(array.data(), y.data(), sizeof(array)) == 0);
    std::vector<double> wide(3 * 32 * 32 / 2);
    throws([&] { moved.run({x}, {wide}); }, "output is float32 of 40 bytes; given was float64");
    throws([&] { moved.run({y}, {y}); }, "x is float32 of 12288 bytes; given was float32 of 40");
    throws([&] { moved.run({x, x}, {y}); }, "has 1 inputs");
    throws([&] { moved.run({x}, {y}, 1); }, "has 0 inputs");
    throws([&] { moved.run_frames({{nullptr, 1, 1, 0}}, {y}); }, "resizes no frames");
    tvmlcnn::Instance seeing(std::make_shared<const tvmlcnn::File>(words[2]));
    std::vector<std::uint8_t> pixels(60 * 50 * 3);
    for (std::size_t i = 0; i < pixels.size(); i++) pixels[i] = static_cast<std::uint8_t>(i % 251);
    seeing.run_frames({{pixels.data(), 60, 50, 0}}, {y});
    for (const float score : y) std::cout << score << ' ';
    const std::vector<tvmlcnn_frame> two(2, {pixels.data(), 60, 50, 0});
    throws([&] { seeing.run_frames(two, std::vector<tvmlcnn::Output>{y}); }, "as many frames");
    throws([&] { seeing.run_frames({{pixels.data(), 60, 0, 0}}, {y}); }, "a frame of 60x0 pixels");
    throws([&] { tvmlcnn::Instance(file, 100000); }, "100000 threads");
    throws([&] { tvmlcnn::File("none.so"); }, "none.so");
    throws([&] { tvmlcnn::File("libm.so.6"); }, "no compiled network");
}
"""


@pytest.mark.system
def test_what_does_not_fit_is_thrown(
    classifier: Classifier, resizing_file: Path, tmp_path: Path
) -> None:
    """Under the sanitizers, which see what is used after it was freed, or never freed."""
    folder = sources("cpp", tmp_path)
    (folder / "checks.cpp").write_text(CHECKS)
    program = folder / "checks"
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]
    command = ["g++", "-std=c++20", *sanitizers, folder / "checks.cpp", "-o", program]
    call([*command, "-include", "array", "-pthread", "-ldl"])
    printed = call([program, classifier("x86_64"), resizing_file])
    pixels = (np.arange(60 * 50 * 3) % 251).astype(np.uint8).reshape(1, 50, 60, 3)
    expected = tvmlcnn.load(resizing_file)(pixels)[0]
    np.testing.assert_allclose(np.array(printed.split(), np.float32), expected, rtol=1e-4)
