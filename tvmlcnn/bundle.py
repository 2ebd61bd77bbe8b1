"""A compiled file with all that a program needs to call it, in a folder to copy to a device."""

from __future__ import annotations

import shutil
from pathlib import Path

from tvmlcnn.examples import FOLDER as EXAMPLES
from tvmlcnn.files import write_folder
from tvmlcnn.runtime import Manifest, checksum, read_manifest
from tvmlcnn.runtime.c import HEADER

_COPIED = (
    HEADER,
    EXAMPLES / "cpp" / "tvmlcnn.hpp",
    EXAMPLES / "c" / "classify.c",
    EXAMPLES / "c" / "CMakeLists.txt",
    EXAMPLES / "python" / "classify.py",
    EXAMPLES / "LICENSE",
    EXAMPLES / "NOTICE",
)

_README = """\
# {model} for {target}

`{file}` runs on Linux on {machine}{features}. It needs nothing but the C library, be it glibc from
2.17 or musl.

{tensors}

| file | what it is |
|---|---|
| `{file}` | the network, its weights and what runs them |
| `tvmlcnn.h` | the functions of `{file}`, for C and whatever calls C |
| `tvmlcnn.hpp` | the same for C++20 |
| `classify.c`, `CMakeLists.txt` | an example in C |
| `classify.py` | an example in Python |
| `LICENSE`, `NOTICE` | the licences of what tvmlcnn adds to the network |

## In C

On the device, or on another machine with a compiler for it:

```
cmake -B build
cmake --build build
build/classify ./{file} {arrays}
```

INPUT is an array of numpy's (`numpy.save`), or the bare bytes of its elements in row-major order.
{photo}
## In Python

`pip install tvmlcnn`, and

```
python classify.py {file} PHOTO
```
"""

_PHOTO = """\
Of a photo these are planes of red, green and blue, of which each value, from 0 to 1, has its mean
{mean} taken off and is divided by {std}.
"""

_FRAME = """\
Of a photo these are its bytes, the red, green and blue of a pixel one after the other.
"""
_RESIZED = f"""\
{_FRAME}`tvmlcnn_run_frames` takes photos of any size; INPUT is one of the size above.
"""


def bundle(file: str | Path, folder: Path) -> None:
    """Write a folder with a compiled file, its header, examples, licence and a README.

    Parameters
    ----------
    file : str or Path
        What `tvmlcnn.compile` wrote, for any machine.
    folder : Path
        Is written whole or not at all.

    Raises
    ------
    UserError
        If ``file`` is no compiled model or has changed, if there is something in ``folder``, or it
        cannot be written.
    """
    file = Path(file)
    elf, manifest = read_manifest(file)
    checksum.verify(file)
    readme = _readme(file.name, elf.machine, manifest)

    def fill(new: Path) -> None:
        for source in (file, *_COPIED):
            shutil.copyfile(source, new / source.name)
        (new / "README.md").write_text(readme, "utf-8")

    write_folder(folder, fill)


def _readme(name: str, machine: str, manifest: Manifest) -> str:
    target = manifest.json["target"]
    lines = [f"- input `{spec.name}`: {_form(str(spec))}" for spec in manifest.inputs]
    lines += [f"- output `{spec.name}`: {_form(str(spec))}" for spec in manifest.outputs]
    return _README.format(
        file=name,
        model=manifest.json["model"],
        target=target["name"],
        machine=machine,
        features=f" with {', '.join(target['features'])}" if target["features"] else "",
        tensors="\n".join(lines),
        arrays=" ".join(["INPUT"] * len(manifest.inputs)),
        photo=_photo(manifest),
    )


def _photo(manifest: Manifest) -> str:
    """Say how a photo becomes INPUT."""
    how = manifest.preprocessing
    if manifest.frames:
        return _RESIZED if manifest.resizes else _FRAME
    return "" if how is None else _PHOTO.format(mean=list(how.mean), std=list(how.std))


def _form(spec: str) -> str:
    """Return type and shape of a tensor, without its name."""
    return spec.rpartition(": ")[2]
