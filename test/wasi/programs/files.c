// Does with thousands of files what programs do with files, checks each step, and prints what it found: the same on every system that has POSIX files.
// Its only argument is the directory that it works in, which is empty and is left empty.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DIRECTORIES = 25, FILES = 100, LONGEST = 3000, BIG = 4 << 20 };

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      printf("line %d: %s does not hold (errno %d, %s)\n", __LINE__, #condition, errno, strerror(errno)); \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)
#define FAILS(call, code) CHECK((call) < 0 && errno == (code))

static uint32_t mix(uint32_t hash, uint32_t value) {
  hash = (hash ^ value) * 0x9e3779b1u;
  return hash ^ (hash >> 15);
}

static uint32_t mix_bytes(uint32_t hash, const void *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) hash = mix(hash, ((const unsigned char *)bytes)[i]);
  return hash;
}

static int length_of(int file) { return (int)(mix(7, (uint32_t)file) % LONGEST); }

static void fill(char *text, int file) {
  uint32_t state = mix(11, (uint32_t)file);
  for (int i = 0; i < LONGEST; i++) text[i] = (char)('a' + (state = mix(state, (uint32_t)i)) % 26);
}

static char *path_of(int file) {
  static char path[64];
  snprintf(path, sizeof path, "d%02d/file-%04d.txt", file / FILES, file);
  return path;
}

// Half of the files through stdio, half with write in pieces of odd sizes.
static void make_files(void) {
  static char text[LONGEST];
  long bytes = 0;
  for (int file = 0; file < DIRECTORIES * FILES; file++) {
    if (file % FILES == 0) {
      char name[16];
      snprintf(name, sizeof name, "d%02d", file / FILES);
      CHECK(mkdir(name, 0777) == 0);
    }
    int length = length_of(file);
    fill(text, file);
    if (file % 2) {
      FILE *stream = fopen(path_of(file), "wx");
      CHECK(stream != NULL);
      CHECK(fwrite(text, 1, (size_t)length, stream) == (size_t)length);
      CHECK(fclose(stream) == 0);
    } else {
      int fd = open(path_of(file), O_CREAT | O_EXCL | O_WRONLY, 0666);
      CHECK(fd >= 0);
      for (int done = 0; done < length;) {
        int piece = length - done < 977 ? length - done : 977;
        ssize_t written = write(fd, text + done, (size_t)piece);
        CHECK(written == piece);
        done += (int)written;
      }
      CHECK(close(fd) == 0);
    }
    bytes += length;
  }
  FAILS(open(path_of(0), O_CREAT | O_EXCL | O_WRONLY, 0666), EEXIST);
  FAILS(mkdir("d00", 0777), EEXIST);
  printf("made %d files with %ld bytes\n", DIRECTORIES * FILES, bytes);
}

static void read_files(void) {
  static char expected[LONGEST], found[LONGEST + 1];
  uint32_t hash = 0;
  for (int file = 0; file < DIRECTORIES * FILES; file++) {
    int length = length_of(file);
    struct stat stat_by_path, stat_by_fd;
    fill(expected, file);
    CHECK(stat(path_of(file), &stat_by_path) == 0);
    int fd = open(path_of(file), O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &stat_by_fd) == 0);
    CHECK(S_ISREG(stat_by_path.st_mode) && stat_by_path.st_size == length && stat_by_path.st_nlink == 1);
    CHECK(stat_by_path.st_ino == stat_by_fd.st_ino && stat_by_path.st_dev == stat_by_fd.st_dev);
    struct iovec parts[3] = {{found, 10}, {found + 10, 0}, {found + 10, LONGEST - 9}};
    CHECK(readv(fd, parts, 3) == length);
    CHECK(memcmp(expected, found, (size_t)length) == 0);
    CHECK(read(fd, found, 1) == 0);
    int from = length == 0 ? 0 : (int)(mix(3, (uint32_t)file) % (uint32_t)length);
    CHECK(pread(fd, found, 50, from) == (length - from < 50 ? length - from : 50));
    CHECK(length == from || found[0] == expected[from]);
    CHECK(lseek(fd, 0, SEEK_CUR) == length && lseek(fd, -from, SEEK_END) == length - from && lseek(fd, from, SEEK_SET) == from);
    FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
    FAILS(write(fd, "x", 1), EBADF);
    CHECK(close(fd) == 0);
    hash = mix_bytes(hash, expected, (size_t)length);
  }
  printf("read them back: %08x\n", (unsigned)hash);
}

