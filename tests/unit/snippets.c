#include "tests/unit/snippets.h"
#include "ir/base/list.h"
#include <check.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>

typedef LIST(Snippet) SnippetList;

static const char *read_file(Arena *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s cannot be read", path);
    Text text = {.arena = arena};
    char part[4096];
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;)
        text_put(&text, part, size);
    fclose(file);
    return text_done(&text);
}

const char *snippets_grammar(Arena *arena)
{
    return read_file(arena, MLC_SOURCE_DIR "/frontend/grammar.md");
}

static void add_wrong(Arena *arena, SnippetList *list, Snippet whole, const char *end)
{
    for (const char *at = whole.text; at < end;) {
        const char *stop = strstr(at, "\n\n");
        if (!stop || stop > end) stop = end;
        const char *text = arena_text(arena, at, (size_t)(stop - at));
        *list_add(arena, list) = (Snippet){whole.mark, text, whole.line};
        at = stop + strspn(stop, "\n");
    }
}

static void add_block(Arena *arena, SnippetList *list, Snippet block, const char *end)
{
    if (strcmp(block.mark, "mlc-wrong") == 0) {
        add_wrong(arena, list, block, end);
        return;
    }
    Text text = {.arena = arena};
    bool inside = strcmp(block.mark, "mlc-statements") == 0;
    if (inside) text_add(&text, "model m {\n");
    text_put(&text, block.text, (size_t)(end - block.text));
    if (inside) text_add(&text, "}\n");
    block.text = text_done(&text);
    *list_add(arena, list) = block;
}

static void add_grammar(Arena *arena, SnippetList *list)
{
    const char *at = snippets_grammar(arena);
    Snippet block = {0};
    for (int line = 1; *at; line++) {
        const char *end = at + strcspn(at, "\n");
        bool fence = strncmp(at, "```", 3) == 0;
        if (fence && block.text) {
            add_block(arena, list, block, at);
            block.text = NULL;
        } else if (fence) {
            const char *mark = arena_text(arena, at + 3, (size_t)(end - at - 3));
            block = (Snippet){mark, end + 1, line + 1};
        }
        at = *end ? end + 1 : end;
    }
    ck_assert_msg(!block.text, "grammar.md: the block at line %d is not closed", block.line);
}

Snippets snippets_open(Arena *arena)
{
    SnippetList list = {0};
    add_grammar(arena, &list);
    glob_t found;
    ck_assert_int_eq(glob(MLC_SOURCE_DIR "/frontend/std/*.mlc", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        *list_add(arena, &list) = (Snippet){"std", read_file(arena, found.gl_pathv[i]), 0};
    globfree(&found);
    return (Snippets){list.count, list.at};
}
