#ifndef MLC_FRONTEND_BRACKETS_H
#define MLC_FRONTEND_BRACKETS_H
/* Finds every bracket's partner before parsing, so that a missing one costs one message, at the one that was opened. */
#include "frontend/lexer.h"

void brackets_match(Arena *arena, Tokens *tokens, const Source *source);

#endif
