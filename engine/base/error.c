#include "engine/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, enum error_code code, const char *format, ...)
{
    if (error == NULL)
        return -1;
    error->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return -1;
}

int error_set_errno(struct error *error, const char *format, ...)
{
    int saved = errno;
    if (error == NULL)
        return -1;
    error->code = ERROR_SYSTEM;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    size_t used = strlen(error->message);
    char reason[128];
    snprintf(error->message + used, sizeof error->message - used, ": %s",
             strerror_r(saved, reason, sizeof reason));
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return -1;
    char prefix[256];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    char joined[sizeof error->message + sizeof prefix + 2];
    snprintf(joined, sizeof joined, "%s: %s", prefix, error->message);
    snprintf(error->message, sizeof error->message, "%.*s", (int)sizeof error->message - 1, joined);
    return -1;
}
