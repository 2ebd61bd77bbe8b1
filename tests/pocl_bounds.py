"""Kernels in OpenCL C that check each of their accesses.

What compute-sanitizer does on a GPU: an index outside of its array, of global, shared or private
memory, is noted and becomes 0, and so is a vector that is not aligned to its size, which CUDA's
loads and stores have to be. Whatever else a kernel does with an array is an error here, so that
nothing goes unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TRAP = "checked_trap"
_CHECK = f"""
int checked_at(int at, int count, int lanes, int site, __global int* {TRAP}) {{
  if (at >= 0 && at <= count - lanes && at % lanes == 0) return at;
  if (atomic_inc({TRAP}) == 0) {{ {TRAP}[1] = site; {TRAP}[2] = at; {TRAP}[3] = lanes; }}
  return 0;
}}
"""
_KERNEL = re.compile(r"__kernel void (\w+)\(([^)]*)\)( \{|;)")
_PARAMETER = re.compile(r"__global (?:const )?(\w+)\* (?:restrict )?(\w+)")
_ARRAY = re.compile(r"(?:__local )?\b(\w+) (\w+)\[(\d+)\];")
_CAST = re.compile(r"\(\((?:volatile )?(?:__local |__global )?(?:const )?(\w+)\*\)$")
_ADDRESS = re.compile(r"^\(\(\w+ \*\)$")
_SITE = re.compile(r"^// site (\d+): (.*)$", re.MULTILINE)
_BYTES = {
    **dict.fromkeys(("char", "uchar", "bool"), 1),
    **dict.fromkeys(("short", "ushort", "half"), 2),
    **dict.fromkeys(("int", "uint", "float"), 4),
    **dict.fromkeys(("long", "ulong", "double"), 8),
}


@dataclass(frozen=True)
class _Known:
    """An array: the bytes of an element, how many there are, and its number in messages."""

    element: int
    count: int
    site: int


def checked(source: str, sizes: Mapping[str, Sequence[int]]) -> str:
    """Return kernels that take one more argument, which says what went wrong.

    Parameters
    ----------
    source : str
        As TVM's code generator writes it.
    sizes : mapping of str to sequence of int
        The bytes of each argument of each kernel.
    """
    sites: list[str] = []
    done, at = [], 0
    for found in _KERNEL.finditer(source):
        head = f"__kernel void {found[1]}({found[2]}, __global int* {TRAP}){found[3]}"
        done += [source[at : found.start()], head]
        at = found.end()
        if found[3] == ";":
            continue
        end = source.index("\n}\n", at)
        arrays = _arrays(found[1], found[2], source[at:end], sizes[found[1]], sites)
        done.append(_rewritten(source[at:end], arrays))
        at = end
    done.append(source[at:])
    named = "\n".join(f"// site {number}: {text}" for number, text in enumerate(sites))
    # Pragmas of extensions stand before everything.
    first = done[0] if done else ""
    return "".join([first, _CHECK, named, "\n", *done[1:]])


def fault(source: str, trap: Sequence[int]) -> str | None:
    """Say what a launch did wrong; None if nothing."""
    count, site, at, lanes = (int(number) for number in trap[:4])
    if not count:
        return None
    names = {int(number): text for number, text in _SITE.findall(source)}
    return f"{count} accesses outside, the first of {names[site]}: {lanes} from {at}"


def _arrays(
    kernel: str, parameters: str, body: str, sizes: Sequence[int], sites: list[str]
) -> dict[str, _Known]:
    found: dict[str, _Known] = {}

    def add(name: str, element: int, count: int) -> None:
        found[name] = _Known(element, count, len(sites))
        sites.append(f"{kernel}, {name} of {count}")

    for (kind, name), size in zip(_PARAMETER.findall(parameters), sizes, strict=True):
        add(name, _size(kind), size // _size(kind))
    for kind, name, count in _ARRAY.findall(body):
        add(name, _size(kind), int(count))
    return found


def _size(kind: str) -> int:
    name, lanes = re.fullmatch(r"([a-z]+)(\d*)", kind).groups()  # type: ignore[union-attr]
    return _BYTES[name] * int(lanes or 1)


def _rewritten(text: str, arrays: Mapping[str, _Known]) -> str:
    names = re.compile(rf"\b({'|'.join(map(re.escape, arrays))})\b")
    done, at = [], 0
    while (found := names.search(text, at)) is not None:
        before, array = text[at : found.start()], arrays[found[1]]
        done += [before, found[1]]
        at = found.end()
        if _is_declared(text, found):
            at = text.index(";", at)
            done.append(text[found.end() : at])
            continue
        whole = text[: found.start()]
        if text.startswith("[", at):
            lanes, opening = 1, at
        elif text.startswith(")[", at) and (cast := _CAST.search(whole[-80:])) is not None:
            lanes, opening = max(_size(cast[1]) // array.element, 1), at + 1
        else:
            lanes, opening = _vector(whole), -1
        if opening >= 0:
            done.append(text[at : opening + 1])
            end = _closing(text, opening + 1)
            index = f"({_rewritten(text[opening + 1 : end], arrays)}) * {lanes}"
            done.append(f"{_call(index, array, lanes)} / {lanes}")
        else:
            end = _closing(text, at)
            offset = text[at:end].removeprefix(" + ") or "0"
            done.append(f" + {_call(_rewritten(offset, arrays), array, lanes)}")
        at = end
    return "".join([*done, text[at:]])


def _call(index: str, array: _Known, lanes: int) -> str:
    return f"checked_at({index}, {array.count}, {lanes}, {array.site}, {TRAP})"


def _is_declared(text: str, found: re.Match[str]) -> bool:
    line = text.rfind("\n", 0, found.start()) + 1
    declared = _ARRAY.match(text[line:].lstrip())
    return declared is not None and declared[2] == found[1] and "(" not in text[line : found.end()]


def _closing(text: str, at: int) -> int:
    """Return where the bracket closes that is open at a place."""
    depth = 0
    for place in range(at, len(text)):
        depth += (text[place] in "([") - (text[place] in ")]")
        if depth < 0:
            return place
    raise ValueError(f"no bracket closes {text[at : at + 80]!r}")


def _vector(before: str) -> int:
    """Return the lanes of the vector's load or store that a pointer is an operand of."""
    depth = 0
    for place in range(len(before) - 1, -1, -1):
        depth += (before[place] in ")]") - (before[place] in "([")
        if depth < 0:
            call = re.search(r"v(?:load|store)(\d+)$", before[:place])
            if call is not None:
                return int(call[1])
            if _ADDRESS.search(before[place:]):
                return 1
            break
    raise ValueError(f"an array is used in an unknown way, behind {before[-80:]!r}")
