"""What GPUs can compute at most, by name and precision."""

import re
from typing import Literal

# Dense operations a second in units of 1e12: bf16 on tensor cores with fp32 accumulation, and
# fp32 without TF32, which torch leaves off for products. From NVIDIA's data sheets and
# architecture white papers; where a sheet gives the rate with sparsity, half of it. The first
# pattern that a name holds decides.
_PEAKS: tuple[tuple[str, float, float], ...] = (
    (r"\bB200\b", 2250.0, 80.0),
    (r"\bGH200\b", 989.4, 66.9),
    (r"\bH200 NVL\b", 835.5, 60.0),
    (r"\bH200\b", 989.4, 66.9),
    (r"\bH100 NVL\b", 835.5, 60.0),
    (r"\bH100 PCIe\b", 756.5, 51.2),
    (r"\bH100\b", 989.4, 66.9),
    (r"\bA100\b", 311.9, 19.5),
    (r"\bL40S\b", 362.1, 91.6),
    (r"\bL40\b", 181.1, 90.5),
    (r"\bL4\b", 121.2, 30.3),
    (r"\bA40\b", 149.7, 37.4),
    (r"\bA30\b", 165.1, 10.3),
    (r"\bA10G\b", 70.0, 35.0),
    (r"\bA10\b", 125.0, 31.2),
    (r"\bRTX 6000 Ada\b", 364.2, 91.1),
    (r"\bRTX A6000\b", 154.8, 38.7),
    (r"\bRTX 5090\b", 209.5, 104.8),
    (r"\bRTX 4090\b", 165.2, 82.6),
    (r"\bRTX 3090 Ti\b", 80.0, 40.0),
    (r"\bRTX 3090\b", 71.0, 35.6),
)
# A slice of a GPU and other chips under a known name.
_ANOTHER = re.compile(r"\bMIG\b|Laptop|Max-Q|\b4090 D\b|\b5090 D\b")


def peak_flops(device_name: str, dtype: Literal["bf16", "fp32"]) -> float | None:
    """Return the most operations a second of a device in `dtype`; None: not known."""
    if _ANOTHER.search(device_name):
        return None
    for pattern, bf16, fp32 in _PEAKS:
        if re.search(pattern, device_name):
            return 1e12 * (bf16 if dtype == "bf16" else fp32)
    return None
