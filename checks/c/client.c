/* A load generator in C, the least that does what ours does in its simplest case: connections with one message in
   flight each, every byte compared, each message timed from before its send to after its recv.
   Usage: client PORT CONNECTIONS SIZE SECONDS; prints echoes a second, us of CPU time for each, and
   the 50th and the 99th percentile in us. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STREAM (1 << 22)
#define SLOWEST 1000000

struct connection {
    int fd;
    size_t position, received;
    long long sent_at;
};

static char stream[STREAM], buffer[1 << 16];
static long long times[SLOWEST + 1];

static void need(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int percentile(double share, long long count)
{
    long long seen = 0;
    for (int time = 0; time <= SLOWEST; time++)
        if ((seen += times[time]) >= share * count)
            return time;
    return SLOWEST;
}

int main(int argc, char **argv)
{
    int port = atoi(argv[1]), connections = atoi(argv[2]), one = 1, poller = epoll_create1(0);
    size_t size = atoi(argv[3]);
    long long count = 0, begun, end, time;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    struct connection *all = calloc(connections, sizeof *all);
    struct epoll_event event = {.events = EPOLLIN}, events[256];

    need(argc == 5 && size <= sizeof buffer, "usage");
    for (size_t i = 0; i < STREAM; i++)
        stream[i] = random() >> 8;
    for (int i = 0; i < connections; i++) {
        int fd = all[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        need(!connect(fd, (struct sockaddr *)&address, sizeof address), "connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event.data.ptr = &all[i];
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
        all[i].position = (size_t)i * 7919 % (STREAM - size);
    }
    begun = now();
    end = begun + atof(argv[4]) * 1e9;
    for (int i = 0; i < connections; i++) {
        all[i].sent_at = now();
        need(send(all[i].fd, stream + all[i].position, size, MSG_NOSIGNAL) == (ssize_t)size, "send");
    }
    do {
        int ready = epoll_wait(poller, events, 256, 1000);
        time = now();
        for (int i = 0; i < ready; i++) {
            struct connection *this = events[i].data.ptr;
            ssize_t n = recv(this->fd, buffer, size - this->received, 0);
            time = now();
            need(n > 0, "recv");
            if (memcmp(buffer, stream + this->position + this->received, n)) {
                fprintf(stderr, "harmed\n");
                return 1;
            }
            this->received += n;
            if (this->received < size)
                continue;
            long long took = (time - this->sent_at) / 1000;
            times[took > SLOWEST ? SLOWEST : took]++;
            count++;
            this->received = 0;
            this->position += size;
            if (this->position > STREAM - size)
                this->position = 0;
            this->sent_at = now();
            need(send(this->fd, stream + this->position, size, MSG_NOSIGNAL) == (ssize_t)size, "send");
        }
    } while (time < end);
    printf("%.0f %.3f %d %d\n", count * 1e9 / (time - begun), clock() * 1e6 / CLOCKS_PER_SEC / count,
           percentile(0.50, count), percentile(0.99, count));
    return 0;
}
