"""Fingerprints of torchvision's state dicts, against which the zoo's are compared.

`torchvision_fingerprints.json` holds them, so that the tests need no torchvision. Where one is
installed, ``python tests/models/torchvision_fingerprints.py`` prints the file anew.
"""

import hashlib
import json
from collections.abc import Mapping

import torch


def fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over the sorted lines ``key shape`` of a state dict."""
    lines = sorted(f"{key} {tuple(value.shape)}" for key, value in state.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def main() -> None:
    import torchvision

    from tvmlcnn.models import entries

    with torch.device("meta"):
        prints = {
            name: fingerprint(torchvision.models.get_model(name).state_dict())
            for name, entry in sorted(entries().items())
            if entry.torchvision
        }
    print(json.dumps(prints, indent=1))


if __name__ == "__main__":
    main()
