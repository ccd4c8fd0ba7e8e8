/* A crowd that makes anew whoever is missing: argv[1] processes, each looking after all others, for argv[2] seconds at most.
   It is deaf to TERM, every member has a session of its own, and none has an environment. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **word) {
    char *nothing[] = {NULL};
    if (count == 3) {
        char *again[] = {word[0], word[1], word[2], "bare", NULL};
        execve(word[0], again, nothing);
    }
    int many = atoi(word[1]);
    time_t end = time(NULL) + atoi(word[2]);
    signal(SIGTERM, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    volatile int *place = mmap(NULL, sizeof(int) * many, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    place[0] = getpid();
    while (time(NULL) < end) {
        for (int i = 0; i < many; i++) {
            int there = place[i];
            if (there == -1 || (there && !(kill(there, 0) && errno == ESRCH))) continue;
            if (!__sync_bool_compare_and_swap(&place[i], there, -1)) continue;
            int child = fork();
            if (child < 0) place[i] = 0;
            if (child == 0) {
                place[i] = getpid();
                setsid();
                break;
            }
        }
        usleep(200);
    }
    return 0;
}
