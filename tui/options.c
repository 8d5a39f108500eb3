#include "tui/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/model/backend_choice.h"
#include "tui/completion_script.h"
#include "tui/home_path.h"

#define AT(field) offsetof(struct settings, field)
#define NO_RANGE  0, 0

/* clang-format off */
const struct option options_table[] = {
    /* every command */
    {"help", 'h', "", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "show help, for the command if one is given"},
    {"version", 'V', "", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "show the version"},
    {"print-config", 0, "", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "print the default airo.ini, with comments"},
    {"print-man", 0, "", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "print the manual page"},
    {"print-completion", 0, "", NULL, OPTION_CHOICE, "SHELL", NO_RANGE, COMPLETION_SHELLS, 0, NULL,
     "print a script that completes the command line"},
    {"list", 0, "", NULL, OPTION_CHOICE, "KIND", NO_RANGE, COMPLETION_LISTS, 0, NULL,
     "print the names that are there, a line each"},

    /* commands' own */
    {"plain", 0, "chat", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "line by line: no screen, no redraw; for a screen reader, a dumb terminal or a pipe"},
    {"last", 0, "chat", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "open the chat that was last updated"},
    {"document", 'd', "chat", NULL, OPTION_STRING, "FILE", NO_RANGE, NULL, 0, NULL,
     "a document that goes with the first message: a file, a directory or a quoted pattern; may be "
     "repeated"},
    {"key", 'k', "chat", NULL, OPTION_STRING, "KEY=VALUE", NO_RANGE, NULL, 0, NULL,
     "metadata of the document before it, in place of the date and name guessed from the file"},
    {"plain", 0, "play", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "line by line, as with chat; an empty line lets the scene go on"},
    {"document", 'd', "ask", NULL, OPTION_STRING, "FILE", NO_RANGE, NULL, 0, NULL,
     "a document to answer from: a file, a directory, a quoted pattern such as 'notes/**/*.md', "
     "or - for standard input; may be repeated. PDF, HTML and the like go through converters "
     "(airo.ini, [converters])"},
    {"key", 'k', "ask", NULL, OPTION_STRING, "KEY=VALUE", NO_RANGE, NULL, 0, NULL,
     "metadata of the document before it, in place of the date and name guessed from the file"},
    {"fit", 0, "ask", NULL, OPTION_CHOICE, "HOW", NO_RANGE, "refuse passages", 0, NULL,
     "when the documents do not fit into the context: refuse with the numbers, which is the "
     "default, or give only the passages that match the question, and say which on stderr"},
    {"passages", 0, "ask", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "give only the passages that match the question even when all would fit"},
    {"passage-tokens", 0, "ask", NULL, OPTION_U32, "TOKENS", 1, 16777216, NULL, 0, NULL,
     "let passages take this many tokens at most; without it what the context has room for"},
    {"json", 0, "ask", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "print events as JSON lines"},
    {"show-prompt", 0, "ask", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "print exactly what the model would be given, and stop"},
    {"cases", 0, "ask", NULL, OPTION_STRING, "FILE", NO_RANGE, NULL, 0, NULL,
     "answer test cases (JSON lines: documents, question, answer, source) and print the score"},
    {"raw", 0, "run", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "no template: the model goes on from the text as it is"},
    {"show-prompt", 0, "run", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "print exactly what the model would be given, and stop"},
    {"decode", 0, "tokenize", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "read a JSON array of ids and print its text"},
    {"lengths", 0, "perplexity", NULL, OPTION_STRING, "N,N,...", NO_RANGE, NULL, 0, NULL,
     "tokens of the windows, which do not overlap (512,1024,2048,4096,8192,16384, as far as the context and the text reach)"},
    {"rules", 0, "perplexity", NULL, OPTION_STRING, "RULE,RULE,...", NO_RANGE, NULL, 0, NULL,
     "RoPE rules, a row each: as-is, none, linear, ntk-by-parts, dynamic, yarn, llama3, with a factor after a colon where the model's is not meant (linear:4); as-is when not given"},
    {"tokens", 0, "perplexity", NULL, OPTION_U32, "N", 64, 1000000000, NULL, 0, NULL,
     "take the first N tokens of the text"},
    {"json", 0, "perplexity", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "print one JSON object in place of a table"},
    {"lengths", 0, "eval", NULL, OPTION_STRING, "N,N,...", NO_RANGE, NULL, 0, NULL,
     "recall: tokens of the prompts (1024,4096,8192,15000, as far as the context holds them); perplexity: of the windows (512,1024 and so on to 16384)"},
    {"depths", 0, "eval", NULL, OPTION_STRING, "N,N,...", NO_RANGE, NULL, 0, NULL,
     "recall: where the fact stands, in percent of the documents (0,25,50,75,100)"},
    {"cases", 0, "eval", NULL, OPTION_U32, "N", 1, 100000, NULL, 0, NULL,
     "recall: cases for each length and depth (4); obedience: of each kind (40); scene: replies (40). --seed says which cases (1)"},
    {"svg", 0, "eval", NULL, OPTION_STRING, "FILE", NO_RANGE, NULL, 0, NULL,
     "recall: draw the heatmap into a new file, too"},
    {"print-cases", 0, "eval", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "only print the cases, as JSON lines"},
    {"rules", 0, "eval", NULL, OPTION_STRING, "RULE,RULE,...", NO_RANGE, NULL, 0, NULL,
     "perplexity: RoPE rules, a row each: as-is, none, linear, ntk-by-parts, dynamic, yarn, llama3, with a factor after a colon where the model's is not meant (linear:4); as-is when not given"},
    {"tokens", 0, "eval", NULL, OPTION_U32, "N", 64, 1000000000, NULL, 0, NULL,
     "perplexity: take the first N tokens of the text"},
    {"json", 0, "eval", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "print one JSON object in place of a table"},
    {"depths", 0, "bench", NULL, OPTION_STRING, "N,N,...", NO_RANGE, NULL, 0, NULL,
     "tokens of context before the measurement (0,1024)"},
    {"prefill", 0, "bench", NULL, OPTION_U32, "TOKENS", 1, 65536, NULL, 0, NULL,
     "tokens of prompt to time at each depth (128)"},
    {"decode", 0, "bench", NULL, OPTION_U32, "TOKENS", 2, 65536, NULL, 0, NULL,
     "tokens of reply to time at each depth (32)"},
    {"json", 0, "bench", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "print one JSON object in place of a table"},

    {"calibration", 0, "quantize", NULL, OPTION_STRING, "FILE", NO_RANGE, NULL, 0, NULL,
     "the text that the layers are watched on: plain, or JSON lines of {\"text\": ...}; needed"},
    {"group-size", 0, "quantize", NULL, OPTION_U32, "N", 0, 1048576, NULL, 0, NULL,
     "how many weights share a scale, a multiple of 8 (32); 0: a whole column"},
    {"no-act-order", 0, "quantize", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "round the columns as they stand, not those with the strongest inputs first"},
    {"static-groups", 0, "quantize", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "group neighbouring weights, with scales found before any is rounded, also under act-order"},
    {"sym", 0, "quantize", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "scales symmetric around zero"},
    {"no-search", 0, "quantize", NULL, OPTION_FLAG, NULL, NO_RANGE, NULL, 0, NULL,
     "take a group's scale from its least and greatest weight, without looking for a better one"},
    {"damp", 0, "quantize", NULL, OPTION_DOUBLE, "SHARE", 0, 1, NULL, 0, NULL,
     "what is added to the diagonal of the inputs' matrix, as a share of its mean (0.01)"},
    {"samples", 0, "quantize", NULL, OPTION_U32, "N", 1, 1048576, NULL, 0, NULL,
     "at most so many samples of the text, evenly spread (128)"},
    {"length", 0, "quantize", NULL, OPTION_U32, "TOKENS", 1, 1048576, NULL, 0, NULL,
     "tokens of a sample; without it 2048, or the model's context where that is less"},
    {"shard-size", 0, "quantize", NULL, OPTION_SIZE, "SIZE", NO_RANGE, NULL, 0, NULL,
     "the largest file of weights (4G); more is written as several with an index"},

    /* settings */
    {"model", 'm', NULL, "model:name", OPTION_STRING, "MODEL", NO_RANGE, NULL, AT(model), NULL,
     "the model: a directory, or a name under a model directory; unset: vaquita"},
    {"template", 't', NULL, "model:template", OPTION_STRING, "NAME", NO_RANGE, NULL, AT(template),
     "airoboros",
     "the chat template: airoboros, vicuna-1.1, alpaca, llama-2-chat, chatml, plain or a file of "
     "your own"},
    {"system", 's', NULL, "model:system", OPTION_STRING, "TEXT", NO_RANGE, NULL, AT(system), NULL,
     "the system line; unset: the template's own; empty: none"},
    {"context", 'c', NULL, "model:context", OPTION_U32, "TOKENS", 0, 16777216, NULL, AT(context),
     "0", "the context length; 0: all that the model supports"},
    {"device", 0, NULL, "model:device", OPTION_DEVICE, "DEVICE", NO_RANGE, NULL, AT(device), "auto",
     "what computes: cpu, cuda (an NVIDIA GPU, or several where one is too small), cuda:1 (that one), "
     "cuda:0,1 (these share the layers), or auto: a GPU where there is one that can, else the CPU; quantize "
     "gives the first GPU its linear algebra alone"},
    {"kv-type", 0, NULL, "model:kv_type", OPTION_CHOICE, "TYPE", NO_RANGE, "auto f32 f16 q8 q4",
     AT(kv_type), "auto",
     "how keys and values are kept; q8 takes about half of f16, q4 about a quarter; auto: f16 on the "
     "CPU, q8 on a GPU"},
    {"kv-disk", 0, NULL, "model:kv_disk", OPTION_SIZE, "SIZE", NO_RANGE, NULL, AT(kv_disk), "4G",
     "the most that keys and values of prompts already read may take on disk, so that they are there "
     "at once next time; 0: none"},
    {"rope", 0, NULL, "model:rope", OPTION_CHOICE, "RULE", NO_RANGE,
     "none linear ntk-by-parts dynamic yarn llama3", AT(rope), NULL,
     "the RoPE scaling rule, for checkpoints whose config.json has none; unset: from the file"},
    {"rope-factor", 0, NULL, "model:rope_factor", OPTION_DOUBLE, "FACTOR", 0, 1024, NULL,
     AT(rope_factor), "0", "the scaling factor; 0: from the file"},
    {"rope-original", 0, NULL, "model:rope_original", OPTION_U32, "TOKENS", 0, 16777216, NULL,
     AT(rope_original), "0", "the context before scaling; 0: from the file"},
    {"threads", 'j', NULL, "model:threads", OPTION_U32, "N", 0, 1024, NULL, AT(threads), "0",
     "threads of the CPU backend; 0: one for each physical core"},
    {"kernels", 0, NULL, "model:kernels", OPTION_CHOICE, "NAME", NO_RANGE,
     "auto reference avx2 avx512", AT(kernels), "auto",
     "the CPU kernels; auto: the best that this CPU has"},
    {"chunk", 0, NULL, "model:chunk", OPTION_U32, "TOKENS", 0, 4096, NULL, AT(chunk), "0",
     "how many tokens of a prompt are read at once; 0: 256 on the CPU, 2048 on a GPU"},

    {"draft", 0, NULL, "model:draft", OPTION_CHOICE, "HOW", NO_RANGE, "auto off 1 2 3 4 5 6 7",
     AT(draft), "auto",
     "guess the next tokens of a reply from what stood before and check them together, which makes "
     "replies that quote faster and changes nothing else; auto: as many as pay, a number: always "
     "that many"},

    {"max-tokens", 'n', NULL, "reply:max_tokens", OPTION_U32, "TOKENS", 0, 16777216, NULL,
     AT(max_tokens), "1024", "the longest reply; 0: as long as the context allows"},
    {"temperature", 0, NULL, "reply:temperature", OPTION_FLOAT, "X", 0, 10, NULL,
     AT(sampling.temperature), NULL, "0: always the likeliest token; what the model recommends comes before "
     "this default"},
    {"top-k", 0, NULL, "reply:top_k", OPTION_U32, "N", 0, 1048576, NULL, AT(sampling.top_k), NULL,
     "only the N likeliest tokens; 0: off"},
    {"top-p", 0, NULL, "reply:top_p", OPTION_FLOAT, "X", 0, 1, NULL, AT(sampling.top_p), NULL,
     "only the likeliest tokens that make up this share; 1: off"},
    {"min-p", 0, NULL, "reply:min_p", OPTION_FLOAT, "X", 0, 1, NULL, AT(sampling.min_p), NULL,
     "only tokens at least this share as likely as the likeliest; 0: off"},
    {"typical-p", 0, NULL, "reply:typical_p", OPTION_FLOAT, "X", 0, 1, NULL,
     AT(sampling.typical_p), NULL, "locally typical sampling; 1: off"},
    {"repeat-penalty", 0, NULL, "reply:repeat_penalty", OPTION_FLOAT, "X", 0.1, 10, NULL,
     AT(sampling.repeat_penalty), NULL, "makes tokens that occurred less likely; 1: off"},
    {"repeat-last", 0, NULL, "reply:repeat_last", OPTION_U32, "TOKENS", 0, 16777216, NULL,
     AT(sampling.repeat_last), NULL, "how far back penalties look; 0: everything"},
    {"frequency-penalty", 0, NULL, "reply:frequency_penalty", OPTION_FLOAT, "X", -10, 10, NULL,
     AT(sampling.frequency_penalty), NULL, "a penalty for each time a token occurred; 0: off"},
    {"presence-penalty", 0, NULL, "reply:presence_penalty", OPTION_FLOAT, "X", -10, 10, NULL,
     AT(sampling.presence_penalty), NULL, "a penalty for a token that occurred at all; 0: off"},
    {"seed", 0, NULL, "reply:seed", OPTION_U64, "N", 0, 9007199254740991.0, NULL,
     AT(sampling.seed), NULL, "the same seed gives the same reply; 0: another every time"},
    {"ask-source", 0, NULL, "reply:ask_source", OPTION_FLAG, NULL, NO_RANGE, NULL, AT(ask_source),
     "yes", "end questions on documents with \"Source?\""},
    {"honest", 0, NULL, "reply:honest", OPTION_FLAG, NULL, NO_RANGE, NULL, AT(no_making_up), "yes",
     "end questions on documents with \"Don't make up answers if you don't know.\""},
    {"check-answers", 0, NULL, "reply:check_answers", OPTION_FLAG, NULL, NO_RANGE, NULL,
     AT(check_answers), "yes",
     "look for an answer in its documents and say when it stands in another one than the source "
     "names, or in none; airo ask says it on stderr, with --json in an event, never on stdout"},
    {"grammar", 0, NULL, "reply:grammar", OPTION_FLAG, NULL, NO_RANGE, NULL, AT(grammar), "yes",
     "hold replies to their form while they are written: a source is the metadata of one of the "
     "documents, word for word; in a scene only its characters speak, never the user, what is said "
     "stands in quotes, what is done between asterisks (as far as the scene has these rules)"},
    {"plain-format", 0, NULL, "reply:plain_format", OPTION_FLAG, NULL, NO_RANGE, NULL,
     AT(plain_format), "no", "end ordinary instructions with PLAINFORMAT: code without comment"},

    {"theme", 0, NULL, "interface:theme", OPTION_STRING, "NAME", NO_RANGE, NULL, AT(theme),
     "vaquita-dark", "the colour theme"},
    {"colour", 0, NULL, "interface:colour", OPTION_CHOICE, "DEPTH", NO_RANGE,
     "auto truecolor 256 16 none", AT(colour), "auto",
     "how many colours the terminal is given; auto asks it, and heeds NO_COLOR"},
    {"mouse", 0, NULL, "interface:mouse", OPTION_FLAG, NULL, NO_RANGE, NULL, AT(mouse), "yes",
     "use the mouse where the terminal has one"},
    {"start", 0, NULL, "interface:start", OPTION_CHOICE, "CHAT", NO_RANGE, "new last", AT(start),
     "new", "the chat to begin with: a new one, or the one that was last updated"},
    {"frame-ms", 0, NULL, "interface:frame_ms", OPTION_U32, "MS", 1, 1000, NULL, AT(frame_ms),
     "16", "the shortest time between two frames, in milliseconds"},
    {"verbose", 'v', NULL, "interface:verbose", OPTION_FLAG, NULL, NO_RANGE, NULL, AT(verbose),
     "no", "say on stderr what was loaded and how"},

    {"purge-days", 0, NULL, "library:purge_days", OPTION_U32, "DAYS", 0, 36500, NULL,
     AT(purge_days), "30", "how long deleted chats can be brought back; 0: always"},
    {0},
};
/* clang-format on */

