// Empty on purpose: this module only carries Open MPI's compiler and linker flags.
// <mpi.h> is included by one file alone, CMPIBridge/bridge.c, and never seen by Swift.
