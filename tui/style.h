/*
 * style.h - the roles that text on the screen can have. Themes give each a colour; call sites name
 * roles and never colours.
 */
#ifndef AIRO_TUI_STYLE_H
#define AIRO_TUI_STYLE_H

enum style {
    STYLE_TEXT, /* its background is the screen's */
    STYLE_DIM,
    STYLE_TITLE,
    STYLE_ACCENT,
    STYLE_RULE,
    STYLE_KEY, /* a key or a command named in a hint */
    STYLE_USER_MARK,
    STYLE_USER,
    STYLE_REPLY_MARK,
    STYLE_REPLY,
    STYLE_HEADING,
    STYLE_CODE,
    STYLE_SOURCE, /* the source line of an answer; attached documents */
    STYLE_NOTICE,
    STYLE_ERROR,
    STYLE_COMPOSER,
    STYLE_CHIP, /* a folded paste */
    STYLE_NEW,  /* "new text below" */
    STYLE_GAUGE,
    STYLE_GAUGE_DIM,
    STYLE_PART_SYSTEM, /* the parts of the context bar, in the order of enum segment_part */
    STYLE_PART_DOCUMENT,
    STYLE_PART_SCENE,
    STYLE_PART_HISTORY,
    STYLE_PART_DRAFT,
    STYLE_PART_RESERVE,
    STYLE_PART_FREE,
    STYLE_SPEAKER_1, /* the people of a scene, by turns */
    STYLE_SPEAKER_2,
    STYLE_SPEAKER_3,
    STYLE_SPEAKER_4,
    STYLE_SPEAKER_5,
    STYLE_SPEAKER_6,
    STYLE_UNSUPPORTED, /* a claim that its source does not bear out */
    STYLE_SELECTION,
    STYLE_MATCH, /* what a search found; the one that the cursor is on */
    STYLE_MATCH_CURRENT,
    STYLE_LINK,
    STYLE_QUOTE,
    STYLE_STRONG,
    STYLE_TABLE,
    STYLE_BORDER, /* of panes and boxes; of the one that has the keys */
    STYLE_BORDER_FOCUS,
    STYLE_LIST_SELECTED,
    STYLE_LIST_DIM,
    STYLE_BADGE,
    STYLE_TOKEN_A, /* tokens beside each other, by turns */
    STYLE_TOKEN_B,
    STYLE_GOOD,
    STYLE_WARN,
    STYLES,
};

#endif