static int set_converter(struct settings *settings, const char *key, const char *value,
                         struct error *error)
{
    return converter_table_set(&settings->converters, key, value, error);
}

const struct option_section options_sections[] = {
    {"converters", set_converter,
     "programs that turn files into text, by the extension; %s is the file. Without a row the "
     "usual programs are tried; an empty value: such files are text as they are. No shell runs "
     "them",
     "#pdf = \"pdftotext -layout %s -\"\n#html = \"pandoc -f html -t plain %s\"\n"},
    {0},
};

/* --- looking up ------------------------------------------------------------------------------- */

static bool admitted(const struct option *option, const char *command)
{
    return option->command == NULL || option->command[0] == '\0' ||
           (command != NULL && strcmp(option->command, command) == 0);
}

const struct option *options_find(const char *command, const char *name, size_t length)
{
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (admitted(option, command) && strlen(option->name) == length &&
            memcmp(option->name, name, length) == 0)
            return option;
    return NULL;
}

const struct option *options_find_letter(const char *command, char letter)
{
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (admitted(option, command) && option->letter == letter && letter != '\0')
            return option;
    return NULL;
}

const struct option *options_find_ini(const char *section, const char *key)
{
    size_t length = strlen(section);
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (option->ini != NULL && strncmp(option->ini, section, length) == 0 &&
            option->ini[length] == ':' && strcmp(option->ini + length + 1, key) == 0)
            return option;
    return NULL;
}

