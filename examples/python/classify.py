"""Classify photos with a network that tvmlcnn compiled: ``classify.py FILE.so PHOTO ...``.

It needs tvmlcnn without its compiler: ``pip install tvmlcnn``.
"""

from __future__ import annotations

import sys

import tvmlcnn
from tvmlcnn.runtime.classify import top
from tvmlcnn.runtime.photo import read_photo


def main(file: str, *photos: str) -> None:
    """Print the five best classes of each photo."""
    model = tvmlcnn.load(file)
    for photo in photos:
        scores = model(read_photo(photo, model))
        labels = model.labels or [f"class {number}" for number in range(scores.size)]
        print(photo)
        for guess in top(scores, labels):
            print(f"{guess.score:.3f}  {guess.label}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except tvmlcnn.UserError as error:
        sys.exit(f"error: {error}")
