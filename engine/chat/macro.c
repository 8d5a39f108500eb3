#include "engine/chat/macro.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DICE_MAX  100
#define SIDES_MAX 1000000
#define INNER_MAX 1024 /* bytes between the braces */

struct expansion {
    struct strbuf *out;
    const struct macro_context *context;
    uint64_t chance; /* state of the generator */
    size_t begin;    /* out->length at the start */
};

/* splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t next_chance(struct expansion *expansion)
{
    uint64_t z = expansion->chance += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* FNV-1a over the text, so that each text has its own chance, whatever stands around it. */
static uint64_t text_hash(const char *text)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
    return hash;
}

static void put(struct expansion *expansion, const char *text, size_t length)
{
    size_t used = expansion->out->length - expansion->begin;
    if (length <= MACRO_BYTES_MAX - used)
        strbuf_add(expansion->out, text, length);
}

/* --- the macros: true when `argument` (NULL: none) was understood ----------------------------- */

typedef bool (*macro_run)(struct expansion *expansion, const char *argument, size_t length);

static bool run_character(struct expansion *expansion, const char *argument, size_t length)
{
    const char *name = expansion->context->character;
    if (argument != NULL || name == NULL)
        return false;
    (void)length;
    put(expansion, name, strlen(name));
    return true;
}

static bool run_user(struct expansion *expansion, const char *argument, size_t length)
{
    const char *name = expansion->context->user;
    if (argument != NULL || name == NULL)
        return false;
    (void)length;
    put(expansion, name, strlen(name));
    return true;
}

static bool run_original(struct expansion *expansion, const char *argument, size_t length)
{
    const char *original = expansion->context->original;
    (void)length;
    if (argument == NULL && original != NULL)
        put(expansion, original, strlen(original));
    return argument == NULL;
}

/* The length of the choice at `at`; *next is where the following one begins, `end` if none. */
static size_t choice_length(const char *at, const char *end, const char *separator,
                            const char **next)
{
    const char *found = memmem(at, (size_t)(end - at), separator, strlen(separator));
    *next = found != NULL ? found + strlen(separator) : end;
    return (size_t)((found != NULL ? found : end) - at);
}

static bool run_random(struct expansion *expansion, const char *argument, size_t length)
{
    if (argument == NULL || length == 0)
        return false;
    const char *separator = memmem(argument, length, "::", 2) != NULL ? "::" : ",";
    const char *end = argument + length, *at = argument, *next;
    size_t count = 1;
    for (const char *scan = argument; choice_length(scan, end, separator, &next), next < end;
         scan = next)
        count++;
    for (size_t skip = next_chance(expansion) % count; skip > 0; skip--) {
        choice_length(at, end, separator, &next);
        at = next;
    }
    size_t chosen = choice_length(at, end, separator, &next);
    for (; chosen > 0 && *at == ' '; at++)
        chosen--;
    while (chosen > 0 && at[chosen - 1] == ' ')
        chosen--;
    put(expansion, at, chosen);
    return true;
}

static bool run_roll(struct expansion *expansion, const char *argument, size_t length)
{
    char text[32], number[32];
    unsigned dice = 1, sides = 0;
    int end = -1;
    if (argument == NULL || length >= sizeof text)
        return false;
    memcpy(text, argument, length);
    text[length] = '\0';
    if (sscanf(text, " %3ud%7u %n", &dice, &sides, &end) != 2 || end < 0) {
        dice = 1;
        end = -1;
        if (sscanf(text, text[strspn(text, " ")] == 'd' ? " d%7u %n" : " %7u %n", &sides, &end) < 1)
            return false;
    }
    if (end < 0 || text[end] != '\0' || dice == 0 || dice > DICE_MAX || sides == 0 ||
        sides > SIDES_MAX)
        return false;
    uint64_t sum = 0;
    for (unsigned i = 0; i < dice; i++)
        sum += 1 + next_chance(expansion) % sides;
    int written = snprintf(number, sizeof number, "%llu", (unsigned long long)sum);
    put(expansion, number, (size_t)written);
    return true;
}

static bool local_time(const struct expansion *expansion, struct tm *parts)
{
    time_t local = (time_t)(expansion->context->now_s + expansion->context->utc_offset_s);
    return gmtime_r(&local, parts) != NULL;
}

static bool run_time(struct expansion *expansion, const char *argument, size_t length)
{
    struct tm parts;
    char text[32];
    (void)length;
    if (argument != NULL || !local_time(expansion, &parts))
        return false;
    put(expansion, text, strftime(text, sizeof text, "%H:%M", &parts));
    return true;
}

static bool run_date(struct expansion *expansion, const char *argument, size_t length)
{
    struct tm parts;
    char text[32];
    (void)length;
    if (argument != NULL || !local_time(expansion, &parts))
        return false;
    put(expansion, text, strftime(text, sizeof text, "%Y-%m-%d", &parts));
    return true;
}

static const struct macro {
    const char *name;
    macro_run run;
} macros[] = {
    {"char", run_character}, {"user", run_user}, {"original", run_original}, {"random", run_random},
    {"pick", run_random},    {"roll", run_roll}, {"time", run_time},         {"date", run_date},
};

static const struct macro angled[] = {
    {"<USER>", run_user},
    {"<BOT>", run_character},
    {"<CHAR>", run_character},
};

/* --- text ------------------------------------------------------------------------------------- */

/* `inner` is what stands between the braces. */
static bool expand_inner(struct expansion *expansion, const char *inner, size_t length)
{
    if (length >= 2 && memcmp(inner, "//", 2) == 0)
        return true;
    const char *colon = memchr(inner, ':', length);
    size_t name = colon != NULL ? (size_t)(colon - inner) : length;
    const char *argument = colon != NULL ? colon + 1 : NULL;
    size_t rest = colon != NULL ? length - name - 1 : 0;
    if (rest > 0 && *argument == ':') { /* {{random::a::b}} */
        argument++;
        rest--;
    }
    for (size_t i = 0; i < sizeof macros / sizeof macros[0]; i++)
        if (strlen(macros[i].name) == name && strncasecmp(macros[i].name, inner, name) == 0)
            return macros[i].run(expansion, argument, rest);
    return false;
}

/* Bytes taken by the macro at `at`, 0 when there is none. */
static size_t expand_here(struct expansion *expansion, const char *at)
{
    if (at[0] == '{' && at[1] == '{') {
        const char *close = memmem(at + 2, strnlen(at + 2, INNER_MAX + 2), "}}", 2);
        if (close != NULL && expand_inner(expansion, at + 2, (size_t)(close - at - 2)))
            return (size_t)(close - at) + 2;
    }
    for (size_t i = 0; *at == '<' && i < sizeof angled / sizeof angled[0]; i++)
        if (strncasecmp(at, angled[i].name, strlen(angled[i].name)) == 0 &&
            angled[i].run(expansion, NULL, 0))
            return strlen(angled[i].name);
    return 0;
}

void macro_expand(struct strbuf *out, const char *text, const struct macro_context *context)
{
    struct expansion expansion = {out, context, context->seed ^ text_hash(text), out->length};
    while (*text != '\0') {
        size_t plain = strcspn(text, "{<");
        put(&expansion, text, plain);
        text += plain;
        if (*text == '\0')
            break;
        size_t taken = expand_here(&expansion, text);
        if (taken == 0)
            put(&expansion, text, taken = 1);
        text += taken;
    }
}
