"""TVM's tracker itself, which one machine runs for a fleet."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import socket
from types import ModuleType

from tvmlcnn.errors import UserError

from .tvm_runtime import import_without_torch


def load() -> ModuleType:
    """Load TVM's tracker.

    Raises
    ------
    UserError
        If tornado is not installed, which it is made of.
    """
    if importlib.util.find_spec("tornado") is None:
        raise UserError("TVM's tracker needs tornado: pip install 'tvmlcnn[tracker]'")
    os.environ["TVM_USE_RUNTIME_LIB"] = "1"  # it compiles nothing
    return import_without_torch("tvm.rpc.tracker")


def serve(program: ModuleType, listener: socket.socket) -> None:
    """Run the tracker until an exception such as KeyboardInterrupt."""
    program.logger.setLevel("ERROR")
    asyncio.set_event_loop(asyncio.new_event_loop())
    program.TrackerServerHandler(listener, secrets.token_hex(16)).run()
