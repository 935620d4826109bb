/* A disk that can be made slower: a library in front of fsync and fdatasync.
 *
 * The file that SLOW_FSYNC names says by how much, and may be changed while the program runs: two numbers of 32 bits, the
 * microseconds of a pause before each call, and how many pauses there have been. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct control {
    _Atomic uint32_t pause_us;
    _Atomic uint32_t pauses;
};

static struct control *control;

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("SLOW_FSYNC");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED) {
        perror("slow_fsync: the file in SLOW_FSYNC");
        _exit(1);
    }
    close(file);
    control = at;
}

static void pause_first(void)
{
    uint32_t us = control ? control->pause_us : 0;
    if (us == 0)
        return;
    struct timespec pause = { us / 1000000, us % 1000000 * 1000 };
    nanosleep(&pause, NULL);
    control->pauses++;
}

int fsync(int file)
{
    pause_first();
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file)
{
    pause_first();
    return (int)syscall(SYS_fdatasync, file);
}
