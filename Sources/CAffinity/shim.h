// The processors of a thread. <sched.h> shows these two only to those who define _GNU_SOURCE before its first
// inclusion, which Swift's Glibc module does not.
#ifndef CAFFINITY_H
#define CAFFINITY_H

#include <stddef.h>

int sched_getaffinity(int pid, size_t set_size, void *set);
int sched_setaffinity(int pid, size_t set_size, const void *set);

#endif
