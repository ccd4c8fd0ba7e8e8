/* A stand-in for NVIDIA's management library, built by tests: the real bindings load it, the real code calls it.
   The file named by FAKE_GPUS holds one line per GPU: the bytes in use. It may be rewritten at any time. Each time the
   memory has been asked for, a file `*.seen` beside it says so. */
#include <stdio.h>
#include <stdlib.h>

typedef struct { unsigned long long total, free, used; } Memory;

static int read_gpus(unsigned long long *used) {
    FILE *file = fopen(getenv("FAKE_GPUS"), "r");
    int count = 0;
    while (file && count < 16 && fscanf(file, "%llu", &used[count]) == 1) count++;
    if (file) fclose(file);
    return count;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return getenv("FAKE_GPUS") ? 0 : 9; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    unsigned long long used[16];
    *count = (unsigned)read_gpus(used);
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    unsigned long long used[16];
    *device = (void *)(size_t)(index + 1);
    return (int)index < read_gpus(used) ? 0 : 2;
}

int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
    unsigned long long used[16];
    read_gpus(used);
    memory->total = 80000000000ULL;
    memory->used = used[(size_t)device - 1];
    memory->free = memory->total - memory->used;
    char seen[4096];
    snprintf(seen, sizeof seen, "%s.seen", getenv("FAKE_GPUS"));
    FILE *file = fopen(seen, "w");
    if (file) fclose(file);
    return 0;
}

int nvmlDeviceGetUUID(void *device, char *name, unsigned length) {
    int index = (int)(size_t)device - 1;
    snprintf(name, length, index == 3 ? "GPU-unlike-%d" : "GPU-fake-%d", index);
    return 0;
}

int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    snprintf(name, length, "NVIDIA Fake %d", (int)(size_t)device - 1);
    return 0;
}

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    snprintf(version, length, "580.00.fake");
    return 0;
}

int nvmlShutdown(void) { return 0; }
