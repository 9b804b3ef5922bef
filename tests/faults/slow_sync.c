/* Loaded before libc: each sync takes 8 ms longer, as on a disk that turns (row 78 of the fault suite). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void turn(void)
{
    const struct timespec once = {0, 8000000};
    nanosleep(&once, 0);
}

int fsync(int file)
{
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    turn();
    return sync(file);
}

int fdatasync(int file)
{
    int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    turn();
    return sync(file);
}
