#include "tui/age.h"

#include <stdio.h>
#include <time.h>

#define MINUTE 60
#define HOUR   3600
#define DAY    86400

const char *age_text(char out[AGE_BYTES], int64_t then_s, int64_t now_s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm then, now;
    time_t then_time = (time_t)then_s, now_time = (time_t)now_s;
    int64_t age;
    if (__builtin_sub_overflow(now_s, then_s, &age))
        age = then_s < 0 ? INT64_MAX : 0;
    if (localtime_r(&then_time, &then) == NULL || localtime_r(&now_time, &now) == NULL)
        snprintf(out, AGE_BYTES, "?");
    else if (age < MINUTE)
        snprintf(out, AGE_BYTES, "now");
    else if (age < HOUR)
        snprintf(out, AGE_BYTES, "%d min", (int)(age / MINUTE));
    else if (age < DAY)
        snprintf(out, AGE_BYTES, "%d h", (int)(age / HOUR));
    else if (age < 6 * DAY)
        snprintf(out, AGE_BYTES, "%s", days[then.tm_wday]);
    else if (then.tm_year == now.tm_year || age < 180 * DAY)
        snprintf(out, AGE_BYTES, "%d %s", then.tm_mday, months[then.tm_mon]);
    else
        snprintf(out, AGE_BYTES, "%d", (int)(then.tm_year + 1900) % 10000);
    return out;
}
