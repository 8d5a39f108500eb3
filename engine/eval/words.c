#include "engine/eval/words.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const onsets[] = {
    "b",  "d",  "f",  "g",  "h",  "k",  "l",  "m",  "n",  "p",  "r",  "s",  "t",  "v",  "z",
    "b",  "d",  "k",  "l",  "m",  "n",  "r",  "s",  "t",  "v",  "br", "ch", "dr", "fl", "gr",
    "kl", "kr", "pl", "pr", "sh", "sk", "sl", "sp", "st", "tr", "th", "w",  "j",  "qu", "gl"};
static const char *const vowels[] = {"a",  "e",  "i",  "o",  "u",  "a",  "e",  "i",  "o",
                                     "ai", "ea", "ee", "ia", "io", "oa", "ou", "ei", "ua"};
static const char *const codas[] = {"n",  "l",  "r", "s",  "t",  "m", "k",  "nd", "rt", "st",
                                    "lk", "rn", "x", "ss", "ng", "p", "ll", "sk", "nt", "rd"};

static const char *const first_names[] = {
    "Agnes",  "Albert", "Beatrice", "Conrad", "Dora",   "Edgar",  "Fiona",  "Gerald",  "Hilda",
    "Isaac",  "Judith", "Kasper",   "Lydia",  "Miriam", "Norman", "Olive",  "Philip",  "Rachel",
    "Stefan", "Teresa", "Ulrich",   "Viola",  "Walter", "Yvonne", "Arthur", "Bianca",  "Cyril",
    "Diana",  "Edith",  "Florian",  "Gloria", "Harvey", "Ingrid", "Joseph", "Kirsten", "Louis",
    "Monica", "Nathan", "Ophelia",  "Rupert", "Sabina", "Tobias", "Wanda",  "Xavier"};
static const char *const town_ends[] = {"",      "",       "",     "",      "ford",  "stead",
                                        "mouth", " Cross", " End", "field", "haven", " Green"};
static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                   "Friday", "Saturday", "Sunday"};
static const char *const colours[] = {"red",    "blue",   "green",  "yellow", "purple",
                                      "orange", "pink",   "brown",  "black",  "white",
                                      "grey",   "silver", "golden", "violet", "crimson"};
static const char *const jobs[] = {
    "baker",   "surgeon",  "teacher",  "mason",   "painter",   "pilot",   "farmer",
    "notary",  "plumber",  "gardener", "printer", "engineer",  "tailor",  "sailor",
    "chemist", "judge",    "cook",     "dentist", "clerk",     "welder",  "potter",
    "guide",   "optician", "roofer",   "tanner",  "locksmith", "florist", "cooper"};
static const char *const animals[] = {"dog",    "cat",  "horse",  "goat",  "parrot", "rabbit",
                                      "turtle", "cow",  "donkey", "goose", "ferret", "hamster",
                                      "pony",   "duck", "owl",    "snail", "sheep",  "canary"};
static const char *const foods[] = {
    "soup",   "rice",    "cheese",  "pancakes", "noodles",  "dumplings", "salad",   "porridge",
    "stew",   "beans",   "figs",    "walnuts",  "oysters",  "mushrooms", "honey",   "plums",
    "barley", "turnips", "waffles", "pickles",  "sardines", "chestnuts", "lentils", "omelettes"};
static const char *const things[] = {
    "lamp",    "ladder",  "clock",    "mirror", "bicycle", "violin",   "hammer",     "kettle",
    "basket",  "carpet",  "statue",   "camera", "radio",   "boat",     "tent",       "barrel",
    "bell",    "cabinet", "suitcase", "drum",   "flute",   "necklace", "shovel",     "wagon",
    "sled",    "bench",   "pump",     "valve",  "sensor",  "robot",    "typewriter", "anvil",
    "compass", "helmet",  "loom",     "organ",  "saddle",  "scale",    "stove",      "trunk"};
static const char *const places[] = {"kitchen", "cellar",  "attic",  "garden",  "barn",
                                     "garage",  "library", "museum", "station", "harbour",
                                     "theatre", "church",  "tower",  "castle",  "office",
                                     "factory", "bakery",  "chapel", "prison",  "bank"};
static const char *const goods[] = {"lemons",   "apples", "roses",   "baskets", "pumpkins",
                                    "cherries", "tulips", "candles", "knives",  "blankets",
                                    "onions",   "grapes", "ribbons", "bells",   "maps",
                                    "stamps",   "spoons", "carrots", "swans",   "kites"};
static const char *const materials[] = {"oak",    "copper",  "glass",  "wool",
                                        "marble", "leather", "bronze", "clay",
                                        "cotton", "granite", "tin",    "paper"};
static const char *const instruments[] = {"cello", "trumpet", "harp",  "piano",
                                          "oboe",  "guitar",  "banjo", "clarinet"};
