/* An echo on epoll, in C: what the load generator and the service are measured against. It prints the port that it
   listens on. Usage: echo [PORT] */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 16];

static void need(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

/* Blocks where a peer does not read: good enough for clients that do. */
static int send_all(int fd, ssize_t length)
{
    for (ssize_t sent = 0, n; sent < length; sent += n)
        if ((n = send(fd, buffer + sent, length - sent, MSG_NOSIGNAL)) <= 0)
            return 0;
    return 1;
}

int main(int count, char **arguments)
{
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), poller = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];

    if (count > 1)
        address.sin_port = htons(atoi(arguments[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    need(!bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    need(!listen(listener, 1024), "listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                need((fd = accept(listener, NULL, NULL)) >= 0, "accept");
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event.data.fd = fd;
                epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
                continue;
            }
            ssize_t n = recv(fd, buffer, sizeof buffer, 0);
            if (n <= 0 || !send_all(fd, n))
                close(fd);
        }
    }
}
