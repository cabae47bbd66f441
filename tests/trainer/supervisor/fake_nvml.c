/* Two GPUs that answer as NVML does; the second does not know its power, and can be lost. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct { unsigned int gpu, memory; } utilization_t;
typedef struct { unsigned long long total, free, used; } memory_t;
enum { SUCCESS = 0, NOT_SUPPORTED = 3, GPU_IS_LOST = 15 };
static int devices[2] = {0, 1};
static int is_lost(int *device) {
  const char *path = getenv("STAND_IN_NVML_LOST_FILE");
  return *device && path && access(path, F_OK) == 0;
}

int nvmlInitWithFlags(unsigned int flags) { (void)flags; return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) {
  return code == NOT_SUPPORTED ? "Not Supported" : code == GPU_IS_LOST ? "GPU is lost" : "Other";
}
int nvmlSystemGetDriverVersion(char *text, unsigned int size) {
  snprintf(text, size, "580.65.06");
  return SUCCESS;
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13000; return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 2; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, int **device) {
  *device = &devices[index];
  return SUCCESS;
}
int nvmlDeviceGetUUID(int *device, char *text, unsigned int size) {
  if (is_lost(device)) return GPU_IS_LOST;
  snprintf(text, size, *device ? "GPU-bbbb" : "GPU-aaaa");
  return SUCCESS;
}
int nvmlDeviceGetName(int *device, char *text, unsigned int size) {
  if (is_lost(device)) return GPU_IS_LOST;
  snprintf(text, size, "Stand-in GPU");
  return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(int *device, utilization_t *rates) {
  if (is_lost(device)) return GPU_IS_LOST;
  rates->gpu = *device ? 50 : 97;
  rates->memory = 10;
  return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(int *device, memory_t *memory) {
  if (is_lost(device)) return GPU_IS_LOST;
  memory->total = 12ULL << 30;
  memory->used = 10ULL << 30;
  memory->free = 2ULL << 30;
  return SUCCESS;
}
int nvmlDeviceGetPowerUsage(int *device, unsigned int *milliwatts) {
  if (is_lost(device)) return GPU_IS_LOST;
  if (*device) return NOT_SUPPORTED;
  *milliwatts = 162000;
  return SUCCESS;
}
int nvmlDeviceGetEnforcedPowerLimit(int *device, unsigned int *milliwatts) {
  if (is_lost(device)) return GPU_IS_LOST;
  *milliwatts = 170000;
  return SUCCESS;
}
int nvmlDeviceGetTemperature(int *device, unsigned int sensor, unsigned int *celsius) {
  if (is_lost(device)) return GPU_IS_LOST;
  (void)sensor;
  *celsius = 71;
  return SUCCESS;
}
int nvmlDeviceGetClockInfo(int *device, unsigned int clock, unsigned int *megahertz) {
  if (is_lost(device)) return GPU_IS_LOST;
  *megahertz = clock == 1 ? 1777 : 1;
  return SUCCESS;
}
/* No nvmlDeviceGetCurrentClocksEventReasons: drivers before 535 have only the older name. */
int nvmlDeviceGetCurrentClocksThrottleReasons(int *device, unsigned long long *mask) {
  if (is_lost(device)) return GPU_IS_LOST;
  *mask = 0x1 | 0x4 | 0x40;
  return SUCCESS;
}
