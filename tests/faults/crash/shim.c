/* Counts the calls that change files below one folder, and lets the N-th of them go wrong.
 *
 * Loaded with LD_PRELOAD; does nothing before crash_arm(). Every call is logged before it is made, in the order in which it is counted, as
 *     number name inode offset length path [path2]
 * with tabs between. Kinds: 0 none, 1 kill before, 2 kill after, 3 EIO, 4 ENOSPC, 5 a write that takes half. Coarse: writes to SQLite's log
 * that follow one another count as one; what lies between them is SQLite's own.
 * Not seen: raw system calls, io_uring, stores through mmap (SQLite's -shm).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <pthread.h>

enum { NONE, KILL_BEFORE, KILL_AFTER, FAIL_EIO, FAIL_ENOSPC, SHORT };

static char root[PATH_MAX];
static size_t root_length;
static int log_fd = -1, kind;
static long at, count;
static int coarse, in_wal;
static atomic_int armed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void die(void) { syscall(SYS_kill, getpid(), SIGKILL); for (;;) pause(); }

/* Returns the number of calls so far; arms for the n-th call from now on. */
long crash_arm(const char *folder, const char *log, long n, int what, int is_coarse) {
    long before = count;
    if (!realpath(folder, root)) return -1;
    root_length = strlen(root);
    if (log_fd >= 0) close(log_fd);
    log_fd = log && *log ? syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    at = n; kind = what; count = 0; coarse = is_coarse; in_wal = 0;
    atomic_store(&armed, 1);
    return before;
}

long crash_disarm(void) { atomic_store(&armed, 0); return count; }

static int below(const char *path) {
    return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

static int path_of_fd(int fd, char *path) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

/* The path as the log names it: absolute, not resolved (the program under test makes no links). */
static int path_of_name(int dir, const char *name, char *path) {
    if (*name == '/') { snprintf(path, PATH_MAX, "%s", name); return below(path); }
    char folder[PATH_MAX];
    if (dir == AT_FDCWD) { if (!getcwd(folder, sizeof folder)) return 0; }
    else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t length = readlink(link, folder, sizeof folder - 1);
        if (length < 0) return 0;
        folder[length] = 0;
    }
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) return 0;
    return below(path);
}

static unsigned long inode_of(int fd, const char *path) {
    struct stat found;
    if (fd >= 0 ? fstat(fd, &found) : lstat(path, &found)) return 0;
    return found.st_ino;
}

/* Counts a call; what is to be done with it. Held under the lock so that the log's order is the counter's. */
static int point(const char *name, int fd, long long offset, size_t length, const char *path, const char *other, int is_write) {
    int saved = errno, verdict = NONE;
    pthread_mutex_lock(&lock);
    size_t end = strlen(path);
    int wal = is_write && end > 4 && strcmp(path + end - 4, "-wal") == 0, again = coarse && wal && in_wal;
    in_wal = wal;
    long number = again ? count : ++count;
    if (log_fd >= 0) {
        char line[3 * PATH_MAX];
        int size = snprintf(line, sizeof line, "%ld\t%s\t%lu\t%lld\t%zu\t%s\t%s\n", number, name, inode_of(fd, path), offset, length,
                            path, other ? other : "");
        if (syscall(SYS_write, log_fd, line, size) != size) die();
    }
    if (number == at && !again) verdict = kind;
    pthread_mutex_unlock(&lock);
    if (verdict == KILL_BEFORE) die();
    if (verdict == SHORT && !is_write) verdict = NONE;
    errno = saved;
    return verdict;
}