const struct option_section *options_find_section(const char *name)
{
    for (const struct option_section *row = options_sections; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

/* --- values ----------------------------------------------------------------------------------- */

static void *field(const struct option *option, const struct settings *settings)
{
    return (char *)(uintptr_t)settings + option->offset;
}

/* Its place among the settings of the table: fewer than 64. */
static unsigned setting_number(const struct option *option)
{
    unsigned before = 0;
    for (const struct option *row = options_table; row != option; row++)
        before += row->ini != NULL;
    return before;
}

static int set_flag(bool *to, const char *text)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"yes", true}, {"no", false},  {"true", true}, {"false", false},
                 {"on", true},  {"off", false}, {"1", true},    {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, text) != 0)
            continue;
        if (to != NULL)
            *to = words[i].value;
        return 0;
    }
    return -1;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = choices; *at != '\0';) {
        size_t word = strcspn(at, " ");
        if (word == length && memcmp(at, text, length) == 0)
            return true;
        at += word + (at[word] == ' ');
    }
    return false;
}

/* Settings that may name a file: no shell has expanded what the ini file says. */
static bool is_path(const struct option *option)
{
    return option->offset == AT(model) || option->offset == AT(template) ||
           option->offset == AT(theme);
}

static void set_string(const struct option *option, char **to, const char *text)
{
    if (to == NULL)
        return;
    free(*to);
    *to = is_path(option) ? home_path(text) : xstrdup(text);
}

