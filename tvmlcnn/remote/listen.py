"""Sockets to listen at, and what it means to be heard outside this machine."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from tvmlcnn.errors import UserError


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a port, any free one for 0; raise UserError if it cannot."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            mend, parameter = (
                f"port {port} is in use; choose another, or 0 for any free one",
                "port",
            )
        else:
            mend = "the host has to be an address of this machine, or 0.0.0.0 for all of them"
            parameter = "host"
        raise UserError(
            f"cannot listen on {host}:{port}: {mend}", parameters=(parameter,)
        ) from error


def listen_at(path: str) -> socket.socket:
    """Return a socket at a path, which only this user can connect to."""
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError as error:
        raise UserError(f"cannot listen at {path}: {error}") from error
    finally:
        os.umask(mask)
    listener.listen()
    return listener


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
