"""Print the GPU at hand as JSON, or what the user is told; how many GPUs the tests' driver has."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import sys

from tvmlcnn.errors import UserError
from tvmlcnn.targets import records_name, resolve

ctypes.CDLL("libcuda.so.1").fake_devices(int(sys.argv[1]))
try:
    device = resolve("cuda-native")
except UserError as error:
    print(json.dumps({"error": str(error)}))
else:
    found = dataclasses.asdict(device)
    print(json.dumps(found | {"peak": device.peak_gflops, "records": records_name(device)}))