/* Numbers have one spelling: decimal digits, for fractions with a point whatever the locale. */
static int number(const struct option *option, const char *text, double *value)
{
    bool whole = option->type == OPTION_U32 || option->type == OPTION_U64;
    const char *allowed = whole ? "0123456789" : "+-.0123456789eE";
    char *end;
    if (*text == '\0' || strspn(text, allowed) != strlen(text))
        return -1;
    errno = 0;
    *value = strtod(text, &end);
    if (errno != 0 || *end != '\0' || !isfinite(*value))
        return -1;
    return *value >= option->low && *value <= option->high ? 0 : -1;
}

static int set_number(const struct option *option, void *to, const char *text)
{
    double value;
    if (number(option, text, &value) != 0)
        return -1;
    if (to == NULL)
        return 0;
    if (option->type == OPTION_U32)
        *(uint32_t *)to = (uint32_t)value;
    else if (option->type == OPTION_U64)
        *(uint64_t *)to = (uint64_t)value;
    else if (option->type == OPTION_FLOAT)
        *(float *)to = (float)value;
    else
        *(double *)to = value;
    return 0;
}

int size_parse(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT"; /* powers of 1024 */
    uint64_t value = 0;
    size_t digits = strspn(text != NULL ? text : "", "0123456789");
    if (digits == 0 || digits > 15)
        return -1;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    const char *unit = text[digits] != '\0' ? strchr(units, text[digits]) : NULL;
    if (text[digits] != '\0' && (unit == NULL || text[digits + 1] != '\0'))
        return -1;
    for (int i = 0; unit != NULL && i <= unit - units; i++)
        if (__builtin_mul_overflow(value, (uint64_t)1024, &value))
            return -1;
    *bytes = value;
    return 0;
}

