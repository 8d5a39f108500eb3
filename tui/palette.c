#include "tui/palette.h"

#include <stdlib.h>
#include <string.h>

/* xterm's named colours, for terminals where a number means a colour's bytes. */
static const int32_t named[16] = {0x000008, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd,
                                  0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                                  0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff};

static int squared_distance(int32_t a, int32_t b)
{
    int sum = 0;
    for (int shift = 0; shift < 24; shift += 8) {
        int difference = (int)(a >> shift & 0xFF) - (int)(b >> shift & 0xFF);
        sum += difference * difference;
    }
    return sum;
}

/* The colours 16 to 255 of the 256: a cube of six steps and a ramp of greys. */
static int32_t cube_colour(int index)
{
    static const int32_t steps[6] = {0, 95, 135, 175, 215, 255};
    if (index >= 232) {
        int32_t grey = 8 + (index - 232) * 10;
        return grey << 16 | grey << 8 | grey;
    }
    index -= 16;
    return steps[index / 36] << 16 | steps[index / 6 % 6] << 8 | steps[index % 6];
}

static int nearest(int32_t rgb)
{
    int best = 16;
    for (int i = 17; i < 256; i++)
        if (squared_distance(cube_colour(i), rgb) < squared_distance(cube_colour(best), rgb))
            best = i;
    return best;
}

int palette_index(int32_t colour, enum colour_depth depth)
{
    if (colour == THEME_COLOUR_DEFAULT)
        return -1;
    if (depth == COLOUR_DIRECT) {
        int32_t rgb = colour & THEME_COLOUR_RGB ? colour & 0xFFFFFF : named[colour & 15];
        return rgb < 8 ? 8 : rgb; /* 0 to 7 would be named colours */
    }
    if (colour & THEME_COLOUR_RGB)
        return depth == COLOUR_256 ? nearest(colour & 0xFFFFFF) : -1;
    return colour;
}

enum colour_depth palette_depth(const char *colour)
{
    static const struct {
        const char *name;
        enum colour_depth depth;
    } names[] = {{"truecolor", COLOUR_DIRECT},
                 {"256", COLOUR_256},
                 {"16", COLOUR_16},
                 {"none", COLOUR_NONE}};
    for (size_t i = 0; colour != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(colour, names[i].name) == 0)
            return names[i].depth;
    const char *no_colour = getenv("NO_COLOR");
    if (no_colour != NULL && no_colour[0] != '\0')
        return COLOUR_NONE;
    const char *claim = getenv("COLORTERM");
    if (claim != NULL && (strcmp(claim, "truecolor") == 0 || strcmp(claim, "24bit") == 0))
        return COLOUR_DIRECT;
    return COLOUR_256;
}