static const char *const vehicles[] = {"train", "bus",   "ferry", "bicycle",
                                       "tram",  "canoe", "car",   "sled"};
static const char *const attributes[] = {"serial number", "badge",   "part number", "call sign",
                                         "stock code",    "motto",   "ticket",      "symbol",
                                         "nickname",      "address", "account",     "postcode"};
static const char *const adjectives[] = {"old",    "small", "large",  "broken",   "quiet", "heavy",
                                         "dark",   "rusty", "tall",   "narrow",   "warm",  "hidden",
                                         "clever", "tiny",  "famous", "forgotten"};
/* Of free sentences only: no other list has them. */
static const char *const nouns[] = {
    "river",     "glacier",  "comet",    "orchard",    "lantern", "wolf",      "eagle",
    "shadow",    "storm",    "festival", "senate",     "treaty",  "engine",    "satellite",
    "novel",     "virus",    "meadow",   "lighthouse", "queen",   "miller",    "soldier",
    "market",    "planet",   "forest",   "valley",     "island",  "volcano",   "council",
    "orchestra", "whale",    "beetle",   "desert",     "harvest", "machine",   "rocket",
    "moth",      "fountain", "canal",    "vaccine",    "magnet",  "cathedral", "pirate",
    "dolphin",   "turbine",  "scholar",  "shepherd",   "tunnel",  "monsoon"};
static const char *const verbs[] = {"follows",  "crosses", "protects", "watches", "changes",
                                    "covers",   "reaches", "carries",  "hides",   "feeds",
                                    "warms",    "shapes",  "guards",   "blocks",  "supports",
                                    "attracts", "damages", "controls", "touches", "replaces"};
static const char *const adverbials[] = {
    "slowly",          "every year",     "in winter",      "before dawn", "without a sound",
    "with great care", "after the rain", "near the coast", "quietly",     "by accident",
    "on weekdays",     "for many years", "during the war", "every night", "under pressure"};

#define LIST(letter, list)                                                                         \
    {                                                                                              \
        letter, list, COUNT(list)                                                                  \
    }
static const struct word_list {
    char slot;
    const char *const *words;
    size_t count;
} lists[] = {
    LIST('D', days),       LIST('c', colours),     LIST('j', jobs),     LIST('a', animals),
    LIST('f', foods),      LIST('i', things),      LIST('l', places),   LIST('g', goods),
    LIST('b', materials),  LIST('e', instruments), LIST('v', vehicles), LIST('A', attributes),
    LIST('J', adjectives), LIST('N', nouns),       LIST('M', nouns),    LIST('V', verbs),
    LIST('B', adverbials),
};

static const char *pick(struct eval_world *world, const char *const *words, size_t count)
{
    return words[eval_random_below(&world->random, (uint32_t)count)];
}
#define PICK(world, list) pick(world, list, COUNT(list))

struct eval_world eval_world_begin(uint64_t seed, uint64_t stream)
{
    return (struct eval_world){.random = eval_random_begin(seed, stream)};
}

void eval_world_free(struct eval_world *world)
{
    seen_free(&world->names);
}

void strbuf_capitalised(struct strbuf *out, const char *text)
{
    bool lower = text[0] >= 'a' && text[0] <= 'z';
    strbuf_putc(out, lower ? (char)(text[0] - 'a' + 'A') : text[0]);
    strbuf_puts(out, text[0] != '\0' ? text + 1 : "");
}

/* --- names ------------------------------------------------------------------------------------ */

void eval_world_word(struct eval_world *world, struct strbuf *out)
{
    struct strbuf word = {0};
    uint32_t most = 2;
    do {
        uint32_t syllables = eval_random_between(&world->random, 2, most < 12 ? most / 4 + 2 : 5);
        strbuf_clear(&word);
        for (uint32_t i = 0; i < syllables; i++) {
            strbuf_puts(&word, PICK(world, onsets));
            strbuf_puts(&word, PICK(world, vowels));
            if (i + 1 == syllables ? eval_random_chance(&world->random, 60)
                                   : eval_random_chance(&world->random, 15))
                strbuf_puts(&word, PICK(world, codas));
        }
        most++; /* longer words where short ones are used up */
    } while (word.length < 4 || !seen_add(&world->names, strbuf_text(&word)));
    strbuf_puts(out, strbuf_text(&word));
    strbuf_free(&word);
}

static void make_name(struct eval_world *world, struct strbuf *out)
{
    struct strbuf word = {0};
    eval_world_word(world, &word);
    strbuf_capitalised(out, strbuf_text(&word));
    strbuf_free(&word);
}

static void make_person(struct eval_world *world, struct strbuf *out)
{
    if (eval_random_chance(&world->random, 60))
        strbuf_puts(out, PICK(world, first_names));
    else
        make_name(world, out);
    strbuf_putc(out, ' ');
    make_name(world, out);
}

