#include "tui/split.h"

#include <stdlib.h>

#include "engine/base/alloc.h"

#define SHARE_ALL 1000
#define PANES_MAX 64

struct node {
    struct node *parent, *first, *second; /* a leaf has no children */
    bool stacked;                         /* first above second; otherwise side by side */
    int share;                            /* of SHARE_ALL, the first's; without a fixed size */
    int fixed_first, fixed_second;        /* columns of a side pane, 0: by share */
    struct pane *pane;
    unsigned long opened; /* the larger, the later */
    bool hidden;
    struct rect area;
};

struct split {
    struct node *root;
    unsigned long clock;
};

/* --- the tree -------------------------------------------------------------------------------- */

static struct node *leaf_create(struct split *split, struct pane *pane)
{
    struct node *leaf = xcalloc(1, sizeof *leaf);
    leaf->pane = pane;
    leaf->opened = ++split->clock;
    return leaf;
}

struct split *split_create(struct pane *first)
{
    struct split *split = xcalloc(1, sizeof *split);
    split->root = leaf_create(split, first);
    return split;
}

static void node_free(struct node *node)
{
    if (node == NULL)
        return;
    node_free(node->first);
    node_free(node->second);
    free(node);
}

void split_free(struct split *split)
{
    if (split == NULL)
        return;
    node_free(split->root);
    free(split);
}

static struct node *find(struct node *node, const struct pane *pane)
{
    if (node == NULL || node->pane == pane)
        return node;
    if (node->first == NULL)
        return NULL;
    struct node *found = find(node->first, pane);
    return found != NULL ? found : find(node->second, pane);
}

/* `node` takes the place of `old` in the tree. */
static void put_in_place(struct split *split, struct node *old, struct node *node)
{
    node->parent = old->parent;
    if (old->parent == NULL)
        split->root = node;
    else if (old->parent->first == old)
        old->parent->first = node;
    else
        old->parent->second = node;
}

static bool is_side(const struct pane *pane)
{
    return pane->ops->columns_wanted > 0;
}

/* Panes that are no side panes. */
static int main_panes(const struct node *node)
{
    if (node->first == NULL)
        return !is_side(node->pane);
    return main_panes(node->first) + main_panes(node->second);
}

/* The smallest part of the tree with the node and every pane that is no side pane. */
static struct node *main_part(struct split *split, struct node *node)
{
    int all = main_panes(split->root);
    while (node->parent != NULL && main_panes(node) < all)
        node = node->parent;
    return node;
}

void split_add(struct split *split, struct pane *at, enum split_side side, struct pane *pane)
{
    struct node *beside = find(split->root, at);
    if (is_side(pane) && (side == SPLIT_LEFT || side == SPLIT_RIGHT))
        beside = main_part(split, beside);
    struct node *leaf = leaf_create(split, pane), *node = xcalloc(1, sizeof *node);
    bool before = side == SPLIT_LEFT || side == SPLIT_ABOVE;
    put_in_place(split, beside, node);
    node->stacked = side == SPLIT_ABOVE || side == SPLIT_BELOW;
    node->share = SHARE_ALL / 2;
    node->first = before ? leaf : beside;
    node->second = before ? beside : leaf;
    node->first->parent = node->second->parent = node;
    if (!node->stacked && before)
        node->fixed_first = pane->ops->columns_wanted;
    else if (!node->stacked)
        node->fixed_second = pane->ops->columns_wanted;
}

static struct node *first_leaf(struct node *node)
{
    while (node->first != NULL)
        node = node->first;
    return node;
}

struct pane *split_remove(struct split *split, struct pane *pane)
{
    struct node *leaf = find(split->root, pane);
    if (leaf == NULL || leaf->parent == NULL)
        return NULL;
    struct node *parent = leaf->parent;
    struct node *other = parent->first == leaf ? parent->second : parent->first;
    put_in_place(split, parent, other);
    free(leaf);
    free(parent);
    return first_leaf(other)->pane;
}

void split_swap(struct split *split, struct pane *a, struct pane *b)
{
    struct node *first = find(split->root, a), *second = find(split->root, b);
    first->pane = b;
    second->pane = a;
}

void split_replace(struct split *split, struct pane *old, struct pane *pane)
{
    find(split->root, old)->pane = pane;
}

static size_t collect(struct node *node, struct node **leaves, size_t count)
{
    if (node->first == NULL) {
        if (count < PANES_MAX)
            leaves[count++] = node;
        return count;
    }
    count = collect(node->first, leaves, count);
    return collect(node->second, leaves, count);
}

size_t split_count(const struct split *split)
{
    struct node *leaves[PANES_MAX];
    return collect(split->root, leaves, 0);
}

struct pane *split_pane(const struct split *split, size_t index)
{
    struct node *leaves[PANES_MAX];
    return index < collect(split->root, leaves, 0) ? leaves[index]->pane : NULL;
}

/* --- sizes ----------------------------------------------------------------------------------- */

static bool is_shown(const struct node *node)
{
    return node->first == NULL ? !node->hidden : is_shown(node->first) || is_shown(node->second);
}

/* What the first child gets of `cells`, the divider taken off already. */
static int first_size(const struct node *node, int cells)
{
    int fixed = node->fixed_first > 0 ? node->fixed_first : cells - node->fixed_second;
    bool by_share = node->fixed_first == 0 && node->fixed_second == 0;
    int size = by_share ? (cells * node->share + SHARE_ALL / 2) / SHARE_ALL : fixed;
    if (!by_share && node->fixed_first > cells / 2)
        size = cells / 2;
    if (!by_share && node->fixed_second > cells / 2)
        size = cells - cells / 2;
    return size < 1 ? 1 : size >= cells && cells > 1 ? cells - 1 : size;
}

