"""``tvmlcnn inspect``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tvmlcnn.compile_report import check_fact, dtype_fact, quantization_facts, records_fact

from . import completion
from .output import json_option, print_facts, print_json

if TYPE_CHECKING:
    from tvmlcnn.runtime import Manifest


@click.command("inspect")
@click.argument("file", shell_complete=completion.files)
@click.option("--verify", is_flag=True, help="Check that no byte of FILE has changed.")
@json_option
def command(file: str, verify: bool, as_json: bool) -> None:
    """Print the manifest of the compiled model FILE, whatever machine it is for.

    The library is read, not loaded. --json prints the whole manifest.
    """
    from tvmlcnn.runtime import checksum, read_manifest

    digest = checksum.verify(file) if verify else None

    elf, manifest = read_manifest(file)
    data = manifest.json
    if as_json:
        print_json(data)
        return
    target, labels = data["target"], manifest.labels
    origin = "RANDOM, none were given" if manifest.random_weights else data["weights_from"]
    total = sum(weight.end - weight.offset for weight in manifest.weights)
    print_facts(
        [
            ("model", data["model"]),
            ("source", data["source"]),
            ("weights", f"{origin or 'as constructed'}, {total / 1e6:.1f} MB"),
            ("target", f"{target['name']}: {elf.machine} {' '.join(target['features'])}"),
            *(
                [("gpu code", f"{' '.join(target['gpu_code'])} by {target['gpu_compiler']}")]
                if target["gpu_code"]
                else []
            ),
            ("tvm target", json.dumps(target["tvm"])),
            *dtype_fact(data["dtype"]),
            *quantization_facts(data.get("quantization")),
            ("threads", data["threads"] or "all physical cores"),
            *(("input", spec) for spec in manifest.inputs),
            *(("output", spec) for spec in manifest.outputs),
            *([("frames", _frames(manifest))] if manifest.frames else []),
            ("preprocessing", manifest.preprocessing or "none"),
            ("labels", f"{len(labels)}: {', '.join(labels[:3])}, ..." if labels else "none"),
            ("assumed", ", ".join(data["assumed"]) or "nothing"),
            ("kernels", ", ".join(f"{rule}: {count}" for rule, count in data["kernels"].items())),
            *records_fact(data.get("records")),
            ("check", check_fact(data["check"])),
            ("versions", ", ".join(f"{name} {v}" for name, v in data["versions"].items())),
            ("format", data["format"]),
            *([("checksum", f"holds: sha256 {digest}")] if digest else []),
        ]
    )


def _frames(manifest: Manifest) -> str:
    """Say what frames a file takes."""
    channels = manifest.inputs[0].shape[3]
    kind = "grey" if channels == 1 else "red, green and blue"
    return f"bytes of {kind}, {'of any size' if manifest.resizes else 'of the size of the input'}"
