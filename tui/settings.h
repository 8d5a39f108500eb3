/*
 * settings.h - everything that flags and airo.ini can set. options.c fills it from one table, in
 * this order: defaults, airo.ini, command line. Strings are owned by the struct.
 */
#ifndef AIRO_TUI_SETTINGS_H
#define AIRO_TUI_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/chat/converter_table.h"
#include "engine/infer/sampler.h"
#include "engine/model/model.h"

struct settings {
    /* model */
    char *model;    /* NULL: vaquita */
    char *template; /* "airoboros" */
    char *system;   /* NULL: the template's */
    char *kernels;  /* "auto" */
    char *device;   /* "auto"; see backend_choice.h */
    char *kv_type;  /* "auto" */
    char *kv_disk;  /* "4G"; see size_parse */
    char *rope;     /* NULL: from the file */
    double rope_factor;
    uint32_t rope_original;
    uint32_t context; /* 0: the model's */
    uint32_t threads; /* 0: physical cores */
    uint32_t chunk;
    char *draft; /* "auto", "off", "1" .. "7" */
    /* reply */
    struct sampling sampling;
    uint32_t max_tokens;
    bool ask_source, no_making_up, plain_format, check_answers, grammar;
    struct converter_table converters; /* the user's own, from airo.ini */
    /* interface */
    char *theme;  /* "vaquita-dark" */
    char *colour; /* "auto", "truecolor", "256", "16", "none" */
    bool mouse;
    char *start;         /* "new" or "last": the chat to begin with */
    uint32_t purge_days; /* deleted chats are kept so long; 0: for good */
    uint32_t frame_ms;   /* shortest time between two frames */
    bool verbose;        /* say on stderr what was loaded and how */

    uint64_t given; /* which options were set by the ini file or a flag: see option_given */
};

/* Every value at its default. */
void settings_defaults(struct settings *settings);

/* Reads an ini file over what is there. Errors name file, line, section:key, value and range. */
int settings_read(struct settings *settings, const char *path, struct error *error);

/* Defaults, then $XDG_CONFIG_HOME/airo/airo.ini where there is one. */
int settings_load(struct settings *settings, struct error *error);

/* What the model's own generation_config.json recommends, where neither ini nor flag said anything.
 * A model that cannot be found is no error here: loading it will say so. */
int settings_take_model(struct settings *settings, struct error *error);

/* For generation_request.draft. */
int settings_draft(const struct settings *settings);

void settings_free(struct settings *settings);

#endif
