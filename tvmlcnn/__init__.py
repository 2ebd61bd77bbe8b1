"""Light convolutional networks, compiled by TVM into one fast file for ARM, x86 and CUDA.

``tvmlcnn.compile`` makes the file (it needs the extra ``compile``), ``tvmlcnn.load`` runs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import UserError

if TYPE_CHECKING:
    from .compile_report import Report
    from .compiler import compile
    from .runtime import Model, load

    __version__: str

__all__ = ["Model", "Report", "UserError", "__version__", "compile", "load"]


def __getattr__(name: str) -> Any:
    """Import the runtime or the compiler when it is first used: a device has no compiler."""
    if name == "__version__":
        from importlib.metadata import version

        return version("tvmlcnn")
    if name in ("Model", "load"):
        from . import runtime

        return getattr(runtime, name)
    if name in ("Report", "compile"):
        try:
            from . import compiler
        except ModuleNotFoundError as error:
            raise UserError(
                f"the compiler needs {error.name}: pip install 'tvmlcnn[compile]'"
            ) from error
        return getattr(compiler, name)
    raise AttributeError(f"module 'tvmlcnn' has no attribute {name!r}")
