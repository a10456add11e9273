// Calls preview 1 as it is, below C's library: one check for each argument that may be given. The mounts are `work`, which may be changed and is empty, and
// `kept`, which may not be and holds the file `text`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

#define CHECK(condition)                                      \
  do {                                                        \
    if (!(condition)) {                                       \
      printf("line %d: %s does not hold\n", __LINE__, #condition); \
      exit(1);                                                \
    }                                                         \
  } while (0)
#define GIVES(errno, call)                                                     \
  do {                                                                         \
    __wasi_errno_t given = (call);                                             \
    if (given != (errno)) {                                                    \
      printf("line %d: %s gives %d, not %d\n", __LINE__, #call, given, errno); \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)
#define DO(call) GIVES(__WASI_ERRNO_SUCCESS, call)

enum { READ = __WASI_RIGHTS_FD_READ, WRITE = __WASI_RIGHTS_FD_WRITE };

static __wasi_fd_t work, kept;

static __wasi_fd_t preopen(const char *name) {
  __wasi_prestat_t prestat;
  for (__wasi_fd_t fd = 3; __wasi_fd_prestat_get(fd, &prestat) == 0; fd++) {
    char found[32] = {0};
    CHECK(prestat.u.dir.pr_name_len < sizeof found);
    DO(__wasi_fd_prestat_dir_name(fd, (uint8_t *)found, prestat.u.dir.pr_name_len));
    if (strcmp(found, name) == 0) return fd;
  }
  printf("there is no preopen %s\n", name);
  exit(1);
}

static __wasi_fd_t open_at(__wasi_fd_t dir, const char *path, __wasi_oflags_t oflags, __wasi_rights_t rights, __wasi_fdflags_t flags) {
  __wasi_fd_t fd = 0;
  DO(__wasi_path_open(dir, 0, path, oflags, rights, 0, flags, &fd));
  CHECK(fd > 2);
  return fd;
}

static __wasi_errno_t opening(const char *path, __wasi_oflags_t oflags) {
  __wasi_fd_t fd = 0;
  __wasi_errno_t given = __wasi_path_open(work, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, oflags, READ, 0, 0, &fd);
  if (given == 0) DO(__wasi_fd_close(fd));
  return given;
}

static size_t read_some(__wasi_fd_t fd, void *bytes, size_t length) {
  __wasi_iovec_t vector = {bytes, length};
  size_t count = 0;
  DO(__wasi_fd_read(fd, &vector, 1, &count));
  return count;
}

static size_t write_some(__wasi_fd_t fd, const void *bytes, size_t length) {
  __wasi_ciovec_t vector = {bytes, length};
  size_t count = 0;
  DO(__wasi_fd_write(fd, &vector, 1, &count));
  return count;
}

static __wasi_filesize_t seek(__wasi_fd_t fd, __wasi_filedelta_t offset, __wasi_whence_t whence) {
  __wasi_filesize_t at = 0;
  DO(__wasi_fd_seek(fd, offset, whence, &at));
  return at;
}

static __wasi_filestat_t stat_of(__wasi_fd_t fd) {
  __wasi_filestat_t found;
  DO(__wasi_fd_filestat_get(fd, &found));
  return found;
}

// What is written through several buffers is read through others; a position stays where it was left.
static void buffers(void) {
  unsigned char found[8] = {0};
  __wasi_fd_t fd = open_at(work, "file", __WASI_OFLAGS_CREAT, READ | WRITE, 0);
  __wasi_ciovec_t from[4] = {{(const uint8_t *)"01", 2}, {NULL, 0}, {(const uint8_t *)"23456", 5}, {(const uint8_t *)"7", 1}};
  __wasi_iovec_t to[3] = {{found, 3}, {found + 3, 0}, {found + 3, 5}};
  size_t count = 0;
  DO(__wasi_fd_write(fd, from, 4, &count));
  CHECK(count == 8 && seek(fd, 0, __WASI_WHENCE_CUR) == 8 && seek(fd, 0, __WASI_WHENCE_SET) == 0);
  DO(__wasi_fd_read(fd, to, 3, &count));
  CHECK(count == 8 && memcmp(found, "01234567", 8) == 0 && read_some(fd, found, 8) == 0);
  CHECK(seek(fd, -2, __WASI_WHENCE_END) == 6 && read_some(fd, found, 8) == 2 && memcmp(found, "67234567", 8) == 0);
  CHECK(seek(fd, 2, __WASI_WHENCE_SET) == 2 && write_some(fd, "ab", 2) == 2);
  DO(__wasi_fd_pread(fd, to, 3, 1, &count));
  CHECK(count == 7 && memcmp(found, "1ab4567", 7) == 0 && seek(fd, 0, __WASI_WHENCE_CUR) == 4);
  // Nothing at all makes no file longer, wherever it is written; one byte does.
  CHECK(seek(fd, 50, __WASI_WHENCE_SET) == 50 && write_some(fd, "", 0) == 0 && stat_of(fd).size == 8);
  DO(__wasi_fd_pwrite(fd, from + 1, 1, 1000, &count));
  CHECK(count == 0 && stat_of(fd).size == 8 && write_some(fd, "!", 1) == 1 && stat_of(fd).size == 51);
  DO(__wasi_fd_close(fd));
  DO(__wasi_path_unlink_file(work, "file"));
}

static void much(void) {
  static char text[65536], found[65536];
  for (size_t i = 0; i < sizeof text; i += 16) snprintf(text + i, 17, "123456789 %05zu", i / 16);
  __wasi_fd_t fd = open_at(work, "much", __WASI_OFLAGS_CREAT, READ | WRITE, 0);
  CHECK(write_some(fd, text, sizeof text) == sizeof text && stat_of(fd).size == sizeof text);
  CHECK(seek(fd, -100, __WASI_WHENCE_END) == sizeof text - 100 && read_some(fd, found, 200) == 100);
  CHECK(memcmp(found, text + sizeof text - 100, 100) == 0 && seek(fd, 0, __WASI_WHENCE_SET) == 0);
  CHECK(read_some(fd, found, sizeof found) == sizeof found && memcmp(found, text, sizeof text) == 0);
  DO(__wasi_fd_close(fd));
  // What may only be read is not written, not even with nothing.
  __wasi_ciovec_t nothing = {(const uint8_t *)3, 0};
  size_t count = 0;
  fd = open_at(work, "much", 0, READ, 0);
  GIVES(__WASI_ERRNO_BADF, __wasi_fd_write(fd, &nothing, 1, &count));
  DO(__wasi_fd_close(fd));
  DO(__wasi_path_unlink_file(work, "much"));
}

static void append(void) {
  char found[8] = {0};
  __wasi_fdstat_t state;
  __wasi_fd_t fd = open_at(work, "file", __WASI_OFLAGS_CREAT, READ | WRITE, __WASI_FDFLAGS_APPEND);
  CHECK(write_some(fd, "aa", 2) == 2 && seek(fd, 0, __WASI_WHENCE_SET) == 0 && write_some(fd, "bb", 2) == 2);
  DO(__wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_NONBLOCK));
  DO(__wasi_fd_fdstat_get(fd, &state));
  CHECK(state.fs_flags == __WASI_FDFLAGS_NONBLOCK && state.fs_filetype == __WASI_FILETYPE_REGULAR_FILE);
  CHECK(seek(fd, 1, __WASI_WHENCE_SET) == 1 && write_some(fd, "c", 1) == 1 && seek(fd, 0, __WASI_WHENCE_SET) == 0);
  CHECK(read_some(fd, found, 8) == 4 && memcmp(found, "acbb", 4) == 0);
  DO(__wasi_fd_close(fd));
  DO(__wasi_path_unlink_file(work, "file"));
}

// Opening and closing leaves nothing behind.
static void open_often(void) {
  char bytes[100] = {0};
  DO(__wasi_fd_close(open_at(work, "file", __WASI_OFLAGS_CREAT, 0, 0)));
  __wasi_fd_t first = open_at(work, "file", 0, READ, 0);
  DO(__wasi_fd_close(first));
  for (int round = 0; round < 4000; round++) {
    __wasi_fd_t fd = open_at(work, "file", 0, round % 2 ? READ : READ | WRITE, round % 3 ? 0 : __WASI_FDFLAGS_NONBLOCK);
    CHECK(fd == first);
    if (round % 2) CHECK(read_some(fd, bytes, 100) == 100);
    else CHECK(write_some(fd, bytes, 100) == 100);
    DO(__wasi_fd_close(fd));
  }
  DO(__wasi_path_unlink_file(work, "file"));
}

static __wasi_subscription_t wait_for(__wasi_clockid_t clock, __wasi_timestamp_t timeout, __wasi_subclockflags_t flags) {
  __wasi_subscription_t subscription = {.userdata = 7, .u = {.tag = __WASI_EVENTTYPE_CLOCK}};
  subscription.u.u.clock = (__wasi_subscription_clock_t){clock, timeout, 0, flags};
  return subscription;
}

static __wasi_subscription_t wait_to(__wasi_eventtype_t type, __wasi_fd_t fd) {
  __wasi_subscription_t subscription = {.userdata = type, .u = {.tag = type}};
  subscription.u.u.fd_read.file_descriptor = fd;
  return subscription;
}

static __wasi_timestamp_t now(void) {
  __wasi_timestamp_t time = 0;
  DO(__wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &time));
  return time;
}

static void poll(void) {
  static __wasi_subscription_t many[10000];
  static __wasi_event_t events[10000];
  size_t count = 0;
  GIVES(__WASI_ERRNO_INVAL, __wasi_poll_oneoff(many, events, 0, &count));
  for (int i = 0; i < 10000; i++) many[i] = wait_for(__WASI_CLOCKID_MONOTONIC, 0, 0);
  GIVES(__WASI_ERRNO_INVAL, __wasi_poll_oneoff(many, events, 10000, &count));
  DO(__wasi_poll_oneoff(many, events, 1000, &count));
  CHECK(count == 1000);
  for (__wasi_clockid_t clock = __WASI_CLOCKID_REALTIME; clock <= __WASI_CLOCKID_MONOTONIC; clock++) {
    __wasi_timestamp_t before = now();
    many[0] = wait_for(clock, 5000000, 0);
    DO(__wasi_poll_oneoff(many, events, 1, &count));
    CHECK(count == 1 && events[0].userdata == 7 && events[0].error == 0 && events[0].type == __WASI_EVENTTYPE_CLOCK);
    CHECK(now() - before >= 4000000);
  }
  __wasi_fd_t fd = open_at(work, "file", __WASI_OFLAGS_CREAT, READ | WRITE, 0);
  CHECK(write_some(fd, "text", 4) == 4 && seek(fd, 1, __WASI_WHENCE_SET) == 1);
  many[0] = wait_to(__WASI_EVENTTYPE_FD_READ, fd);
  many[1] = wait_to(__WASI_EVENTTYPE_FD_WRITE, fd);
  many[2] = wait_to(__WASI_EVENTTYPE_FD_READ, 1000);
  many[3] = wait_for(__WASI_CLOCKID_MONOTONIC, 3600000000000u, 0);
  DO(__wasi_poll_oneoff(many, events, 4, &count));
  CHECK(count == 3 && events[0].userdata == 1 && events[0].error == 0 && events[0].fd_readwrite.nbytes == 3);
  CHECK(events[1].error == 0 && events[1].type == __WASI_EVENTTYPE_FD_WRITE && events[2].error == __WASI_ERRNO_BADF);
  for (int round = 0; round < 1000; round++) {
    many[2] = wait_for(__WASI_CLOCKID_MONOTONIC, 0, round % 2 ? __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME : 0);
    DO(__wasi_poll_oneoff(many, events, 3, &count));
    CHECK(count == 3);
  }
  DO(__wasi_fd_close(fd));
  DO(__wasi_path_unlink_file(work, "file"));
}

// Nothing of a directory that may not be changed gets into one that may, nor is it cut or removed.
static void keep(void) {
  char found[100] = {0};
  __wasi_fd_t fd = 0;
  CHECK(__wasi_path_link(kept, 0, "text", work, "alias") != 0 && __wasi_path_rename(kept, "text", work, "text") != 0);
  CHECK(__wasi_path_rename(work, ".", kept, "x") != 0);
  GIVES(__WASI_ERRNO_ROFS, __wasi_path_open(kept, 0, "text", __WASI_OFLAGS_TRUNC, READ, 0, 0, &fd));
  GIVES(__WASI_ERRNO_ROFS, __wasi_path_open(kept, 0, "text", 0, READ | WRITE, 0, 0, &fd));
  GIVES(__WASI_ERRNO_ROFS, __wasi_path_open(kept, 0, "new", __WASI_OFLAGS_CREAT, READ, 0, 0, &fd));
  GIVES(__WASI_ERRNO_ROFS, __wasi_path_unlink_file(kept, "text"));
  GIVES(__WASI_ERRNO_ROFS, __wasi_path_create_directory(kept, "new"));
  GIVES(__WASI_ERRNO_ROFS, __wasi_path_symlink("text", kept, "new"));
  GIVES(__WASI_ERRNO_ROFS, __wasi_path_filestat_set_times(kept, 0, "text", 0, 0, __WASI_FSTFLAGS_MTIM));
  fd = open_at(kept, "text", 0, READ, 0);
  CHECK(read_some(fd, found, sizeof found) == 20 && strcmp(found, "what is to be kept.\n") == 0);
  GIVES(__WASI_ERRNO_ROFS, __wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_MTIM));
  CHECK(__wasi_fd_filestat_set_size(fd, 0) != 0 && __wasi_fd_allocate(fd, 0, 100) != 0);
  DO(__wasi_fd_close(fd));
}

static void paths(void) {
  static char huge[110001];
  DO(__wasi_path_create_directory(work, "dir"));
  DO(__wasi_path_create_directory(work, "dir/nested/"));
  DO(opening("dir/nested/file", __WASI_OFLAGS_CREAT));
  DO(opening("dir/.//nested/../../dir/nested/../nested///./file", 0));
  DO(opening("dir/nested///", 0));
  GIVES(__WASI_ERRNO_PERM, opening("/dir/nested/file", 0));
  GIVES(__WASI_ERRNO_PERM, opening("dir/nested/../../../work/dir", 0));
  GIVES(__WASI_ERRNO_PERM, opening("..", 0));
  GIVES(__WASI_ERRNO_NOTDIR, opening("dir/nested/file/", 0));
  GIVES(__WASI_ERRNO_NOTDIR, opening("dir/nested/file/..", 0));
  GIVES(__WASI_ERRNO_NOENT, opening("", 0));
  GIVES(__WASI_ERRNO_ILSEQ, opening("dir/\xff", 0));
  memset(huge, 'x', sizeof huge - 1);
  GIVES(__WASI_ERRNO_NAMETOOLONG, opening(huge, 0));
  GIVES(__WASI_ERRNO_NAMETOOLONG, __wasi_path_create_directory(work, huge));
  huge[256] = 0;
  GIVES(__WASI_ERRNO_NAMETOOLONG, opening(huge, __WASI_OFLAGS_CREAT));
  huge[255] = 0;
  DO(opening(huge, __WASI_OFLAGS_CREAT));
  DO(__wasi_path_unlink_file(work, huge));
  GIVES(__WASI_ERRNO_NOTDIR, __wasi_path_remove_directory(work, "dir/nested/file"));
  GIVES(__WASI_ERRNO_NOTDIR, __wasi_path_remove_directory(work, "dir/nested/file/"));
  GIVES(__WASI_ERRNO_NOTEMPTY, __wasi_path_remove_directory(work, "dir/nested"));
  DO(__wasi_path_unlink_file(work, "dir/nested/file"));
  DO(__wasi_path_remove_directory(work, "dir/nested"));
  DO(__wasi_path_remove_directory(work, "dir"));
}

static void streams(void) {
  __wasi_fdstat_t state;
  for (__wasi_fd_t fd = 0; fd < 3; fd++) {
    __wasi_filestat_t found = stat_of(fd);
    CHECK(found.size == 0 && found.atim == 0 && found.mtim == 0 && found.ctim == 0 && found.filetype == __WASI_FILETYPE_CHARACTER_DEVICE);
    CHECK(!isatty((int)fd));
    DO(__wasi_fd_fdstat_get(fd, &state));
    CHECK(state.fs_filetype == __WASI_FILETYPE_CHARACTER_DEVICE && state.fs_rights_inheriting == 0);
  }
  __wasi_fd_t fd = open_at(work, "file", __WASI_OFLAGS_CREAT, 0, 0);
  CHECK(!isatty((int)fd));
  DO(__wasi_fd_close(fd));
  DO(__wasi_path_unlink_file(work, "file"));
  GIVES(__WASI_ERRNO_SPIPE, __wasi_fd_seek(1, 0, __WASI_WHENCE_CUR, &(__wasi_filesize_t){0}));
  GIVES(__WASI_ERRNO_NOTSOCK, __wasi_sock_shutdown(1, __WASI_SDFLAGS_RD));
  GIVES(__WASI_ERRNO_BADF, __wasi_sock_shutdown(1000, __WASI_SDFLAGS_RD));
}

// Times at the edge of what there are.
static void times(void) {
  __wasi_timestamp_t edges[] = {0, 1, 999999999, 4102444800000000000u, 9223372036854775807u};
  __wasi_fd_t fd = open_at(work, "file", __WASI_OFLAGS_CREAT, READ | WRITE, 0);
  for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
    DO(__wasi_fd_filestat_set_times(fd, edges[i], edges[i], __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_ATIM));
    CHECK(stat_of(fd).mtim == edges[i] && stat_of(fd).atim == edges[i]);
  }
  GIVES(__WASI_ERRNO_INVAL, __wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_MTIM | __WASI_FSTFLAGS_MTIM_NOW));
  DO(__wasi_fd_filestat_set_times(fd, 0, 0, __WASI_FSTFLAGS_MTIM_NOW));
  CHECK(stat_of(fd).mtim < edges[3] && stat_of(fd).mtim > 1500000000000000000u && stat_of(fd).atim == edges[4]);
  DO(__wasi_fd_close(fd));
  DO(__wasi_path_unlink_file(work, "file"));
}

int main(int argc, char **argv) {
  const struct {
    const char *name;
    void (*check)(void);
  } checks[] = {{"buffers", buffers}, {"much", much}, {"append", append}, {"open-often", open_often}, {"poll", poll},
                {"keep", keep},       {"paths", paths}, {"streams", streams}, {"times", times}};
  work = preopen("/work");
  kept = preopen("/kept");
  for (int arg = 1; arg < argc; arg++) {
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
      if (strcmp(argv[arg], checks[i].name) == 0) {
        checks[i].check();
        printf("%s\n", argv[arg]);
      }
    }
  }
  return 0;
}
