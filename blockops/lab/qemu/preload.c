/* Counts the host operations of a program that this is loaded into, and fails the one that is asked for.
 *
 * Only files below the folder $BLOCKOPS_ROOT are counted.  The program knows them by the names that they have
 * in the lab: /vm/d0.qcow2 is $BLOCKOPS_ROOT/vm/d0.qcow2.  What is asked for, and what has happened, stands in
 * the file $BLOCKOPS_CLOCK (`clock.py`), which both sides map; the numbers go on where the other side left off.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH_SIZE = 160, ENTRIES = 8192, SECTOR = 512 };

/* In the order of clock.OPERATIONS. */
enum kind { CREATE, OPEN, READ, WRITE, TRUNCATE, FLUSH, RENAME, UNLINK };

/* In the order of clock.How. */
enum how { ERRNO, SHORT, TORN, KILL };

struct entry {
    uint32_t kind, struck;
    uint64_t offset, length;
    char path[PATH_SIZE];
};

struct clock {
    uint32_t counting;   /* operations are numbered */
    uint32_t number;     /* of the last one */
    uint32_t armed;      /* the one that fails; 0: none */
    uint32_t how, code;  /* how it does, and with which errno */
    uint32_t applied;    /* after its effect */
    uint32_t lasting;    /* and so do later ones: */
    uint32_t wide;       /* of these kinds (bits) in every file; 0: of that kind in that file */
    uint32_t fits;       /* the kinds of operations (bits) that can fail like this */
    uint32_t begun;      /* it has struck */
    uint32_t first_kind; /* what it struck first */
    char first_path[PATH_SIZE];
    uint32_t logged;
    struct entry entries[ENTRIES];
};

static struct clock *shared;
static char root[PATH_SIZE];
static size_t root_length;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("BLOCKOPS_ROOT"), *clock = getenv("BLOCKOPS_CLOCK");
    int fd = clock ? open(clock, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!folder || strlen(folder) >= sizeof root || mapped == MAP_FAILED) {
        fputs("blockops: the clock cannot be mapped\n", stderr);
        _exit(127);
    }
    close(fd);
    strcpy(root, folder);
    root_length = strlen(root);
    shared = mapped;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* Returns the real name of a file that the lab knows as *path*. */
static const char *translated(const char *path, char *room)
{
    if (!shared || strncmp(path, "/vm/", 4) != 0)
        return path;
    snprintf(room, PATH_MAX, "%s%s", root, path);
    return room;
}

static const char *name_of(int fd, char *room)
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, room, PATH_MAX - 1);
    if (length <= (ssize_t)root_length || strncmp(room, root, root_length) != 0)
        return NULL;
    room[length] = 0;
    return room + root_length;
}

static int goes_on(enum kind kind, const char *path)
{
    if (!shared->lasting)
        return 0;
    if (shared->wide)
        return shared->wide >> kind & 1;
    return kind == shared->first_kind && strcmp(path, shared->first_path) == 0;
}

/* Notes an operation and, where they are counted, counts it; returns whether it is to fail. */
static int strikes(enum kind kind, const char *path, uint64_t offset, uint64_t length)
{
    int struck = 0;
    if (!shared || !path || strncmp(path, "/vm/", 4) != 0)
        return 0;
    pthread_mutex_lock(&mutex);
    uint32_t number = shared->counting ? ++shared->number : 0;
    if (!shared->counting)
        ;
    else if (shared->begun)
        struck = goes_on(kind, path);
    else if (shared->how == KILL)
        struck = shared->armed && number >= shared->armed;
    else
        struck = number == shared->armed && shared->fits >> kind & 1;
    if (struck && !shared->begun) {
        shared->begun = 1;
        shared->first_kind = kind;
        snprintf(shared->first_path, PATH_SIZE, "%s", path);
    }
    if (shared->logged < ENTRIES) {
        struct entry *entry = &shared->entries[shared->logged];
        *entry = (struct entry){.kind = kind, .struck = struck, .offset = offset, .length = length};
        snprintf(entry->path, PATH_SIZE, "%s", path);
    }
    shared->logged++;
    pthread_mutex_unlock(&mutex);
    if (struck && shared->how == KILL)
        kill(getpid(), SIGKILL);
    return struck;
}

static int on_file(enum kind kind, int fd, uint64_t offset, uint64_t length)
{
    char room[PATH_MAX];
    return shared && strikes(kind, name_of(fd, room), offset, length);
}

static int failed(void)
{
    errno = (int)shared->code;
    return -1;
}

static ssize_t size_of(const struct iovec *parts, int count)
{
    ssize_t size = 0;
    for (int i = 0; i < count; i++)
        size += (ssize_t)parts[i].iov_len;
    return size;
}

