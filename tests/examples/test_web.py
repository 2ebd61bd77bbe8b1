"""The web service answers photos, several at the same time, and refuses what is none."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from programs import EXAMPLES

import tvmlcnn
from tvmlcnn.runtime.classify import top
from tvmlcnn.runtime.preprocessing import read_image

SERVICE = EXAMPLES / "web" / "service.py"


@pytest.fixture(scope="module")
def client(classifier: Callable[[str], Path]) -> TestClient:
    spec = importlib.util.spec_from_file_location("service", SERVICE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["service"] = module  # where FastAPI looks up the types of parameters
    spec.loader.exec_module(module)
    return TestClient(module.service(str(classifier("x86_64")), 1))


def answer(file: Path, photo: Path, count: int = 5) -> list[dict[str, object]]:
    model = tvmlcnn.load(file)
    assert model.preprocessing is not None
    assert model.labels is not None
    scores = model(read_image(photo, model.inputs[0].shape, model.preprocessing))
    return [vars(guess) for guess in top(scores, model.labels, count)]


def test_it_says_what_it_serves(client: TestClient) -> None:
    said = client.get("/").json()
    assert said["input"] == {"name": "x", "shape": [1, 3, 32, 32], "dtype": "float32"}
    assert said["model"] == "SmallNet"


def test_what_is_no_photo_is_refused(client: TestClient, samples: Path) -> None:
    photo = (samples / "chelsea.png").read_bytes()
    for content in (b"", b"text", photo[:2000], photo[:20] + b"\xff" * 8 + photo[28:]):
        refused = client.post("/classify", files={"photo": ("x.png", content)})
        assert refused.status_code == 400
        assert refused.json() == {"detail": "x.png is no photo that can be read"}
    assert client.post("/classify").status_code == 422


@contextmanager
def served(file: Path) -> Iterator[str]:
    """Run the service as its documentation says, at a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(SERVICE), str(file), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(600):
                try:
                    httpx.get(address)
                    break
                except httpx.TransportError:
                    assert process.poll() is None
                    time.sleep(0.1)
            yield address
        finally:
            process.terminate()


def test_requests_side_by_side(classifier: Callable[[str], Path], samples: Path) -> None:
    file, photos = classifier("x86_64"), [samples / "chelsea.png", samples / "coffee.png"]
    expected = [answer(file, photo, 3) for photo in photos]
    content = [photo.read_bytes() for photo in photos]
    with served(file) as address, httpx.Client(timeout=60) as client:

        def ask(number: int) -> object:
            files = {"photo": (photos[number % 2].name, content[number % 2])}
            return client.post(f"{address}/classify?count=3", files=files).json()

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(40)))
    assert answers == [{"top": expected[number % 2]} for number in range(40)]
