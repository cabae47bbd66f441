"""Read GPUs through NVML: those that this process may use, found by UUID."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pynvml  # type: ignore[import-untyped]

from trainer.run.events import GpuSample

nvml: Any = pynvml
NVMLError: type[Exception] = nvml.NVMLError

# Idle, clocks that a person set, and display clocks are no complaint about the machine.
THROTTLE_REASONS: dict[int, str] = {
    nvml.nvmlClocksEventReasonSwPowerCap: "power cap",
    nvml.nvmlClocksEventReasonHwSlowdown: "hardware slowdown",
    nvml.nvmlClocksEventReasonSyncBoost: "sync boost",
    nvml.nvmlClocksEventReasonSwThermalSlowdown: "thermal (software)",
    nvml.nvmlClocksEventReasonHwThermalSlowdown: "thermal (hardware)",
    nvml.nvmlClocksEventReasonHwPowerBrakeSlowdown: "power brake",
}


@dataclass(frozen=True)
class Gpu:
    """A GPU by the names it keeps, also when the driver has lost it."""

    index: int
    handle: Any
    uuid: str
    name: str


class Gpus:
    """The GPUs of this process; `note` says why there are none."""

    def __init__(self, visible: str | None) -> None:
        self._gpus: list[Gpu] = []
        self.note = ""
        self._visible = visible
        self._open()

    def _open(self) -> None:
        try:
            nvml.nvmlInit()
            present = [self._known(index) for index in range(nvml.nvmlDeviceGetCount())]
        except NVMLError as error:
            self.note = f"not available: {error}"
            return
        uuids = [gpu.uuid for gpu in present]
        self._gpus = [present[i] for i in visible_devices(uuids, self._visible)]
        if not self._gpus:
            self.note = (
                f"not available: CUDA_VISIBLE_DEVICES={self._visible!r} hides all {len(present)}"
                if present
                else "not available: NVML finds no GPU"
            )

    def _known(self, index: int) -> Gpu:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        uuid = _text(nvml.nvmlDeviceGetUUID(handle))
        return Gpu(
            index, handle, uuid, self._ask(nvml.nvmlDeviceGetName, handle, convert=_text) or ""
        )

    def close(self) -> None:
        """Let go of NVML."""
        if self._gpus:
            nvml.nvmlShutdown()
            self._gpus = []

    def driver_version(self) -> str | None:
        """Return the driver's version."""
        return self._ask(nvml.nvmlSystemGetDriverVersion, convert=_text)

    def cuda_version(self) -> tuple[int, int] | None:
        """Return the newest CUDA version that the driver can run, as (major, minor)."""
        number = self._ask(nvml.nvmlSystemGetCudaDriverVersion_v2)
        return None if number is None else (number // 1000, number % 1000 // 10)

    def sample(self) -> tuple[GpuSample, ...]:
        """Return one sample of every GPU; what a GPU does not tell is None."""
        return tuple(self._sample_one(gpu) for gpu in self._gpus)

    def _sample_one(self, gpu: Gpu) -> GpuSample:
        handle = gpu.handle
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        return GpuSample(
            index=gpu.index,
            uuid=gpu.uuid,
            name=gpu.name,
            utilization=self._ask(
                nvml.nvmlDeviceGetUtilizationRates, handle, convert=lambda rates: rates.gpu / 100
            ),
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            power_watts=self._ask(nvml.nvmlDeviceGetPowerUsage, handle, convert=_watts),
            power_limit_watts=self._ask(
                nvml.nvmlDeviceGetEnforcedPowerLimit, handle, convert=_watts
            ),
            temperature_celsius=self._ask(
                nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU, convert=float
            ),
            sm_clock_mhz=self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
            throttle_reasons=self._throttle_reasons(handle),
            lost=self._is_lost(handle),
        )

    def _is_lost(self, handle: Any) -> bool:
        try:
            nvml.nvmlDeviceGetMemoryInfo(handle)
        except nvml.NVMLError_GpuIsLost:
            return True
        except NVMLError:
            return False
        return False

    def _throttle_reasons(self, handle: Any) -> tuple[str, ...]:
        mask = self._ask(nvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
        if mask is None:  # the query's name before driver 535
            mask = self._ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle)
        return throttle_reasons(mask or 0)

    def _ask(
        self,
        query: Callable[..., Any],
        *arguments: Any,
        convert: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Return NVML's answer, None where this GPU or driver does not know the query."""
        try:
            answer = query(*arguments)
        except NVMLError:
            return None
        return answer if convert is None else convert(answer)


def throttle_reasons(mask: int) -> tuple[str, ...]:
    """Return the names of the reasons for which the clocks are held down."""
    return tuple(name for bit, name in THROTTLE_REASONS.items() if mask & bit)


def visible_devices(uuids: Sequence[str], visible: str | None) -> list[int]:
    """Return the indices of the GPUs that CUDA_VISIBLE_DEVICES leaves, in its order.

    As in CUDA, the list ends at the first entry that names no GPU, and a UUID may be cut short.
    `uuids` are in the order of the PCI bus, which is NVML's; `visible` None leaves all.
    """
    if visible is None:
        return list(range(len(uuids)))
    chosen: list[int] = []
    for entry in visible.split(","):
        index = _index_of(entry.strip(), uuids)
        if index is None or index in chosen:
            break
        chosen.append(index)
    return chosen


def _index_of(entry: str, uuids: Sequence[str]) -> int | None:
    if entry.isdecimal():
        return int(entry) if int(entry) < len(uuids) else None
    if entry.startswith("MIG-GPU-"):  # MIG-GPU-<uuid>/<instance>/<slice>
        entry = entry.removeprefix("MIG-").split("/")[0]
    matches = [i for i, uuid in enumerate(uuids) if entry and uuid.startswith(entry)]
    return matches[0] if len(matches) == 1 else None


def visible_from_environment() -> str | None:
    """Return CUDA_VISIBLE_DEVICES, None where it is not set."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _watts(milliwatts: int) -> float:
    return milliwatts / 1000
