// The few MPI calls this project makes, as plain C: no MPI type in sight, so that Swift never reads <mpi.h>.
//
// Every function that returns int returns 0, or an MPI error code for cmpi_error_string. All communicate in one
// group, a duplicate of MPI_COMM_WORLD on which errors are returned. Counts and offsets are in bytes or floats, as
// said; arrays of them have one entry a rank.
#ifndef CMPI_BRIDGE_H
#define CMPI_BRIDGE_H

#include <stdint.h>

// An MPI_Request, whatever the library makes of it. All zero: no request.
typedef struct {
  uint64_t word;
} cmpi_request;

// Starts MPI, unless something has; *serialized is 1 when calls may come from different threads, one at a time,
// *multiple when they may come at the same time, which the heartbeats need.
// Waiting ranks yield the processor (OMPI_MCA_mpi_yield_when_idle) unless the environment says otherwise.
int cmpi_init(int *serialized, int *multiple);
int cmpi_finalize(void);

int cmpi_rank(int *rank);
int cmpi_size(int *size);
// At most capacity - 1 bytes and a zero.
int cmpi_processor_name(char *name, int capacity);
// "Open MPI v4.1.4, …", to the first line's end; works at any time.
int cmpi_library_version(char *text, int capacity);
// What the code means; works at any time.
void cmpi_error_string(int code, char *text, int capacity);
// Ends all ranks with this exit status.
_Noreturn void cmpi_abort(int status);

int cmpi_barrier(void);
int cmpi_broadcast(void *bytes, int count, int root);
int cmpi_all_gather(const void *mine, int count, void *all, const int *counts, const int *offsets);
int cmpi_gather(const void *mine, int count, void *all, const int *counts, const int *offsets, int root);
int cmpi_all_reduce_sum(float *values, int count);

// Non-blocking, in floats. Buffers and arrays must stay until the request has completed.
int cmpi_start_all_to_all(const float *send, const int *send_counts, const int *send_offsets, float *receive,
                          const int *receive_counts, const int *receive_offsets, cmpi_request *request);
// is_eager: begun in any order with what is not, but in one order among themselves.
int cmpi_start_all_gather(float *values, const int *counts, const int *offsets, int is_eager, cmpi_request *request);
// *done is 1 when the request has completed, which then is no request. No request: done at once.
int cmpi_test(cmpi_request *request, int *done);
int cmpi_wait(cmpi_request *request);

// Small messages in a communicator of their own, so that one thread of each rank may use it beside all other calls.
// Collective, once.
int cmpi_open_heartbeats(void);
// The words must stay until the request has completed.
int cmpi_send_heartbeat(const uint64_t *words, int count, int to, cmpi_request *request);
// Takes a message that has arrived; *from is -1 when there is none.
int cmpi_receive_heartbeat(uint64_t *words, int count, int *from);

#endif