static int opened(const char *path, int flags, mode_t mode)
{
    char room[PATH_MAX];
    REAL(open64);
    const char *name = translated(path, room);
    int struck = strikes(flags & O_CREAT ? CREATE : OPEN, path, 0, 0);
    if (struck && !shared->applied)
        return failed();
    int fd = real(name, flags, mode);
    if (struck) {
        if (fd >= 0)
            close(fd);
        return failed();
    }
    return fd;
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return opened(path, flags, mode);
}

int __open64_2(const char *path, int flags)
{
    return opened(path, flags, 0);
}

int stat64(const char *path, struct stat64 *found)
{
    char room[PATH_MAX];
    REAL(stat64);
    return real(translated(path, room), found);
}

int lstat64(const char *path, struct stat64 *found)
{
    char room[PATH_MAX];
    REAL(lstat64);
    return real(translated(path, room), found);
}

int access(const char *path, int mode)
{
    char room[PATH_MAX];
    REAL(access);
    return real(translated(path, room), mode);
}

int unlink(const char *path)
{
    char room[PATH_MAX];
    REAL(unlink);
    int struck = strikes(UNLINK, path, 0, 0);
    if (struck && !shared->applied)
        return failed();
    int done = real(translated(path, room));
    return struck ? failed() : done;
}

int rename(const char *from, const char *to)
{
    char room[PATH_MAX], other[PATH_MAX];
    REAL(rename);
    int struck = strikes(RENAME, from, 0, 0);
    if (struck && !shared->applied)
        return failed();
    int done = real(translated(from, room), translated(to, other));
    return struck ? failed() : done;
}

ssize_t preadv64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    REAL(preadv64);
    size_t size = (size_t)size_of(parts, count);
    if (!on_file(READ, fd, (uint64_t)offset, size))
        return real(fd, parts, count, offset);
    if (shared->how != SHORT || size == 0)
        return failed();
    size_t half = size > 1 ? size / 2 : 1;
    struct iovec first = {parts[0].iov_base, parts[0].iov_len < half ? parts[0].iov_len : half};
    return real(fd, &first, 1, offset);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    REAL(pread64);
    if (!on_file(READ, fd, (uint64_t)offset, size))
        return real(fd, data, size, offset);
    if (shared->how != SHORT || size == 0)
        return failed();
    return real(fd, data, size > 1 ? size / 2 : 1, offset);
}

/* Writes the first *size* bytes of *parts*. */
static ssize_t put(int fd, const struct iovec *parts, size_t size, off64_t offset)
{
    __typeof__(pwrite64) *write = (__typeof__(pwrite64) *)dlsym(RTLD_NEXT, "pwrite64");
    size_t done = 0;
    for (; done < size; parts++) {
        size_t length = parts->iov_len < size - done ? parts->iov_len : size - done;
        ssize_t written = write(fd, parts->iov_base, length, offset + (off64_t)done);
        if (written < 0)
            return -1;
        done += (size_t)written;
        if ((size_t)written < length)
            break;
    }
    return (ssize_t)done;
}

static ssize_t written_badly(int fd, const struct iovec *parts, size_t size, off64_t offset)
{
    if (shared->how == SHORT)
        return put(fd, parts, size > 1 ? size / 2 : size, offset);
    if (shared->how == TORN)
        put(fd, parts, size / SECTOR / 2 * SECTOR, offset);
    else if (shared->applied)
        put(fd, parts, size, offset);
    return failed();
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    REAL(pwritev64);
    size_t size = (size_t)size_of(parts, count);
    if (on_file(WRITE, fd, (uint64_t)offset, size))
        return written_badly(fd, parts, size, offset);
    return real(fd, parts, count, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    REAL(pwrite64);
    struct iovec whole = {(void *)data, size};
    if (on_file(WRITE, fd, (uint64_t)offset, size))
        return written_badly(fd, &whole, size, offset);
    return real(fd, data, size, offset);
}

/* A call that has all of its effect or none. */
#define WHOLE(name, kind, offset, length, parameters, arguments) \
    int name parameters \
    { \
        REAL(name); \
        int struck = on_file(kind, fd, (uint64_t)(offset), (uint64_t)(length)); \
        if (struck && !shared->applied) \
            return failed(); \
        int done = real arguments; \
        return struck ? failed() : done; \
    }

WHOLE(fdatasync, FLUSH, 0, 0, (int fd), (fd))
WHOLE(fsync, FLUSH, 0, 0, (int fd), (fd))
WHOLE(ftruncate64, TRUNCATE, size, 0, (int fd, off64_t size), (fd, size))
WHOLE(fallocate64, TRUNCATE, offset, length, (int fd, int mode, off64_t offset, off64_t length),
      (fd, mode, offset, length))
