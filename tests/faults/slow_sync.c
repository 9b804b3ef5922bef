/* Loaded before libc: each sync takes 16 ms longer, as on a disk that turns (row 78 of the fault suite). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void turns(void)
{
    const struct timespec both = {0, 16000000};
    nanosleep(&both, 0);
}

int fsync(int file)
{
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    turns();
    return sync(file);
}

int fdatasync(int file)
{
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    turns();
    return sync(file);
}
