// The functions with enumerations, which every version has; without this newer ones have others of the same names.
#define MPG123_ENUM_API
#include <mpg123.h>