// Every name once, each of the right type, in any order; from any position again the same ones.
static void list_directories(void) {
  uint32_t sum = 0;
  for (int directory = 0; directory < DIRECTORIES; directory++) {
    char name[16];
    char seen[FILES] = {0};
    char rest[2][FILES + 2][32];
    int entries = 0, rests = 0;
    long middle = 0;
    snprintf(name, sizeof name, "d%02d", directory);
    DIR *stream = opendir(name);
    CHECK(stream != NULL);
    for (int round = 0; round < 2; round++) {
      struct dirent *entry;
      for (entries = 0, rests = 0; (entry = readdir(stream)) != NULL; entries++) {
        int file = 0;
        CHECK(entry->d_ino != 0);
        if (sscanf(entry->d_name, "file-%d.txt", &file) == 1) {
          CHECK(entry->d_type == DT_REG && file / FILES == directory && !seen[file % FILES]);
          seen[file % FILES] = 1;
          sum += mix_bytes(0, entry->d_name, strlen(entry->d_name));
        } else {
          CHECK(entry->d_type == DT_DIR && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
        }
        if (entries >= 40) snprintf(rest[round][rests++], sizeof rest[0][0], "%s", entry->d_name);
        if (entries == 39) middle = telldir(stream);
      }
      CHECK(entries == FILES + 2);
      if (round == 0) rewinddir(stream);
      memset(seen, 0, sizeof seen);
    }
    seekdir(stream, middle);
    for (int i = 0; i < rests; i++) CHECK(strcmp(readdir(stream)->d_name, rest[1][i]) == 0);
    CHECK(readdir(stream) == NULL);
    CHECK(closedir(stream) == 0);
  }
  printf("listed %d directories: %08x\n", DIRECTORIES, (unsigned)sum);
}

static void change_files(void) {
  static char text[LONGEST];
  static int lengths[DIRECTORIES * FILES];
  int appended = 0, cut = 0, moved = 0, replaced = 0;
  struct stat found;
  for (int file = 0; file < DIRECTORIES * FILES; file++) {
    int length = length_of(file);
    if (file % 3 == 0) {
      int fd = open(path_of(file), O_WRONLY | O_APPEND);
      CHECK(fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 && write(fd, "appended", 8) == 8 && lseek(fd, 0, SEEK_CUR) == length + 8 && close(fd) == 0);
      length += 8;
      appended++;
    }
    if (file % 5 == 0) {
      int fd = open(path_of(file), O_RDWR);
      CHECK(fd >= 0 && ftruncate(fd, 100) == 0 && ftruncate(fd, 200) == 0 && pread(fd, text, LONGEST, 0) == 200);
      CHECK(text[199] == 0 && text[100] == 0 && (length < 100 || text[99] != 0));
      CHECK(fsync(fd) == 0 && close(fd) == 0);
      length = 200;
      cut++;
    }
    CHECK(stat(path_of(file), &found) == 0 && found.st_size == length);
    lengths[file] = length;
  }
  for (int file = 0; file < DIRECTORIES * FILES; file++) {
    char to[64];
    if (file % 7 == 0) {
      snprintf(to, sizeof to, "d%02d/moved-%04d", (file / FILES + 1) % DIRECTORIES, file);
      moved++;
    } else if (file % 11 == 0 && file % FILES < FILES - 1) {
      // Onto the next one, which is gone by that.
      snprintf(to, sizeof to, "%s", path_of(file + 1));
      CHECK(stat(to, &found) == 0);
      lengths[file + 1] = lengths[file];
      replaced++;
    } else {
      continue;
    }
    CHECK(rename(path_of(file), to) == 0 && stat(to, &found) == 0 && found.st_size == lengths[file]);
    FAILS(stat(path_of(file), &found), ENOENT);
  }
  printf("appended to %d files, cut %d, moved %d, moved %d onto others\n", appended, cut, moved, replaced);
}

static void link_files(void) {
  char text[64];
  struct stat one, other;
  CHECK(mkdir("links", 0777) == 0);
  for (int i = 0; i < 200; i++) {
    char name[64], to[64];
    snprintf(name, sizeof name, "links/file-%d", i);
    snprintf(to, sizeof to, "links/hard-%d", i);
    int fd = open(name, O_CREAT | O_RDWR, 0666);
    CHECK(fd >= 0 && write(fd, "linked", 6) == 6);
    CHECK(link(name, to) == 0 && stat(name, &one) == 0 && stat(to, &other) == 0);
    CHECK(one.st_ino == other.st_ino && one.st_nlink == 2 && other.st_size == 6);
    CHECK(unlink(name) == 0 && stat(to, &other) == 0 && other.st_nlink == 1 && rename(to, name) == 0);
    snprintf(to, sizeof to, "links/soft-%d", i);
    snprintf(text, sizeof text, "./../links/file-%d", i);
    CHECK(symlink(text, to) == 0 && lstat(to, &one) == 0 && S_ISLNK(one.st_mode) && (size_t)one.st_size == strlen(text));
    CHECK(stat(to, &other) == 0 && S_ISREG(other.st_mode) && other.st_size == 6);
    CHECK(readlink(to, text, sizeof text) == one.st_size && strncmp(text, "./../links/file-", 16) == 0);
    FAILS(open(to, O_RDONLY | O_NOFOLLOW), ELOOP);
    // A file lives on without a name, and under another one.
    CHECK(unlink(name) == 0 && lseek(fd, 0, SEEK_SET) == 0 && read(fd, text, 6) == 6 && memcmp(text, "linked", 6) == 0);
    FAILS(open(to, O_RDONLY), ENOENT);
    CHECK(close(fd) == 0 && unlink(to) == 0);
  }
  CHECK(rmdir("links") == 0);
  printf("linked 200 files\n");
}

// Reads and writes at random places of one large file, beside the same in memory.
static void seek_in_file(void) {
  static unsigned char model[BIG], piece[5000];
  uint32_t state = 1;
  int fd = open("big", O_CREAT | O_RDWR, 0666);
  CHECK(fd >= 0);
  for (int at = 0; at < BIG; at += 65536) {
    for (int i = 0; i < 65536; i++) model[at + i] = (unsigned char)(state = mix(state, (uint32_t)i));
    CHECK(write(fd, model + at, 65536) == 65536);
  }
  for (int step = 0; step < 4000; step++) {
    state = mix(state, (uint32_t)step);
    int length = (int)(state % sizeof piece), at = (int)(mix(state, 1) % (BIG - sizeof piece));
    if (step % 2) {
      memset(piece, step, (size_t)length);
      memcpy(model + at, piece, (size_t)length);
      if (step % 4 == 1) CHECK(pwrite(fd, piece, (size_t)length, at) == length);
      else CHECK(lseek(fd, at, SEEK_SET) == at && write(fd, piece, (size_t)length) == length);
    } else {
      if (step % 4) CHECK(pread(fd, piece, (size_t)length, at) == length);
      else CHECK(lseek(fd, at, SEEK_SET) == at && read(fd, piece, (size_t)length) == length);
      CHECK(memcmp(model + at, piece, (size_t)length) == 0);
    }
  }
  CHECK(lseek(fd, 0, SEEK_END) == BIG);
  // A hole is zeros.
  CHECK(pwrite(fd, "end", 3, BIG + 10000) == 3 && pread(fd, piece, 5000, BIG + 5003) == 5000 && memcmp(piece + 4997, "end", 3) == 0);
  for (int i = 0; i < 4997; i++) CHECK(piece[i] == 0);
  CHECK(close(fd) == 0 && unlink("big") == 0);
  printf("sought in %d bytes: %08x\n", BIG, (unsigned)mix_bytes(0, model, BIG));
}

static void time_files(void) {
  struct stat found;
  struct timespec times[2] = {{1000000000, 123000000}, {1500000000, 456000000}};
  int fd = open("timed", O_CREAT | O_RDWR, 0666);
  CHECK(fd >= 0 && futimens(fd, times) == 0 && fstat(fd, &found) == 0);
  CHECK(found.st_atim.tv_sec == 1000000000 && found.st_mtim.tv_sec == 1500000000 && found.st_mtim.tv_nsec == 456000000);
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = 1;
  CHECK(utimensat(AT_FDCWD, "timed", times, 0) == 0 && stat("timed", &found) == 0);
  CHECK(found.st_atim.tv_sec == 1000000000 && found.st_mtim.tv_sec == 1);
  CHECK(close(fd) == 0 && unlink("timed") == 0);
  printf("set times\n");
}

static void fail(void) {
  struct stat found;
  FAILS(open("missing", O_RDONLY), ENOENT);
  FAILS(open("d00/missing/x", O_CREAT | O_WRONLY, 0666), ENOENT);
  FAILS(open("d00", O_WRONLY), EISDIR);
  FAILS(rmdir("d00"), ENOTEMPTY);
  FAILS(rmdir("missing"), ENOENT);
  FAILS(unlink("missing"), ENOENT);
  FAILS(rename("missing", "x"), ENOENT);
  FAILS(link("missing", "x"), ENOENT);
  int fd = open("plain", O_CREAT | O_WRONLY, 0666);
  CHECK(fd >= 0 && close(fd) == 0);
  FAILS(close(fd), EBADF);
  FAILS(stat("plain/x", &found), ENOTDIR);
  FAILS(mkdir("plain/x", 0777), ENOTDIR);
  FAILS(open("plain", O_RDONLY | O_DIRECTORY), ENOTDIR);
  FAILS(rmdir("plain"), ENOTDIR);
  FAILS(rename("d00", "plain"), ENOTDIR);
  FAILS(rename("plain", "d00"), EISDIR);
  FAILS(rename("d00", "d00/below"), EINVAL);
  CHECK(unlink("plain") == 0);
  printf("failed as it should\n");
}

struct totals {
  int files, directories;
  long bytes;
  uint32_t hash;
};

// Sums up what is below `path`, whatever the order, and removes it.
static void clear(const char *path, struct totals *totals) {
  static char text[65536];
  DIR *stream = opendir(path);
  struct dirent *entry;
  CHECK(stream != NULL);
  while ((entry = readdir(stream)) != NULL) {
    char below[256];
    struct stat found;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
    CHECK(lstat(below, &found) == 0);
    if (S_ISDIR(found.st_mode)) {
      clear(below, totals);
      CHECK(rmdir(below) == 0);
      totals->directories++;
      continue;
    }
    FILE *file = fopen(below, "r");
    CHECK(file != NULL);
    size_t length = fread(text, 1, sizeof text, file);
    CHECK((off_t)length == found.st_size && fclose(file) == 0 && unlink(below) == 0);
    totals->files++;
    totals->bytes += (long)length;
    totals->hash += mix_bytes(mix_bytes(0, entry->d_name, strlen(entry->d_name)), text, length);
  }
  CHECK(closedir(stream) == 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 2 && chdir(argv[1]) == 0);
  make_files();
  read_files();
  list_directories();
  change_files();
  link_files();
  seek_in_file();
  time_files();
  fail();
  CHECK(rename("d03", "renamed") == 0 && mkdir("empty", 0777) == 0 && rename("renamed", "empty") == 0);
  struct totals totals = {0};
  clear(".", &totals);
  printf("removed %d files with %ld bytes and %d directories: %08x\n", totals.files, totals.bytes, totals.directories, (unsigned)totals.hash);
  return 0;
}
