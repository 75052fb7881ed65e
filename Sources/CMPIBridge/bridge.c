#include "CMPIBridge.h"

#define OMPI_SKIP_MPICXX 1
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(MPI_Request) <= sizeof(cmpi_request), "an MPI_Request does not fit");

static MPI_Comm group = MPI_COMM_NULL;
// The same ranks once more: what is started in one communicator has no order with what is started in another.
static MPI_Comm eager = MPI_COMM_NULL;
static MPI_Comm heartbeats = MPI_COMM_NULL;

// Word 0 stands for MPI_REQUEST_NULL, which is the address of an object in Open MPI.
static MPI_Request unwrap(cmpi_request wrapped) {
  MPI_Request request = MPI_REQUEST_NULL;
  if (wrapped.word) memcpy(&request, &wrapped.word, sizeof request);
  return request;
}

static cmpi_request wrap(MPI_Request request) {
  cmpi_request wrapped = {0};
  if (request != MPI_REQUEST_NULL) memcpy(&wrapped.word, &request, sizeof request);
  return wrapped;
}

static void copy_text(char *to, int capacity, const char *from) {
  if (capacity > 0) snprintf(to, (size_t)capacity, "%s", from);
}

int cmpi_init(int *serialized, int *multiple) {
  int started = 0;
  int granted = MPI_THREAD_SINGLE;
  *serialized = *multiple = 0;
  MPI_Initialized(&started);
  if (!started) {
    // With more ranks than cores, ranks that spin starve the ones that compute: a 4 KB all-reduce takes 8 to 48 ms
    // instead of 0.02. Open MPI reads this only at the start; yielding costs under a microsecond a call.
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &granted);
    if (code != MPI_SUCCESS) return code;
  } else {
    int code = MPI_Query_thread(&granted);
    if (code != MPI_SUCCESS) return code;
  }
  *serialized = granted >= MPI_THREAD_SERIALIZED;
  *multiple = granted >= MPI_THREAD_MULTIPLE;
  if (group != MPI_COMM_NULL) return MPI_SUCCESS;
  int code = MPI_Comm_dup(MPI_COMM_WORLD, &group);
  if (code != MPI_SUCCESS) return code;
  code = MPI_Comm_set_errhandler(group, MPI_ERRORS_RETURN);
  if (code != MPI_SUCCESS) return code;
  return MPI_Comm_dup(group, &eager);
}

int cmpi_finalize(void) {
  MPI_Comm *all[] = {&heartbeats, &eager, &group};
  for (size_t index = 0; index < sizeof all / sizeof *all; index++) {
    if (*all[index] == MPI_COMM_NULL) continue;
    int code = MPI_Comm_free(all[index]);
    if (code != MPI_SUCCESS) return code;
  }
  return MPI_Finalize();
}

int cmpi_rank(int *rank) { return MPI_Comm_rank(group, rank); }

int cmpi_size(int *size) { return MPI_Comm_size(group, size); }

int cmpi_processor_name(char *name, int capacity) {
  char text[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  int code = MPI_Get_processor_name(text, &length);
  copy_text(name, capacity, text);
  return code;
}

int cmpi_library_version(char *text, int capacity) {
  char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  int code = MPI_Get_library_version(version, &length);
  version[strcspn(version, "\n")] = 0;
  copy_text(text, capacity, version);
  return code;
}

void cmpi_error_string(int code, char *text, int capacity) {
  char message[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  if (MPI_Error_string(code, message, &length) != MPI_SUCCESS) {
    snprintf(message, sizeof message, "unknown MPI error %d", code);
  }
  copy_text(text, capacity, message);
}

_Noreturn void cmpi_abort(int status) {
  fflush(NULL);
  MPI_Abort(MPI_COMM_WORLD, status);
  _Exit(status);
}

int cmpi_barrier(void) { return MPI_Barrier(group); }

int cmpi_broadcast(void *bytes, int count, int root) { return MPI_Bcast(bytes, count, MPI_BYTE, root, group); }

int cmpi_all_gather(const void *mine, int count, void *all, const int *counts, const int *offsets) {
  return MPI_Allgatherv(mine, count, MPI_BYTE, all, counts, offsets, MPI_BYTE, group);
}

int cmpi_gather(const void *mine, int count, void *all, const int *counts, const int *offsets, int root) {
  return MPI_Gatherv(mine, count, MPI_BYTE, all, counts, offsets, MPI_BYTE, root, group);
}

int cmpi_all_reduce_sum(float *values, int count) {
  return MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_FLOAT, MPI_SUM, group);
}

int cmpi_start_all_to_all(const float *send, const int *send_counts, const int *send_offsets, float *receive,
                          const int *receive_counts, const int *receive_offsets, cmpi_request *request) {
  MPI_Request started = MPI_REQUEST_NULL;
  int code = MPI_Ialltoallv(send, send_counts, send_offsets, MPI_FLOAT, receive, receive_counts, receive_offsets,
                            MPI_FLOAT, group, &started);
  *request = wrap(started);
  return code;
}

int cmpi_start_all_gather(float *values, const int *counts, const int *offsets, int is_eager, cmpi_request *request) {
  MPI_Request started = MPI_REQUEST_NULL;
  int code = MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, counts, offsets, MPI_FLOAT,
                             is_eager ? eager : group, &started);
  *request = wrap(started);
  return code;
}

int cmpi_test(cmpi_request *request, int *done) {
  MPI_Request pending = unwrap(*request);
  int code = MPI_Test(&pending, done, MPI_STATUS_IGNORE);
  *request = wrap(pending);
  return code;
}

int cmpi_wait(cmpi_request *request) {
  MPI_Request pending = unwrap(*request);
  int code = MPI_Wait(&pending, MPI_STATUS_IGNORE);
  *request = wrap(pending);
  return code;
}

int cmpi_open_heartbeats(void) { return MPI_Comm_dup(group, &heartbeats); }

int cmpi_send_heartbeat(const uint64_t *words, int count, int to, cmpi_request *request) {
  MPI_Request started = MPI_REQUEST_NULL;
  int code = MPI_Isend(words, count, MPI_UINT64_T, to, 0, heartbeats, &started);
  *request = wrap(started);
  return code;
}

int cmpi_receive_heartbeat(uint64_t *words, int count, int *from) {
  int arrived = 0;
  MPI_Status status;
  *from = -1;
  int code = MPI_Iprobe(MPI_ANY_SOURCE, 0, heartbeats, &arrived, &status);
  if (code != MPI_SUCCESS || !arrived) return code;
  // One thread receives here, so the message that was found is the one that comes.
  code = MPI_Recv(words, count, MPI_UINT64_T, status.MPI_SOURCE, 0, heartbeats, MPI_STATUS_IGNORE);
  if (code == MPI_SUCCESS) *from = status.MPI_SOURCE;
  return code;
}
