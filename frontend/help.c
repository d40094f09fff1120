/* Help: builtins from their table, library functions from the comments above them, topics from topics.def. */
#include "frontend/builtins.h"
#include "frontend/parser.h"
#include "frontend/std.h"

typedef struct Topic {
    const char *name, *text;
} Topic;

static const Topic topic_table[] = {
#define TOPIC(name, text) {#name, text},
#include "frontend/topics.def"
#undef TOPIC
};
#define TOPICS (sizeof topic_table / sizeof *topic_table)

static const char *const setting_help =
#define SETTING(name, most, help) "  " help "\n"
#include "frontend/blocks/settings.def"
#undef SETTING
    ;

static const char *const compress_help =
#define CHOICE(keyword, name, help) "  " help "\n"
#include "frontend/blocks/compress.def"
#undef CHOICE
    ;

typedef struct Library {
    uint32_t source;
    const Ast *file;
} Library;

static Library *library_of(Context *context)
{
    Library *library = arena_array(context->arena, Library, std_count);
    for (uint32_t i = 0; i < std_count; i++) {
        const StdFile *f = &std_file[i];
        library[i].source =
            sources_add(context->sources, f->path, (const char *)f->text, f->size, true);
        library[i].file = parse_file(context, library[i].source);
    }
    return library;
}

static const char *function_help(Context *context, const Ast *function, const char *path)
{
    Text text = {.arena = context->arena};
    const Ast *parameters = function->child[0];
    const Source *source = sources_get(context->sources, parameters->at.source);
    text_add(&text, "%s%.*s\n\n", name_text(context->names, function->name),
             (int)parameters->at.length, source->text + parameters->at.begin);
    text_add(&text, "%s\n\nFrom %s.\n", function->text ? function->text : "", path);
    return text_done(&text);
}

static const char *builtin_help(Context *context, const Builtin *builtin)
{
    Text text = {.arena = context->arena};
    text_add(&text, "%s(%s)\n\n%s\n\nBuilt in.\n", builtin->name, builtin->signature,
             builtin->help);
    return text_done(&text);
}

static const char *topic_help(Context *context, const Topic *topic)
{
    Text text = {.arena = context->arena};
    text_add(&text, "%s", topic->text);
    if (strcmp(topic->name, "train") == 0) text_add(&text, "\nSettings:\n%s", setting_help);
    if (strcmp(topic->name, "compress") == 0) text_add(&text, "\nSettings:\n%s", compress_help);
    return text_done(&text);
}

/* Whether a line of the text begins with the word. */
static bool explains(const char *text, const char *word)
{
    size_t length = strlen(word);
    while (*text) {
        text += strspn(text, " \n");
        size_t first =
            strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (first == length && memcmp(text, word, length) == 0) return true;
        text += strcspn(text, "\n");
    }
    return false;
}

/* Words that are neither topic nor function, such as csv, scan and epochs. */
static const char *word_help(Context *context, const char *word)
{
    if (!*word) return NULL;
    for (size_t i = 0; i < TOPICS; i++) {
        const Topic *topic = &topic_table[i];
        bool is_setting = strcmp(topic->name, "train") == 0 && explains(setting_help, word);
        if (is_setting || explains(topic->text, word)) return topic_help(context, topic);
    }
    return NULL;
}

const char *frontend_help(Context *context, const char *topic)
{
    for (size_t i = 0; i < TOPICS; i++)
        if (strcmp(topic_table[i].name, topic) == 0) return topic_help(context, &topic_table[i]);
    const Builtin *builtin = builtin_named(topic);
    if (builtin) return builtin_help(context, builtin);
    const Library *library = library_of(context);
    Name name = name_of(context->names, topic);
    for (uint32_t i = 0; i < std_count; i++)
        for (uint32_t k = 0; k < library[i].file->count; k++) {
            const Ast *item = library[i].file->child[k];
            if (item->kind == AST_function && name_same(item->name, name))
                return function_help(context, item, std_file[i].path);
        }
    return word_help(context, topic);
}

uint32_t frontend_topics(Context *context, const char *const **names)
{
    const Library *library = library_of(context);
    LIST(const char *) list = {0};
    for (size_t i = 0; i < TOPICS; i++)
        *list_add(context->arena, &list) = topic_table[i].name;
    for (uint32_t i = 0; i < builtin_count; i++)
        *list_add(context->arena, &list) = builtin_table[i].name;
    for (uint32_t i = 0; i < std_count; i++)
        for (uint32_t k = 0; k < library[i].file->count; k++) {
            const Ast *item = library[i].file->child[k];
            if (item->kind == AST_function)
                *list_add(context->arena, &list) = name_text(context->names, item->name);
        }
    *names = list.at;
    return list.count;
}