/* "f32, f16, q8 or q4", "0 to 1". */
static void allowed_text(const struct option *option, struct strbuf *out)
{
    if (option->type == OPTION_FLAG) {
        strbuf_puts(out, "yes or no");
    } else if (option->type == OPTION_CHOICE) {
        for (const char *at = option->choices; *at != '\0';) {
            size_t word = strcspn(at, " ");
            bool last = strchr(at, ' ') == NULL;
            strbuf_puts(out, at == option->choices ? "" : last ? " or " : ", ");
            strbuf_add(out, at, word);
            at += word + !last;
        }
    } else if (option->type == OPTION_SIZE) {
        strbuf_puts(out, "a size such as 500M or 4G");
    } else if (option->type == OPTION_DEVICE) {
        strbuf_puts(out, "auto, cpu, cuda or cuda: and the numbers of GPUs, as in cuda:0,1");
    } else if (option->type != OPTION_STRING) {
        strbuf_printf(out, "%.16g to %.16g", option->low, option->high);
    }
}

bool option_is_text(const struct option *option)
{
    return option->type == OPTION_STRING || option->type == OPTION_CHOICE ||
           option->type == OPTION_SIZE || option->type == OPTION_DEVICE;
}

int option_set(const struct option *option, struct settings *settings, const char *where,
               const char *text, struct error *error)
{
    void *to = option->ini != NULL && settings != NULL ? field(option, settings) : NULL;
    uint64_t size;
    int result = 0;
    if (option->type == OPTION_FLAG)
        result = set_flag(to, text);
    else if (option->type == OPTION_CHOICE && !is_choice(option->choices, text))
        result = -1;
    else if (option->type == OPTION_SIZE && size_parse(text, &size) != 0)
        result = -1;
    else if (option->type == OPTION_DEVICE && backend_choice_check(text, NULL) != 0)
        result = -1;
    else if (option_is_text(option))
        set_string(option, to, text);
    else
        result = set_number(option, to, text);
    if (result == 0 && to != NULL)
        settings->given |= (uint64_t)1 << setting_number(option);
    if (result == 0)
        return 0;
    struct strbuf allowed = {0};
    allowed_text(option, &allowed);
    error_set(error, ERROR_INPUT, "%s: \"%.64s\" is not %s", where, text, strbuf_text(&allowed));
    strbuf_free(&allowed);
    return -1;
}

