/* A library to preload (LD_PRELOAD): the Nth call of some kinds on a file below a folder fails, or
 * the process dies there.
 *
 * `struct control` lies in a file that all processes map, so that a program's worker processes count
 * together with it. Only processes of one process group are affected: the harness itself, which
 * preloads this library too, is not. See fault_injector.py, which has the same structure.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* Kinds of calls, as bits. */
enum {
    OPEN = 1,       /* open for reading, folders too */
    READ = 2,
    STAT = 4,
    LIST = 8,       /* read a folder's next entry */
    CREATE = 16,    /* open for writing; new folders and links */
    WRITE = 32,
    TRUNCATE = 64,
    SYNC = 128,
    RENAME = 256,
    REMOVE = 512,
    ATTRIBUTE = 1024, /* permissions and times */
    STEP = 2048       /* open a folder on the way to a file (O_PATH) */
};
enum action { FAIL, KILL_BEFORE, KILL_AFTER, KILL_HALF_WAY };

struct control {
    int group;   /* process group; 0 affects nobody */
    int kinds;   /* bits of the calls that count */
    int nth;     /* number of the call, from 1; 0 only counts */
    int action;
    int error;   /* errno of FAIL */
    int persists; /* later calls fail too */
    int count;   /* calls counted */
    int counts[12]; /* the same, by kind */
    int hits;    /* calls that failed or killed */
    char folder[512];
    char call[64];    /* the first hit: name of the function */
    char path[1024];  /* ... and its path */
};
static struct control *control;

__attribute__((constructor)) static void map_control(void)
{
    const char *file = getenv("FAULT_CONTROL");
    int descriptor = file ? (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0) : -1;
    if (descriptor < 0)
        return;
    void *memory = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    syscall(SYS_close, descriptor);
    control = memory == MAP_FAILED ? NULL : memory;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    pause();
}

/* Write the absolute path of `path`, relative to the open folder `folder`, or of the descriptor itself. */
static void resolve(int folder, const char *path, char *absolute, size_t size)
{
    absolute[0] = 0;
    if (path && path[0] == '/') {
        snprintf(absolute, size, "%s", path);
        return;
    }
    char link[64];
    if (folder == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/self/cwd");
    else
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, absolute, size - 1);
    absolute[length < 0 ? 0 : length] = 0;
    if (length > 0 && path && path[0])
        snprintf(absolute + length, size - (size_t)length, "/%s", path);
}

static int is_below(const char *path)
{
    size_t length = strlen(control->folder);
    return !strncmp(path, control->folder, length) && (path[length] == '/' || !path[length]);
}

/* What to do with this call: NOTHING, or an action. Sets errno for FAIL. */
#define NOTHING -1
static int judge(int kind, const char *call, int folder, const char *path)
{
    if (!control || !control->group || !(kind & control->kinds) || getpgrp() != control->group)
        return NOTHING;
    int saved = errno;
    char absolute[1024];
    resolve(folder, path, absolute, sizeof absolute);
    errno = saved;
    if (!is_below(absolute))
        return NOTHING;
    int number = __sync_add_and_fetch(&control->count, 1);
    __sync_fetch_and_add(&control->counts[__builtin_ctz(kind)], 1);
    if (!control->nth || number < control->nth || (number > control->nth && !control->persists))
        return NOTHING;
    if (__sync_fetch_and_add(&control->hits, 1) == 0) {
        snprintf(control->call, sizeof control->call, "%s", call);
        snprintf(control->path, sizeof control->path, "%s", absolute);
    }
    if (control->action == KILL_BEFORE || (control->action == KILL_HALF_WAY && kind != WRITE))
        die();
    errno = control->error;
    return control->action;
}

/* Define a function that asks `judge` about its file before it calls the real one. */
#define WRAP(kind, folder, path, failure, type, name, parameters, ...)            \
    type name parameters                                                           \
    {                                                                              \
        static type(*real) parameters;                                             \
        if (!real)                                                                 \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name);                    \
        int action = judge(kind, #name, folder, path);                             \
        if (action == FAIL)                                                        \
            return failure;                                                        \
        type result = real(__VA_ARGS__);                                           \
        if (action == KILL_AFTER)                                                  \
            die();                                                                 \
        return result;                                                             \
    }

