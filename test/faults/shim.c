/*
 * Stands between the service and the C library, for the calls that reach files of one folder:
 * numbers them, writes them down, and makes one of them the last, or fail. Built by shim.ts,
 * loaded with LD_PRELOAD.
 *
 *   FAULTS_FOLDER  only files in this folder count, and the folder itself
 *   FAULTS_LOG     file that takes a line for each call, with the bytes of each write
 *   FAULTS_CALLS   letters of the calls to be numbered: w write, s sync, t truncate, u unlink,
 *                  n rename, c create a file or folder, r read
 *   FAULTS_PATH    only calls on paths, below the folder, that match this pattern are numbered
 *   FAULTS_AT      number of the call at which it happens; 0, the default, for never
 *   FAULTS_DO      kill: end the process instead of the call; torn: end it in the middle of the
 *                  write; error: fail the call; short: take only half of the write
 *   FAULTS_ERROR   the errno of a failure
 *   FAULTS_STICKY  letters of the calls to which it happens from then on, on the same file; 1 for
 *                  those that are numbered
 *
 * A line: letter, thread, descriptor, offset, length, result, path; tabs between. Bytes follow the
 * line of a write. "o" and "x" are an open and a close, "a" the head of an answer over HTTP. Reads
 * are written down only where they are numbered.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[4096];
static size_t folder_length;
static char calls[32];
static char pattern[4096];
static char what[16];
static long at, number;
static int error_number, log_fd = -1;
static char sticky[32];
static int is_stuck;
static char stuck_path[8200];

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static ssize_t (*real_preadv)(int, const struct iovec *, int, off_t);
static ssize_t (*real_read)(int, void *, size_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_mkdir)(const char *, mode_t);
static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);

static void take(char *to, size_t size, const char *name) {
  const char *value = getenv(name);
  snprintf(to, size, "%s", value ? value : "");
}

__attribute__((constructor)) static void begin(void) {
  real_write = dlsym(RTLD_NEXT, "write");
  real_writev = dlsym(RTLD_NEXT, "writev");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
  real_pread = dlsym(RTLD_NEXT, "pread64");
  real_preadv = dlsym(RTLD_NEXT, "preadv64");
  real_read = dlsym(RTLD_NEXT, "read");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_rename = dlsym(RTLD_NEXT, "rename");
  real_mkdir = dlsym(RTLD_NEXT, "mkdir");
  real_open = dlsym(RTLD_NEXT, "open64");
  real_openat = dlsym(RTLD_NEXT, "openat64");
  real_close = dlsym(RTLD_NEXT, "close");
  take(folder, sizeof folder, "FAULTS_FOLDER");
  folder_length = strlen(folder);
  take(calls, sizeof calls, "FAULTS_CALLS");
  take(pattern, sizeof pattern, "FAULTS_PATH");
  take(what, sizeof what, "FAULTS_DO");
  char text[4096];
  take(text, sizeof text, "FAULTS_AT");
  at = atol(text);
  take(text, sizeof text, "FAULTS_ERROR");
  error_number = atoi(text);
  take(sticky, sizeof sticky, "FAULTS_STICKY");
  if (strcmp(sticky, "1") == 0) memcpy(sticky, calls, sizeof sticky);
  take(text, sizeof text, "FAULTS_LOG");
  if (text[0]) log_fd = real_open(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The path below the folder; NULL where it is not in it. */
