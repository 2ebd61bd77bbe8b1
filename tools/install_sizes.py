"""What a device downloads and installs to run a network: ``python -m tools.install_sizes``.

Each framework's Python package with all that it requires, as pip takes them for this machine; and
what a C program brings instead.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tvmlcnn.cli.output import print_table

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "tvmlcnn": str(ROOT),
    "tvmlcnn[device]": f"{ROOT}[device]",  # with TVM, which every device needed before
    "ONNX Runtime": "onnxruntime",
    "ncnn": "ncnn",
    "MNN": "MNN",
    "LiteRT": "ai-edge-litert",
}


def sizes(requirement: str, folder: Path) -> tuple[int, int, int]:
    """Return the number of packages, the bytes of their wheels, and those of their files."""
    wheels, site = folder / "wheels", folder / "site"
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "-w", wheels, requirement], check=True)
    found = sorted(wheels.iterdir())
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-compile", "--target", site, *found], check=True
    )
    return len(found), _bytes(found), _bytes(site.rglob("*"))


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())


def main() -> None:
    """Print a row a framework."""
    rows = []
    for name, requirement in PACKAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            count, downloaded, installed = sizes(requirement, Path(folder))
        rows.append((name, str(count), f"{downloaded / 1e6:.1f}", f"{installed / 1e6:.1f}"))
    print_table(("framework", "packages", "MB downloaded", "MB installed"), rows)


if __name__ == "__main__":
    main()
