"""Running the user's own code: it finds what lies beside it, and leaves no traces in ours."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import io
import os
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from tvmlcnn.errors import UserError, first_line, reason_of

from .containment import contained
from .refusals import place_of

_OURS = {"tvmlcnn", "torch", "tvm", "tvm_ffi", "numpy"}
"""Never taken from the user's folder, which may be a checkout of one of them."""
_INSTALLED = re.compile(r"[\\/](site|dist)-packages[\\/]")


class UserCode:
    """A file or module of the user's, and what it imports of its folder.

    The modules of the folder are in ``sys.modules`` only while the code runs: another folder may
    have others of the same names, and so may the process that called us.

    Parameters
    ----------
    place : str
        ``FILE.py``, or the name of a module that is looked for in the working folder first.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        path = Path(place)
        self._file = path if path.suffix == ".py" else None
        self._folder = path.parent.absolute() if self._file else Path.cwd()
        self._finder = _Neighbours(self._folder)
        self._modules: dict[str, types.ModuleType] = {}
        self._path = list(sys.path)

    def load(self) -> types.ModuleType:
        """Import it.

        Raises
        ------
        UserError
            If there is no such file, or it raises or ends the program.
        """
        if self._file is not None and not os.path.isfile(self._file):
            raise UserError(f"no such file: {self.place}")
        return self.call(f"cannot import {self.place}:", self._import)

    def call(self, what: str, function: Callable[[], Any]) -> Any:
        """Return what a function of the user's returns; what it prints goes to stderr.

        Raises
        ------
        UserError
            If it raises or ends the program; the message begins with ``what``.
        """
        printed = io.StringIO()  # argparse prints several lines before it ends the program
        try:
            with (
                self._running(),
                redirect_stdout(printed),
                redirect_stderr(printed),
                warnings.catch_warnings(),
            ):
                # What they say of their own code; the user's warnings, and those of it, stay.
                warnings.filterwarnings("ignore", module=r"(torch|torchvision|tvm)(\.|$)")
                return function()
        except SystemExit as error:
            code = "" if isinstance(error.code, int) else str(error.code or "")
            said = [line.strip() for line in (printed.getvalue() + code).splitlines()]
            last = next((f": {line}" for line in reversed(said) if line), "")
            printed = io.StringIO()
            raise UserError(
                f"{what} SystemExit{last}; keep what a script does, as argparse and sys.exit, "
                "under if __name__ == '__main__'"
            ) from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever the user's code raises
            raise UserError(f"{what} {first_line(error)}") from error
        finally:
            sys.stderr.write(printed.getvalue())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the code find its neighbours, see arguments of its own, and print to stderr.

        What it ends the program with is an error.
        """
        with self._running(), _ends_refused():
            yield

    @contextmanager
    def _running(self) -> Iterator[None]:
        hidden = {name: sys.modules.pop(name) for name in self._clashing()}
        argv, path, folder = sys.argv, list(sys.path), Path.cwd()
        sys.modules.update(self._modules)
        sys.argv, sys.path[:] = [self.place], self._path
        others = _Others(path)
        sys.meta_path.insert(0, self._finder)
        sys.meta_path.append(others)
        try:
            with contained():
                yield
        finally:
            sys.meta_path.remove(self._finder)
            sys.meta_path.remove(others)
            self._path = list(sys.path)
            sys.argv, sys.path[:] = argv, path
            os.chdir(folder)  # what we write is named from here
            given = self._finder.given
            self._modules = {n: m for n, m in sys.modules.items() if n.partition(".")[0] in given}
            for name in self._modules:
                del sys.modules[name]
            sys.modules.update(hidden)

    def _import(self) -> types.ModuleType:
        if self._file is None:
            return importlib.import_module(self.place)
        # A name that nothing else has, be it Python's types or the user's own.
        digest = hashlib.sha256(str(self._file.absolute()).encode()).hexdigest()[:8]
        name = f"tvmlcnn_model_{re.sub(r'[^A-Za-z0-9]', '_', self._file.stem)}_{digest}"
        spec = importlib.util.spec_from_file_location(name, self._file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        self._finder.given.add(name)
        spec.loader.exec_module(module)
        return module

    def _clashing(self) -> list[str]:
        """Return modules that the process has under the names of others in the folder."""
        beside = {path.stem for path in self._folder.glob("*.py")}
        beside |= {path.parent.name for path in self._folder.glob("*/__init__.py")}
        names = {name for name in beside if _may_be_user_s(name) and name in sys.modules}
        strange = {name for name in names if self._is_elsewhere(sys.modules[name])}
        return [name for name in sys.modules if name.partition(".")[0] in strange]

    def _is_elsewhere(self, module: types.ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        if file is None or _INSTALLED.search(file):
            return False
        return self._folder not in Path(file).absolute().parents


class _Neighbours:
    """Finds modules of a folder, before installed ones and after Python's, as a script would.

    Attributes
    ----------
    given : set of str
        Names of those that it has found; what is in a package is not among them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.given: set[str] = set()

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return where a module is, as the import system asks; None where it is not here."""
        if path is not None or not _may_be_user_s(name):
            return None
        spec = PathFinder.find_spec(name, [self._folder])
        if spec is not None and spec.loader is None:  # a bare folder: any package goes first
            installed = PathFinder.find_spec(name)
            spec = spec if installed is None or installed.loader is None else None
        if spec is not None:
            self.given.add(name)
        return spec


class _Others:
    """Finds modules where they were before the code ran, which may have changed ``sys.path``.

    What we import while it runs is there.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: types.ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return where a module is; None for those of packages, which say so themselves."""
        return PathFinder.find_spec(name, self._folders) if path is None else None


@contextmanager
def running_code() -> Iterator[None]:
    """Let the code of a module that the caller has made print to stderr.

    What it ends the program with is an error.
    """
    with contained(), _ends_refused():
        yield


@contextmanager
def _ends_refused() -> Iterator[None]:
    """Raise a UserError for what would end the program and is no Exception, as SystemExit."""
    try:
        yield
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        said = "" if isinstance(error, SystemExit) and isinstance(error.code, int) else str(error)
        raise UserError(
            f"the model{place_of(error)} ends the program: {type(error).__name__}"
            f"{': ' if said else ''}{said and reason_of(error)}; have it raise a RuntimeError"
        ) from error


def _may_be_user_s(name: str) -> bool:
    return name not in sys.stdlib_module_names and name not in _OURS
