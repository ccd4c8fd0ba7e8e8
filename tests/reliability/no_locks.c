/* A file system without locks and hard links, as some network and FUSE file systems are: for tests, by LD_PRELOAD. */
#include <errno.h>

int flock(int descriptor, int operation) {
    (void)descriptor, (void)operation;
    errno = ENOLCK;
    return -1;
}

int link(const char *from, const char *to) {
    (void)from, (void)to;
    errno = EPERM;
    return -1;
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    (void)from_folder, (void)from, (void)to_folder, (void)to, (void)flags;
    errno = EPERM;
    return -1;
}