/* Writing half of the bytes is the half-way point of a write. */
#define WRAP_WRITE(name, parameters, descriptor, size, ...)                        \
    ssize_t name parameters                                                        \
    {                                                                              \
        static ssize_t(*real) parameters;                                          \
        if (!real)                                                                 \
            real = (ssize_t(*) parameters)dlsym(RTLD_NEXT, #name);                 \
        int action = judge(WRITE, #name, descriptor, NULL);                        \
        if (action == FAIL)                                                        \
            return -1;                                                             \
        if (action == KILL_HALF_WAY)                                               \
            size /= 2;                                                             \
        ssize_t result = real(__VA_ARGS__);                                        \
        if (action == KILL_AFTER || action == KILL_HALF_WAY)                       \
            die();                                                                 \
        return result;                                                             \
    }

static int open_kind(int flags)
{
    if ((flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT)
        return CREATE;
    return flags & O_PATH ? STEP : OPEN;
}

static int open_file(const char *call, int folder, const char *path, int flags, va_list more)
{
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    int action = judge(open_kind(flags), call, folder, path);
    if (action == FAIL)
        return -1;
    int result = (int)syscall(SYS_openat, folder, path, flags, mode);
    if (action == KILL_AFTER)
        die();
    return result;
}

/* The mode of a new file is an optional argument. */
#define WRAP_OPEN(folder, name, ...)                                               \
    int name(__VA_ARGS__, int flags, ...)                                          \
    {                                                                              \
        va_list more;                                                              \
        va_start(more, flags);                                                     \
        int result = open_file(#name, folder, path, flags, more);                  \
        va_end(more);                                                              \
        return result;                                                             \
    }

WRAP_OPEN(AT_FDCWD, open, const char *path)
WRAP_OPEN(AT_FDCWD, open64, const char *path)
WRAP_OPEN(folder, openat, int folder, const char *path)
WRAP_OPEN(folder, openat64, int folder, const char *path)

WRAP(READ, file, NULL, -1, ssize_t, read, (int file, void *bytes, size_t size), file, bytes, size)
WRAP(READ, file, NULL, -1, ssize_t, pread, (int file, void *bytes, size_t size, off_t at), file, bytes, size, at)
WRAP(READ, file, NULL, -1, ssize_t, pread64, (int file, void *bytes, size_t size, off64_t at), file, bytes, size, at)
WRAP(READ, file, NULL, -1, ssize_t, readv, (int file, const struct iovec *parts, int n), file, parts, n)

WRAP(STAT, AT_FDCWD, path, -1, int, stat, (const char *path, struct stat *to), path, to)
WRAP(STAT, AT_FDCWD, path, -1, int, stat64, (const char *path, struct stat64 *to), path, to)
WRAP(STAT, AT_FDCWD, path, -1, int, lstat, (const char *path, struct stat *to), path, to)
WRAP(STAT, AT_FDCWD, path, -1, int, lstat64, (const char *path, struct stat64 *to), path, to)
WRAP(STAT, file, NULL, -1, int, fstat, (int file, struct stat *to), file, to)
WRAP(STAT, file, NULL, -1, int, fstat64, (int file, struct stat64 *to), file, to)
WRAP(STAT, folder, path, -1, int, fstatat, (int folder, const char *path, struct stat *to, int flags), folder, path,
     to, flags)
WRAP(STAT, folder, path, -1, int, fstatat64, (int folder, const char *path, struct stat64 *to, int flags), folder,
     path, to, flags)
WRAP(STAT, folder, path, -1, int, statx,
     (int folder, const char *path, int flags, unsigned mask, struct statx *to), folder, path, flags, mask, to)
WRAP(STAT, AT_FDCWD, path, -1, ssize_t, readlink, (const char *path, char *to, size_t size), path, to, size)
WRAP(STAT, folder, path, -1, ssize_t, readlinkat, (int folder, const char *path, char *to, size_t size), folder, path,
     to, size)

WRAP(OPEN, AT_FDCWD, path, NULL, DIR *, opendir, (const char *path), path)
WRAP(OPEN, file, NULL, NULL, DIR *, fdopendir, (int file), file)
WRAP(LIST, dirfd(folder), NULL, NULL, struct dirent *, readdir, (DIR * folder), folder)
WRAP(LIST, dirfd(folder), NULL, NULL, struct dirent64 *, readdir64, (DIR * folder), folder)

WRAP_WRITE(write, (int file, const void *bytes, size_t size), file, size, file, bytes, size)
WRAP_WRITE(pwrite, (int file, const void *bytes, size_t size, off_t at), file, size, file, bytes, size, at)
WRAP_WRITE(pwrite64, (int file, const void *bytes, size_t size, off64_t at), file, size, file, bytes, size, at)
WRAP_WRITE(writev, (int file, const struct iovec *parts, int n), file, n, file, parts, n)
WRAP_WRITE(sendfile, (int to, int from, off_t *at, size_t size), to, size, to, from, at, size)
WRAP_WRITE(sendfile64, (int to, int from, off64_t *at, size_t size), to, size, to, from, at, size)
WRAP_WRITE(copy_file_range, (int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags), to, size,
           from, at, to, there, size, flags)

WRAP(TRUNCATE, file, NULL, -1, int, ftruncate, (int file, off_t size), file, size)
WRAP(TRUNCATE, file, NULL, -1, int, ftruncate64, (int file, off64_t size), file, size)
WRAP(TRUNCATE, AT_FDCWD, path, -1, int, truncate, (const char *path, off_t size), path, size)
WRAP(TRUNCATE, AT_FDCWD, path, -1, int, truncate64, (const char *path, off64_t size), path, size)
WRAP(SYNC, file, NULL, -1, int, fsync, (int file), file)
WRAP(SYNC, file, NULL, -1, int, fdatasync, (int file), file)

WRAP(RENAME, AT_FDCWD, to, -1, int, rename, (const char *from, const char *to), from, to)
WRAP(RENAME, there, to, -1, int, renameat, (int here, const char *from, int there, const char *to), here, from, there,
     to)
WRAP(RENAME, there, to, -1, int, renameat2, (int here, const char *from, int there, const char *to, unsigned flags),
     here, from, there, to, flags)
WRAP(CREATE, AT_FDCWD, path, -1, int, mkdir, (const char *path, mode_t mode), path, mode)
WRAP(CREATE, folder, path, -1, int, mkdirat, (int folder, const char *path, mode_t mode), folder, path, mode)
WRAP(CREATE, AT_FDCWD, path, -1, int, symlink, (const char *target, const char *path), target, path)
WRAP(CREATE, folder, path, -1, int, symlinkat, (const char *target, int folder, const char *path), target, folder,
     path)
WRAP(CREATE, AT_FDCWD, path, -1, int, link, (const char *target, const char *path), target, path)
WRAP(CREATE, folder, path, -1, int, linkat, (int there, const char *target, int folder, const char *path, int flags),
     there, target, folder, path, flags)
WRAP(REMOVE, AT_FDCWD, path, -1, int, unlink, (const char *path), path)
WRAP(REMOVE, folder, path, -1, int, unlinkat, (int folder, const char *path, int flags), folder, path, flags)
WRAP(REMOVE, AT_FDCWD, path, -1, int, rmdir, (const char *path), path)
WRAP(ATTRIBUTE, AT_FDCWD, path, -1, int, chmod, (const char *path, mode_t mode), path, mode)
WRAP(ATTRIBUTE, file, NULL, -1, int, fchmod, (int file, mode_t mode), file, mode)
WRAP(ATTRIBUTE, folder, path, -1, int, fchmodat, (int folder, const char *path, mode_t mode, int flags), folder, path,
     mode, flags)
WRAP(ATTRIBUTE, folder, path, -1, int, utimensat,
     (int folder, const char *path, const struct timespec times[2], int flags), folder, path, times, flags)
WRAP(ATTRIBUTE, file, NULL, -1, int, futimens, (int file, const struct timespec times[2]), file, times)