bool option_given(const struct settings *settings, const char *name)
{
    const struct option *option = options_find(NULL, name, strlen(name));
    return option != NULL && option->ini != NULL &&
           (settings->given >> setting_number(option) & 1) != 0;
}

bool option_text(const struct option *option, const struct settings *settings, struct strbuf *out)
{
    const void *from = field(option, settings);
    const char *string = NULL;
    switch (option->type) {
    case OPTION_FLAG:
        strbuf_puts(out, *(const bool *)from ? "yes" : "no");
        return true;
    case OPTION_STRING:
    case OPTION_CHOICE:
    case OPTION_SIZE:
    case OPTION_DEVICE:
        string = *(char *const *)from;
        if (string != NULL)
            strbuf_printf(out, option->type == OPTION_STRING ? "\"%s\"" : "%s", string);
        return string != NULL;
    case OPTION_U32:
        strbuf_printf(out, "%u", (unsigned)*(const uint32_t *)from);
        return true;
    case OPTION_U64:
        strbuf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)from);
        return true;
    case OPTION_FLOAT:
        strbuf_printf(out, "%.6g", (double)*(const float *)from);
        return true;
    case OPTION_DOUBLE:
        strbuf_printf(out, "%.10g", *(const double *)from);
        return true;
    }
    return false;
}

/* --- help and the default file ---------------------------------------------------------------- */

#define HELP_COLUMN 28
#define HELP_WIDTH  96

