#ifndef MLC_TESTS_UNIT_GRAPH_TEXT_H
#define MLC_TESTS_UNIT_GRAPH_TEXT_H
/* Graphs from text and back, for tests of the passes, on the kit of the property tests. */
#include "ir/graph/print.h"
#include "passes/pass.h"
#include "tests/properties/kit.h"
#include <check.h>

/* The program in the text; fails the test if there is none. */
static inline Program *text_program(Kit *kit, const char *text)
{
    Sources *sources = sources_new(kit->arena);
    Context context = {kit->arena, kit->names, sources, report_new(kit->arena, sources)};
    uint32_t source = sources_add(sources, "test", text, strlen(text), false);
    Program *program = program_parse(&context, kit->arena, source, NULL);
    Text message = {.arena = kit->arena};
    report_render(context.report, &message, false);
    ck_assert_msg(program != NULL, "%s", text_done(&message));
    return program;
}

static inline Graph *text_graph(Kit *kit, const char *text)
{
    return text_program(kit, text)->entry[ENTRY_predict];
}

/* Data of one leaf, in place of what the feed drew. */
static inline void feed_set(Kit *kit, Feed *feed, const char *name, const double *at)
{
    double *to = feed_find(feed, name_of(kit->names, name));
    ck_assert_ptr_nonnull(to);
    for (int i = 0; i < feed->count; i++)
        if (feed->leaf[i].at == to) memcpy(to, at, sizeof *at * (size_t)feed->leaf[i].count);
}

#endif
