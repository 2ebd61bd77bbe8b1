"""A web service that classifies photos with a network that tvmlcnn compiled.

::

    pip install tvmlcnn fastapi python-multipart uvicorn
    python service.py FILE.so --port 8000
    curl -F photo=@cat.jpg http://localhost:8000/classify

Requests run side by side, as many as there are CPUs for their threads; further ones wait.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, UploadFile

import tvmlcnn
from tvmlcnn.runtime.classify import top
from tvmlcnn.runtime.photo import read_photo


def service(file: str, threads: int) -> FastAPI:
    """Return the service of a compiled file.

    Parameters
    ----------
    file : str
        Of a network that takes one RGB image.
    threads : int
        Of each request. With one, most requests a second are answered; with more, each of them
        earlier while there are few.
    """
    model = tvmlcnn.load(file, threads=threads)
    labels = model.labels
    app = FastAPI(title=model.manifest["model"])

    @app.get("/")
    def describe() -> dict[str, Any]:
        return {
            "model": model.manifest["model"],
            "input": asdict(model.inputs[0]),
            "outputs": [asdict(output) for output in model.outputs],
        }

    # No coroutine: FastAPI calls it in a thread of its own for each request.
    @app.post("/classify")
    def classify(photo: UploadFile, count: int = 5) -> dict[str, Any]:
        try:
            pixels = read_photo(photo.file, model)
        except tvmlcnn.UserError as error:
            raise HTTPException(400, f"{photo.filename} is no photo that can be read") from error
        scores = model(pixels)
        names = labels or [f"class {number}" for number in range(scores.size)]
        return {"top": [asdict(guess) for guess in top(scores, names, max(1, count))]}

    return app


def main() -> None:
    """Serve one file until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--threads", type=int, default=1, help="of each request")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    app = service(options.file, options.threads)
    uvicorn.run(app, host=options.host, port=options.port)


if __name__ == "__main__":
    main()
