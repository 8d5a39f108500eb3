/*
 * scene_talk.h - a scene in a chat pane: playing one, letting it go on without the user, having the
 * user's own line written, the colours of the speakers.
 *
 * What goes wrong is told in the transcript.
 */
#ifndef AIRO_TUI_SCENE_TALK_H
#define AIRO_TUI_SCENE_TALK_H

#include "tui/pane_chat.h"

/* A scene by name, or by the path of a scene or a card ("~" too). NULL on error. */
struct scene *scene_talk_open(const char *name, struct error *error);
/* Sets the scene, which is taken over (NULL: none). In an empty chat it begins: its first message
 * is shown, or its opening sent. False: a reply is running. */
bool scene_talk_play(struct pane_chat *pane, struct scene *scene);
/* The same by name. */
bool scene_talk_play_name(struct pane_chat *pane, const char *name);

/* Shows what the chat begins with when nothing has been said: after a change of the first message.
 */
void scene_talk_show(struct pane_chat *pane);

/* The next reply without a word of the user's; in an empty chat, the opening. False where there is
 * no scene or a reply runs. */
bool scene_talk_go_on(struct pane_chat *pane);
/* The model writes the user's next line; it ends in the composer. False as above. */
bool scene_talk_write_line(struct pane_chat *pane);
/* For the end of a reply: takes a line that was written for the user out of the chat and into the
 * composer. Where a scene that should go on got nothing from the model, the next in turn speaks. */
void scene_talk_ended(struct pane_chat *pane, const struct message *reply,
                      const struct event *event);

/* Another first message, in order. False when the talk has begun or there is no other. */
bool scene_talk_greet(struct pane_chat *pane);

/* Before drawing: tells the transcript who speaks, when that has changed. */
void scene_talk_speakers(struct pane_chat *pane);

/* The style of a character's name. */
enum style scene_talk_style(size_t character);

/* Draws what a chat with a scene shows before anything is said. */
void scene_talk_draw_page(const struct chat *chat, struct terminal *terminal,
                          const struct rect *area);

#endif