static void divide(struct node *node, struct rect area)
{
    node->area = area;
    if (node->first == NULL)
        return;
    bool one = is_shown(node->first), two = is_shown(node->second);
    if (!one || !two) {
        divide(one ? node->first : node->second, area);
        return;
    }
    struct rect a = area, b = area;
    if (node->stacked) {
        a.rows = first_size(node, area.rows);
        b.row += a.rows;
        b.rows -= a.rows;
    } else {
        a.columns = first_size(node, area.columns - 1);
        b.column += a.columns + 1;
        b.columns -= a.columns + 1;
    }
    divide(node->first, a);
    divide(node->second, b);
}

static bool fits(struct node **leaves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct node *leaf = leaves[i];
        if (!leaf->hidden && (leaf->area.columns < leaf->pane->ops->columns_min ||
                              leaf->area.rows < leaf->pane->ops->rows_min))
            return false;
    }
    return true;
}

/* The one to leave out next: a side pane before others, the last opened first. */
static struct node *least_wanted(struct node **leaves, size_t count, const struct pane *focus)
{
    struct node *found = NULL;
    for (size_t i = 0; i < count; i++) {
        struct node *leaf = leaves[i];
        if (leaf->hidden || leaf->pane == focus)
            continue;
        bool side = is_side(leaf->pane);
        bool found_side = found != NULL && is_side(found->pane);
        if (found == NULL || (side && !found_side) ||
            (side == found_side && leaf->opened > found->opened))
            found = leaf;
    }
    return found;
}

size_t split_layout(struct split *split, const struct rect *area, struct pane *focus, bool zoom,
                    struct split_place *places)
{
    struct node *leaves[PANES_MAX], *left_out;
    size_t count = collect(split->root, leaves, 0), shown = 0;
    for (size_t i = 0; i < count; i++)
        leaves[i]->hidden =
            leaves[i]->pane != focus && (zoom || focus->ops->screen_columns_min > area->columns ||
                                         leaves[i]->pane->ops->screen_columns_min > area->columns);
    divide(split->root, *area);
    while (!fits(leaves, count) && (left_out = least_wanted(leaves, count, focus)) != NULL) {
        left_out->hidden = true;
        divide(split->root, *area);
    }
    for (size_t i = 0; i < count; i++)
        if (!leaves[i]->hidden)
            places[shown++] = (struct split_place){leaves[i]->pane, leaves[i]->area};
    return shown;
}

/* --- moving borders -------------------------------------------------------------------------- */

/* The nearest split above `node` whose border lies on that side of it. */
static struct node *border(struct node *node, enum split_side side)
{
    bool stacked = side == SPLIT_ABOVE || side == SPLIT_BELOW;
    bool second = side == SPLIT_LEFT || side == SPLIT_ABOVE; /* then node must be the second */
    for (; node->parent != NULL; node = node->parent)
        if (node->parent->stacked == stacked && (node->parent->second == node) == second)
            return node->parent;
    return NULL;
}

static enum split_side opposite(enum split_side side)
{
    return side ^ 1;
}

void split_grow(struct split *split, struct pane *pane, enum split_side side, int cells)
{
    struct node *leaf = find(split->root, pane), *node = border(leaf, side);
    if (node == NULL) { /* at the edge: the other border comes along, as in tmux */
        node = border(leaf, opposite(side));
    }
    if (node == NULL)
        return;
    int all = node->stacked ? node->area.rows : node->area.columns - 1;
    int first = first_size(node, all);
    first += side == SPLIT_RIGHT || side == SPLIT_BELOW ? cells : -cells;
    first = first < 1 ? 1 : first >= all ? all - 1 : first;
    if (node->fixed_first > 0)
        node->fixed_first = first;
    else if (node->fixed_second > 0)
        node->fixed_second = all - first;
    else if (all > 0)
        node->share = (first * SHARE_ALL + all / 2) / all;
}

static void even(struct node *node)
{
    if (node->first == NULL)
        return;
    node->share = SHARE_ALL / 2;
    even(node->first);
    even(node->second);
}

void split_even(struct split *split)
{
    even(split->root);
}

/* --- neighbours ------------------------------------------------------------------------------ */

static bool overlaps(int a, int a_size, int b, int b_size)
{
    return a < b + b_size && b < a + a_size;
}

static bool lies_on(const struct rect *a, const struct rect *b, enum split_side side)
{
    switch (side) {
    case SPLIT_LEFT:
        return b->column + b->columns + 1 == a->column &&
               overlaps(a->row, a->rows, b->row, b->rows);
    case SPLIT_RIGHT:
        return a->column + a->columns + 1 == b->column &&
               overlaps(a->row, a->rows, b->row, b->rows);
    case SPLIT_ABOVE:
        return b->row + b->rows == a->row && overlaps(a->column, a->columns, b->column, b->columns);
    case SPLIT_BELOW:
        return a->row + a->rows == b->row && overlaps(a->column, a->columns, b->column, b->columns);
    }
    return false;
}

struct pane *split_neighbour(const struct split *split, const struct pane *pane,
                             enum split_side side)
{
    struct node *leaves[PANES_MAX];
    const struct node *own = find(split->root, pane);
    size_t count = collect(split->root, leaves, 0);
    for (size_t i = 0; i < count; i++)
        if (!leaves[i]->hidden && leaves[i] != own && lies_on(&own->area, &leaves[i]->area, side))
            return leaves[i]->pane;
    return NULL;
}
