#ifndef MLC_FRONTEND_LEXER_H
#define MLC_FRONTEND_LEXER_H
/* Text to tokens, for the parser and the formatter.  What cannot be read is reported and becomes a `bad` token, about which
 * the parser says nothing more.  Newlines are not tokens: a token knows whether it is the first of its line, and the
 * parser, which knows the brackets, decides whether that ends a statement.  Every bracket knows its partner. */
#include "ir/base/context.h"

typedef enum TokenKind {
    TOKEN_end,
    TOKEN_name,
    TOKEN_number,
    TOKEN_string,
    TOKEN_keyword,
    TOKEN_bad,
#define MARK(name, text, level) TOKEN_##name,
#include "frontend/tokens.def"
    TOKEN_COUNT
} TokenKind;

typedef enum Word {
    WORD_none,
#define KEYWORD(word, level, meaning) WORD_##word,
#include "frontend/tokens.def"
#define WORD(word, place, meaning) WORD_##word,
#include "frontend/tokens.def"
    WORD_COUNT
} Word;

typedef enum WordPlace {
    PLACE_KEYWORD,
    PLACE_ITEM,
    PLACE_STATEMENT,
    PLACE_BOTH,
    PLACE_INNER
} WordPlace;

typedef struct WordInfo {
    const char *text, *meaning;
    WordPlace place;
    int level; /* of and, or */
} WordInfo;

extern const WordInfo word_info[WORD_COUNT];     /* [WORD_none].text is NULL */
extern const char *const mark_text[TOKEN_COUNT]; /* NULL for what is no mark */

typedef struct Token {
    TokenKind kind;
    Word word;   /* of a keyword, and of a name that is also a word */
    bool first;  /* no other token before it on its line */
    bool closed; /* an opening bracket: its partner exists */
    bool
        prefix; /* set by the parser: a unary minus, or a word used as one (the formatter's spacing) */
    bool is_integer;
    uint32_t begin, length;
    /* Of a bracket: the partner's index.  Of one never closed: the token before which it should have been.  Of a
     * closing one never opened: itself. */
    uint32_t match;
    Name name;
    double number;
    const char *text; /* string: unescaped; number: as written */
} Token;

typedef struct Comment {
    uint32_t begin, length; /* from // to the end of the line, without blanks at the end */
    uint32_t before;        /* the token that follows */
    bool own_line;
} Comment;

typedef struct Tokens {
    Token *at; /* the last is TOKEN_end */
    uint32_t count;
    const Comment *comment;
    uint32_t comment_count;
    uint32_t errors; /* reported here */
} Tokens;

#define SOURCE_MOST (4u << 20) /* bytes; a token takes twenty times its text */
#define ERRORS_MOST 100u       /* reported by lexer and parser for one file */

/* A text that is too large or no text at all is reported and gives the end token alone. */
Tokens *lex(Context *context, uint32_t source);
bool token_opens(TokenKind kind);
bool token_closes(TokenKind kind);

#endif