static void make_town(struct eval_world *world, struct strbuf *out)
{
    make_name(world, out);
    strbuf_puts(out, PICK(world, town_ends));
}

static void make_organisation(struct eval_world *world, struct strbuf *out)
{
    static const char *const forms[] = {"|",       "| Brothers",    "| Works",
                                        "| Ltd",   "the | Society", "the | Trust",
                                        "| Mills", "| Press"};
    const char *form = PICK(world, forms), *bar = strchr(form, '|');
    strbuf_add(out, form, (size_t)(bar - form));
    make_name(world, out);
    strbuf_puts(out, bar + 1);
}

static void make_word(struct eval_world *world, struct strbuf *out)
{
    eval_world_word(world, out);
}

/* --- numbers and dates ------------------------------------------------------------------------ */

static void make_number(struct eval_world *world, struct strbuf *out)
{
    static const uint32_t tops[] = {99, 999, 9999, 99999, 999999};
    uint32_t top = tops[eval_random_below(&world->random, (uint32_t)COUNT(tops))];
    uint32_t value = eval_random_between(&world->random, top / 10 + 1, top);
    if (value > 9999 && eval_random_chance(&world->random, 50))
        strbuf_printf(out, "%u,%03u", value / 1000, value % 1000);
    else
        strbuf_printf(out, "%u", value);
}

static void make_small(struct eval_world *world, struct strbuf *out)
{
    strbuf_printf(out, "%u", eval_random_between(&world->random, 2, 60));
}

static void make_year(struct eval_world *world, struct strbuf *out)
{
    strbuf_printf(out, "%u", eval_random_between(&world->random, 1450, 2039));
}

static void make_date(struct eval_world *world, struct strbuf *out)
{
    uint32_t day = eval_random_between(&world->random, 1, 28);
    uint32_t month = eval_random_below(&world->random, 12);
    uint32_t year = eval_random_between(&world->random, 1800, 2039);
    switch (eval_random_below(&world->random, 4)) {
    case 0:
        strbuf_printf(out, "%u %s %u", day, months[month], year);
        break;
    case 1:
        strbuf_printf(out, "%s %u, %u", months[month], day, year);
        break;
    case 2:
        strbuf_printf(out, "%u-%02u-%02u", year, month + 1, day);
        break;
    default:
        strbuf_printf(out, "%s %u", months[month], day);
    }
}

static void make_time(struct eval_world *world, struct strbuf *out)
{
    if (eval_random_chance(&world->random, 30))
        strbuf_printf(out, "%u o'clock", eval_random_between(&world->random, 1, 12));
    else
        strbuf_printf(out, "%u:%02u", eval_random_below(&world->random, 24),
                      eval_random_below(&world->random, 60));
}

static void make_money(struct eval_world *world, struct strbuf *out)
{
    static const char *const units[] = {" euros", " dollars", " crowns", " pounds"};
    bool sign = eval_random_chance(&world->random, 30);
    strbuf_puts(out, sign ? "$" : "");
    make_number(world, out);
    strbuf_puts(out, sign ? "" : PICK(world, units));
}

static void make_code(struct eval_world *world, struct strbuf *out)
{
    static const char letters[] = "ABCDEFGHKLMNPRSTUVWXYZ";
    uint32_t kind = eval_random_below(&world->random, 3);
    for (uint32_t i = 0; kind != 2 && i < kind + 1; i++)
        strbuf_putc(out, letters[eval_random_below(&world->random, sizeof letters - 1)]);
    if (kind == 2)
        eval_world_word(world, out);
    strbuf_printf(out, "%s%u", kind == 1 ? "-" : "", eval_random_between(&world->random, 10, 9999));
}

static void make_phone(struct eval_world *world, struct strbuf *out)
{
    strbuf_printf(out, "%u", eval_random_between(&world->random, 100000, 9999999));
}

static const struct {
    char slot;
    void (*make)(struct eval_world *world, struct strbuf *out);
} makers[] = {
    {'p', make_person}, {'q', make_person}, {'t', make_town},         {'u', make_town},
    {'W', make_name},   {'w', make_word},   {'n', make_number},       {'s', make_small},
    {'y', make_year},   {'d', make_date},   {'h', make_time},         {'m', make_money},
    {'k', make_code},   {'z', make_phone},  {'o', make_organisation},
};

bool eval_world_value(struct eval_world *world, char slot, struct strbuf *out)
{
    for (size_t i = 0; i < COUNT(makers); i++) {
        if (makers[i].slot != slot)
            continue;
        makers[i].make(world, out);
        return true;
    }
    for (size_t i = 0; i < COUNT(lists); i++) {
        if (lists[i].slot != slot)
            continue;
        strbuf_puts(out, pick(world, lists[i].words, lists[i].count));
        return true;
    }
    return false;
}