static const char *below(const char *path) {
  if (folder_length == 0 || strncmp(path, folder, folder_length) != 0) return NULL;
  if (path[folder_length] == 0) return path + folder_length;
  return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

static const char *path_of(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return NULL;
  path[length] = 0;
  return below(path);
}

static void put(const void *bytes, size_t length) {
  const char *from = bytes;
  while (length > 0) {
    ssize_t written = real_write(log_fd, from, length);
    if (written <= 0) abort();
    from += written;
    length -= (size_t)written;
  }
}

struct call {
  char letter;
  int fd;
  off_t offset;
  size_t length;
  const char *path;
};

static void note(const struct call *call, long result) {
  if (log_fd < 0) return;
  char line[8192];
  int length = snprintf(line, sizeof line, "%c\t%d\t%d\t%lld\t%zu\t%ld\t%s\n", call->letter,
                        (int)syscall(SYS_gettid), call->fd, (long long)call->offset, call->length,
                        result, call->path);
  put(line, (size_t)length);
}

static int is_numbered(const struct call *call) {
  if (strchr(calls, call->letter) == NULL) return 0;
  return pattern[0] == 0 || fnmatch(pattern, call->path, 0) == 0;
}

/* Whether this call is the one; one of those after it, once it has been, on the same file. */
static int is_meant(const struct call *call) {
  if (is_stuck) return strchr(sticky, call->letter) && strcmp(stuck_path, call->path) == 0;
  if (!is_numbered(call)) return 0;
  number += 1;
  if (at == 0 || number != at) return 0;
  is_stuck = 1;
  snprintf(stuck_path, sizeof stuck_path, "%s", call->path);
  return 1;
}

/* Answers 1 when the call fails, 2 when it is cut short. */
static int judge(const struct call *call) {
  if (!is_meant(call)) return 0;
  if (strcmp(what, "kill") == 0) kill(getpid(), SIGKILL);
  if (strcmp(what, "error") == 0) {
    note(call, -error_number);
    return 1;
  }
  return call->letter == 'w' && call->length > 1 ? 2 : 0;
}

static ssize_t write_pieces(int fd, const struct iovec *pieces, int count, off_t offset) {
  if (offset < 0) return real_writev(fd, pieces, count);
  return real_pwritev(fd, pieces, count, offset);
}

/* Writes with an offset below zero go where the file stands. */
static ssize_t write_all_of(int fd, const struct iovec *pieces, int count, off_t offset) {
  char buffer[4200];
  const char *path = path_of(fd, buffer, sizeof buffer);
  if (path == NULL) {
    const char *head = count > 0 ? pieces[0].iov_base : NULL;
    if (head && log_fd >= 0 && pieces[0].iov_len > 12 && memcmp(head, "HTTP/1.1 ", 9) == 0) {
      size_t length = pieces[0].iov_len > 512 ? 512 : pieces[0].iov_len;
      struct call answer = {'a', fd, 0, length, ""};
      pthread_mutex_lock(&lock);
      note(&answer, (long)length);
      put(head, length);
      pthread_mutex_unlock(&lock);
    }
    return write_pieces(fd, pieces, count, offset);
  }
  pthread_mutex_lock(&lock);
  size_t length = 0;
  for (int i = 0; i < count; i++) length += pieces[i].iov_len;
  off_t start = offset < 0 ? lseek(fd, 0, SEEK_CUR) : offset;
  struct call call = {'w', fd, start, length, path};
  int fault = judge(&call);
  ssize_t result = -1;
  if (fault == 1) {
    pthread_mutex_unlock(&lock);
    errno = error_number;
    return -1;
  }
  if (fault == 2) {
    /* Half of it, at an odd place. */
    size_t left = length / 2 + (length > 3);
    result = 0;
    for (int i = 0; i < count && left > 0; i++) {
      size_t part = pieces[i].iov_len < left ? pieces[i].iov_len : left;
      ssize_t written = real_pwrite(fd, pieces[i].iov_base, part, start + result);
      if (written < 0) break;
      result += written;
      left -= (size_t)written;
    }
    if (offset < 0) lseek(fd, start + result, SEEK_SET);
    if (strcmp(what, "torn") == 0) kill(getpid(), SIGKILL);
  } else {
    result = write_pieces(fd, pieces, count, offset);
  }
  int error = errno;
  note(&call, result);
  if (log_fd >= 0) {
    size_t left = result > 0 ? (size_t)result : 0;
    for (int i = 0; i < count && left > 0; i++) {
      size_t part = pieces[i].iov_len < left ? pieces[i].iov_len : left;
      put(pieces[i].iov_base, part);
      left -= part;
    }
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  struct iovec piece = {(void *)bytes, length};
  return write_all_of(fd, &piece, 1, -1);
}
ssize_t writev(int fd, const struct iovec *pieces, int count) {
  return write_all_of(fd, pieces, count, -1);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
  struct iovec piece = {(void *)bytes, length};
  return write_all_of(fd, &piece, 1, offset);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  return pwrite64(fd, bytes, length, offset);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t offset) {
  return write_all_of(fd, pieces, count, offset);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
  return write_all_of(fd, pieces, count, offset);
}

/* A call on a descriptor that writes nothing. */
#define ON_DESCRIPTOR(letter_, offset_, length_, real)        \
  char buffer[4200];                                          \
  const char *path = path_of(fd, buffer, sizeof buffer);      \
  if (path == NULL) return real;                              \
  pthread_mutex_lock(&lock);                                  \
  struct call call = {letter_, fd, offset_, length_, path};   \
  if (judge(&call) == 1) {                                    \
    pthread_mutex_unlock(&lock);                              \
    errno = error_number;                                     \
    return -1;                                                \
  }                                                           \
  ssize_t result = real;                                      \
  int error = errno;                                          \
  if (letter_ != 'r' || is_numbered(&call)) note(&call, result); \
  pthread_mutex_unlock(&lock);                                \
  errno = error;                                              \
  return result;

ssize_t pread64(int fd, void *bytes, size_t length, off_t offset) {
  ON_DESCRIPTOR('r', offset, length, real_pread(fd, bytes, length, offset))
}
ssize_t pread(int fd, void *bytes, size_t length, off_t offset) {
  return pread64(fd, bytes, length, offset);
}
ssize_t preadv64(int fd, const struct iovec *pieces, int count, off_t offset) {
  ON_DESCRIPTOR('r', offset, 0, real_preadv(fd, pieces, count, offset))
}
ssize_t preadv(int fd, const struct iovec *pieces, int count, off_t offset) {
  return preadv64(fd, pieces, count, offset);
}
ssize_t read(int fd, void *bytes, size_t length) {
  ON_DESCRIPTOR('r', 0, length, real_read(fd, bytes, length))
}
int fsync(int fd) { ON_DESCRIPTOR('s', 0, 0, real_fsync(fd)) }
int fdatasync(int fd) { ON_DESCRIPTOR('s', 0, 0, real_fdatasync(fd)) }
int ftruncate64(int fd, off_t length) {
  ON_DESCRIPTOR('t', length, 0, real_ftruncate(fd, length))
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
int close(int fd) {
  ON_DESCRIPTOR('x', 0, 0, real_close(fd))
}

/* A call on a path. */
#define ON_PATH(letter_, path_, noted, real)                  \
  if (below(path_) == NULL) return real;                      \
  pthread_mutex_lock(&lock);                                  \
  struct call call = {letter_, -1, 0, 0, noted};              \
  if (judge(&call) == 1) {                                    \
    pthread_mutex_unlock(&lock);                              \
    errno = error_number;                                     \
    return -1;                                                \
  }                                                           \
  int result = real;                                          \
  int error = errno;                                          \
  note(&call, result);                                        \
  pthread_mutex_unlock(&lock);                                \
  errno = error;                                              \
  return result;

int unlink(const char *path) { ON_PATH('u', path, below(path), real_unlink(path)) }
int mkdir(const char *path, mode_t mode) {
  ON_PATH('c', path, below(path), real_mkdir(path, mode))
}
int rename(const char *from, const char *to) {
  char both[8200];
  const char *target = below(to);
  snprintf(both, sizeof both, "%s\t%s", below(from) ? below(from) : "", target ? target : "");
  ON_PATH('n', from, both, real_rename(from, to))
}

static int open_noted(int directory, const char *path, int flags, mode_t mode) {
  const char *inside = below(path);
  if (inside == NULL) return real_openat(directory, path, flags, mode);
  struct stat found;
  pthread_mutex_lock(&lock);
  int is_new = (flags & O_CREAT) && stat(path, &found) != 0;
  struct call call = {is_new ? 'c' : 'o', -1, 0, 0, inside};
  if (judge(&call) == 1) {
    pthread_mutex_unlock(&lock);
    errno = error_number;
    return -1;
  }
  int result = real_openat(directory, path, flags, mode);
  int error = errno;
  call.fd = result;
  call.offset = (flags & O_TRUNC) && !is_new ? 1 : 0;
  if (call.letter == 'c') call.length = 1;
  note(&call, result);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

#define MODE_OF(flags)                 \
  mode_t mode = 0;                     \
  if ((flags) & (O_CREAT | O_TMPFILE)) { \
    va_list rest;                      \
    va_start(rest, flags);             \
    mode = (mode_t)va_arg(rest, int);  \
    va_end(rest);                      \
  }

int open64(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_noted(AT_FDCWD, path, flags, mode);
}
int open(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_noted(AT_FDCWD, path, flags, mode);
}
int openat64(int directory, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_noted(directory, path, flags, mode);
}
int openat(int directory, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_noted(directory, path, flags, mode);
}