static int failed(int verdict) {
    if (verdict == FAIL_EIO) { errno = EIO; return 1; }
    if (verdict == FAIL_ENOSPC) { errno = ENOSPC; return 1; }
    return 0;
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
#define FINISH(type, call) do { type result = (call); if (verdict == KILL_AFTER) die(); return result; } while (0)
#define ON_FD(fd) char path[PATH_MAX]; if (!atomic_load(&armed) || !path_of_fd(fd, path))

static int half(size_t length) { return length / 2; }

ssize_t write(int fd, const void *data, size_t length) {
    REAL(ssize_t, "write", int, const void *, size_t);
    ON_FD(fd) return real(fd, data, length);
    int verdict = point("write", fd, lseek(fd, 0, SEEK_CUR), length, path, 0, 1);
    if (failed(verdict)) return -1;
    if (verdict == SHORT) length = half(length);
    FINISH(ssize_t, real(fd, data, length));
}

#define PWRITE(function) \
ssize_t function(int fd, const void *data, size_t length, off_t offset) { \
    REAL(ssize_t, #function, int, const void *, size_t, off_t); \
    ON_FD(fd) return real(fd, data, length, offset); \
    int verdict = point("pwrite64", fd, offset, length, path, 0, 1); \
    if (failed(verdict)) return -1; \
    if (verdict == SHORT) length = half(length); \
    FINISH(ssize_t, real(fd, data, length, offset)); \
}
PWRITE(pwrite)
PWRITE(pwrite64)

static size_t total(const struct iovec *pieces, int number) {
    size_t sum = 0;
    for (int i = 0; i < number; i++) sum += pieces[i].iov_len;
    return sum;
}

/* The first half of the first piece that is not empty. */
static struct iovec cut(const struct iovec *pieces, int number) {
    struct iovec piece = {0, 0};
    for (int i = 0; i < number && !piece.iov_len; i++) piece = pieces[i];
    piece.iov_len = piece.iov_len > 1 ? piece.iov_len / 2 : piece.iov_len;
    return piece;
}

ssize_t writev(int fd, const struct iovec *pieces, int number) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    ON_FD(fd) return real(fd, pieces, number);
    int verdict = point("writev", fd, lseek(fd, 0, SEEK_CUR), total(pieces, number), path, 0, 1);
    if (failed(verdict)) return -1;
    struct iovec piece = cut(pieces, number);
    if (verdict == SHORT) return real(fd, &piece, 1);
    FINISH(ssize_t, real(fd, pieces, number));
}

#define PWRITEV(function) \
ssize_t function(int fd, const struct iovec *pieces, int number, off_t offset) { \
    REAL(ssize_t, #function, int, const struct iovec *, int, off_t); \
    ON_FD(fd) return real(fd, pieces, number, offset); \
    int verdict = point("pwritev", fd, offset, total(pieces, number), path, 0, 1); \
    if (failed(verdict)) return -1; \
    struct iovec piece = cut(pieces, number); \
    if (verdict == SHORT) return real(fd, &piece, 1, offset); \
    FINISH(ssize_t, real(fd, pieces, number, offset)); \
}
PWRITEV(pwritev)
PWRITEV(pwritev64)

#define PWRITEV2(function) \
ssize_t function(int fd, const struct iovec *pieces, int number, off_t offset, int flags) { \
    REAL(ssize_t, #function, int, const struct iovec *, int, off_t, int); \
    ON_FD(fd) return real(fd, pieces, number, offset, flags); \
    int verdict = point("pwritev2", fd, offset, total(pieces, number), path, 0, 1); \
    if (failed(verdict)) return -1; \
    struct iovec piece = cut(pieces, number); \
    if (verdict == SHORT) return real(fd, &piece, 1, offset, flags); \
    FINISH(ssize_t, real(fd, pieces, number, offset, flags)); \
}
PWRITEV2(pwritev2)
PWRITEV2(pwritev64v2)

#define SYNC(function) \
int function(int fd) { \
    REAL(int, #function, int); \
    ON_FD(fd) return real(fd); \
    int verdict = point(#function, fd, 0, 0, path, 0, 0); \
    if (failed(verdict)) return -1; \
    FINISH(int, real(fd)); \
}
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(function) \
int function(int fd, off_t length) { \
    REAL(int, #function, int, off_t); \
    ON_FD(fd) return real(fd, length); \
    int verdict = point("ftruncate", fd, 0, length, path, 0, 0); \
    if (failed(verdict)) return -1; \
    FINISH(int, real(fd, length)); \
}
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define FALLOCATE(function) \
int function(int fd, int mode, off_t offset, off_t length) { \
    REAL(int, #function, int, int, off_t, off_t); \
    ON_FD(fd) return real(fd, mode, offset, length); \
    int verdict = point("fallocate", fd, offset, length, path, 0, 0); \
    if (failed(verdict)) return -1; \
    FINISH(int, real(fd, mode, offset, length)); \
}
FALLOCATE(fallocate)
FALLOCATE(fallocate64)

#define POSIX_FALLOCATE(function) \
int function(int fd, off_t offset, off_t length) { \
    REAL(int, #function, int, off_t, off_t); \
    ON_FD(fd) return real(fd, offset, length); \
    int verdict = point("fallocate", fd, offset, length, path, 0, 0); \
    if (failed(verdict)) return errno; \
    FINISH(int, real(fd, offset, length)); \
}
POSIX_FALLOCATE(posix_fallocate)
POSIX_FALLOCATE(posix_fallocate64)

#define COPY(function) \
ssize_t function(int in, off64_t *from, int out, off64_t *to, size_t length, unsigned flags) { \
    REAL(ssize_t, #function, int, off64_t *, int, off64_t *, size_t, unsigned); \
    ON_FD(out) return real(in, from, out, to, length, flags); \
    int verdict = point(#function, out, to ? *to : lseek(out, 0, SEEK_CUR), length, path, 0, 1); \
    if (failed(verdict)) return -1; \
    if (verdict == SHORT) length = half(length); \
    FINISH(ssize_t, real(in, from, out, to, length, flags)); \
}
COPY(copy_file_range)

/* Names. */

static int either(int dir, const char *name, char *path, int dir2, const char *name2, char *path2) {
    int first = path_of_name(dir, name, path), second = path_of_name(dir2, name2, path2);
    return first || second;
}

#define TWO(function, logged, parameters, arguments, dir, name, dir2, name2, ...) \
int function parameters { \
    REAL(int, #function, __VA_ARGS__); \
    char path[PATH_MAX], path2[PATH_MAX]; \
    if (!atomic_load(&armed) || !either(dir, name, path, dir2, name2, path2)) return real arguments; \
    int verdict = point(logged, -1, 0, 0, path, path2, 0); \
    if (failed(verdict)) return -1; \
    FINISH(int, real arguments); \
}
TWO(rename, "rename", (const char *a, const char *b), (a, b), AT_FDCWD, a, AT_FDCWD, b, const char *, const char *)
TWO(renameat, "renameat", (int d, const char *a, int e, const char *b), (d, a, e, b), d, a, e, b, int, const char *, int, const char *)
TWO(renameat2, "renameat2", (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f), d, a, e, b, int, const char *, int,
    const char *, unsigned)
TWO(link, "link", (const char *a, const char *b), (a, b), AT_FDCWD, a, AT_FDCWD, b, const char *, const char *)
TWO(linkat, "linkat", (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f), d, a, e, b, int, const char *, int, const char *,
    int)

#define ONE(function, parameters, arguments, dir, name, ...) \
int function parameters { \
    REAL(int, #function, __VA_ARGS__); \
    char path[PATH_MAX]; \
    if (!atomic_load(&armed) || !path_of_name(dir, name, path)) return real arguments; \
    int verdict = point(#function, -1, 0, 0, path, 0, 0); \
    if (failed(verdict)) return -1; \
    FINISH(int, real arguments); \
}
ONE(unlink, (const char *a), (a), AT_FDCWD, a, const char *)
ONE(unlinkat, (int d, const char *a, int f), (d, a, f), d, a, int, const char *, int)
ONE(rmdir, (const char *a), (a), AT_FDCWD, a, const char *)
ONE(mkdir, (const char *a, mode_t m), (a, m), AT_FDCWD, a, const char *, mode_t)
ONE(mkdirat, (int d, const char *a, mode_t m), (d, a, m), d, a, int, const char *, mode_t)

static mode_t mode_from(int flags, va_list rest) { return flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; }

#define OPEN(function) \
int function(const char *name, int flags, ...) { \
    REAL(int, #function, const char *, int, ...); \
    va_list rest; va_start(rest, flags); mode_t mode = mode_from(flags, rest); va_end(rest); \
    char path[PATH_MAX]; \
    if (!atomic_load(&armed) || !(flags & O_CREAT) || !path_of_name(AT_FDCWD, name, path)) return real(name, flags, mode); \
    int verdict = point("openat", -1, 0, 0, path, 0, 0); \
    if (failed(verdict)) return -1; \
    FINISH(int, real(name, flags, mode)); \
}
OPEN(open)
OPEN(open64)

#define OPENAT(function) \
int function(int dir, const char *name, int flags, ...) { \
    REAL(int, #function, int, const char *, int, ...); \
    va_list rest; va_start(rest, flags); mode_t mode = mode_from(flags, rest); va_end(rest); \
    char path[PATH_MAX]; \
    if (!atomic_load(&armed) || !(flags & O_CREAT) || !path_of_name(dir, name, path)) return real(dir, name, flags, mode); \
    int verdict = point("openat", -1, 0, 0, path, 0, 0); \
    if (failed(verdict)) return -1; \
    FINISH(int, real(dir, name, flags, mode)); \
}
OPENAT(openat)
OPENAT(openat64)