/* `text` in lines that begin with `lead` (the first has been begun), broken at spaces. */
static void wrapped(struct strbuf *out, const char *text, size_t width, const char *lead)
{
    size_t used = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (used > 0 && used + 1 + word > width) {
            strbuf_printf(out, "\n%s", lead);
            used = 0;
        }
        strbuf_printf(out, "%s%.*s", used > 0 ? " " : "", (int)word, text);
        used += (used > 0) + word;
        text += word;
        text += strspn(text, " ");
    }
    strbuf_putc(out, '\n');
}

static void help_row(struct strbuf *out, const struct option *option,
                     const struct settings *defaults)
{
    size_t begin = out->length;
    strbuf_printf(out, "  %c%c%s --%s%s%s", option->letter ? '-' : ' ',
                  option->letter ? option->letter : ' ', option->letter ? "," : " ", option->name,
                  option->argument != NULL ? " " : "",
                  option->argument != NULL ? option->argument : "");
    size_t used = out->length - begin;
    if (used + 2 > HELP_COLUMN)
        strbuf_printf(out, "\n%*s", HELP_COLUMN, "");
    else
        strbuf_printf(out, "%*s", (int)(HELP_COLUMN - used), "");
    struct strbuf text = {0}, lead = {0};
    strbuf_puts(&text, option->help);
    if (option->type == OPTION_CHOICE) {
        strbuf_puts(&text, "; ");
        allowed_text(option, &text);
    }
    if (option->ini != NULL) {
        strbuf_puts(&text, " [");
        if (!option_text(option, defaults, &text))
            strbuf_puts(&text, "unset");
        strbuf_puts(&text, "]");
    }
    strbuf_printf(&lead, "%*s", HELP_COLUMN, "");
    wrapped(out, strbuf_text(&text), HELP_WIDTH - HELP_COLUMN, strbuf_text(&lead));
    strbuf_free(&text);
    strbuf_free(&lead);
}

void options_help(struct strbuf *out, const char *command)
{
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (option->command != NULL && strcmp(option->command, command) == 0)
            help_row(out, option, NULL);
}

void options_help_settings(struct strbuf *out)
{
    struct settings defaults;
    settings_defaults(&defaults);
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (option->command == NULL)
            help_row(out, option, &defaults);
    settings_free(&defaults);
}

static void config_entry(struct strbuf *out, const struct option *option,
                         const struct settings *defaults)
{
    struct strbuf text = {0};
    strbuf_puts(&text, option->help);
    if (option->type != OPTION_STRING && option->type != OPTION_DEVICE) {
        strbuf_puts(&text, " (");
        allowed_text(option, &text);
        strbuf_puts(&text, ")");
    }
    strbuf_puts(out, "\n# ");
    wrapped(out, strbuf_text(&text), HELP_WIDTH - 2, "# ");
    strbuf_clear(&text);
    if (!option_text(option, defaults, &text))
        strbuf_printf(&text, "\"%s\"", option->argument);
    strbuf_printf(out, "#%s = %s\n", strchr(option->ini, ':') + 1, strbuf_text(&text));
    strbuf_free(&text);
}

void options_config(struct strbuf *out)
{
    struct settings defaults;
    char section[32] = "";
    settings_defaults(&defaults);
    strbuf_puts(out, "# airo.ini - what airo does when no flag says otherwise.\n#\n"
                     "# Copy it to ~/.config/airo/airo.ini and take the # away before what you\n"
                     "# change. Every key is also a flag: airo --help. A value is one line; quote\n"
                     "# it where it holds ; or # or where spaces at its ends matter. There are no\n"
                     "# backslash escapes.\n");
    for (const struct option *option = options_table; option->name != NULL; option++) {
        if (option->ini == NULL)
            continue;
        size_t length = strcspn(option->ini, ":");
        if (strlen(section) != length || memcmp(section, option->ini, length) != 0) {
            memcpy(section, option->ini, length);
            section[length] = '\0';
            strbuf_printf(out, "\n[%s]\n", section);
        }
        config_entry(out, option, &defaults);
    }
    for (const struct option_section *row = options_sections; row->name != NULL; row++) {
        strbuf_printf(out, "\n[%s]\n\n# ", row->name);
        wrapped(out, row->help, HELP_WIDTH - 2, "# ");
        strbuf_puts(out, row->example);
    }
    settings_free(&defaults);
}
