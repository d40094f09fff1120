#include "frontend/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum OptionKind { KIND_flag, KIND_text, KIND_number, KIND_size, KIND_list } OptionKind;

static const struct OptionRow {
    const char *spelling, *value, *help;
    OptionKind kind;
    size_t offset;
} rows[] = {
#define OPTION(field, spelling, kind, value, help)                                                 \
    {spelling, value, help, KIND_##kind, offsetof(Options, field)},
#include "frontend/cli/options.def"
#undef OPTION
};

static const struct CommandRow {
    const char *name, *arguments, *help;
} commands[] = {
#define COMMAND(name, arguments, help) {#name, arguments, help},
#include "frontend/cli/commands.def"
#undef COMMAND
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Levenshtein's distance of short words, for suggestions. */
static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    unsigned row[64];
    if (n >= COUNT(row) || strlen(a) >= COUNT(row)) return 99;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            unsigned edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < edit ? change : edit;
        }
    }
    return row[n];
}

static int unknown_option(const char *text)
{
    const char *nearest = NULL;
    unsigned least = strlen(text) < 8 ? 3 : 4; /* the dashes count too */
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned d = distance(text, rows[i].spelling);
        if (d >= least) continue;
        least = d;
        nearest = rows[i].spelling;
    }
    fprintf(stderr, "mlc: unknown option `%s`%s%s%s\n", text, nearest ? "; did you mean `" : "",
            nearest ? nearest : "", nearest ? "`?" : "");
    return 2;
}

int options_unknown_command(const char *text)
{
    const char *nearest = NULL;
    unsigned least = 3; /* commands are short */
    for (size_t i = 0; i < COUNT(commands); i++) {
        unsigned d = distance(text, commands[i].name);
        if (d >= least) continue;
        least = d;
        nearest = commands[i].name;
    }
    fprintf(stderr, "mlc: unknown command `%s`; ", text);
    if (nearest)
        fprintf(stderr, "did you mean `%s`?\n", nearest);
    else
        fputs("`mlc --help` lists them\n", stderr);
    return 2;
}

static int bad_value(const char *option, const char *value, const char *expected)
{
    fprintf(stderr, "mlc: `%s %s`: expected %s\n", option, value, expected);
    return 2;
}

static const struct {
    const char *name;
    double factor;
} units[] = {{"", 1},       {"B", 1},         {"k", 1e3},         {"M", 1e6},
             {"G", 1e9},    {"KB", 1e3},      {"MB", 1e6},        {"GB", 1e9},
             {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}};

static int set_number(const struct OptionRow *row, const char *value, int64_t *out)
{
    char *end;
    errno = 0;
    if (row->kind == KIND_number) {
        long long number = strtoll(value, &end, 10);
        if (errno || *end || end == value || number < 0)
            return bad_value(row->spelling, value, "a number >= 0");
        *out = number;
        return 0;
    }
    double number = strtod(value, &end);
    for (size_t i = 0; end != value && number > 0 && number < 1e15 && i < COUNT(units); i++) {
        if (strcmp(end, units[i].name) != 0) continue;
        *out = (int64_t)(number * units[i].factor);
        return 0;
    }
    return bad_value(row->spelling, value, "a size such as 200MB");
}

static int set_option(const struct OptionRow *row, const char *value, Options *options)
{
    void *field = (char *)options + row->offset;
    switch (row->kind) {
    case KIND_flag: *(bool *)field = true; return 0;
    case KIND_text: *(const char **)field = value; return 0;
    case KIND_number:
    case KIND_size: return set_number(row, value, field);
    case KIND_list:
        if (options->set_count == MAX_SETS)
            return bad_value(row->spelling, value, "at most 64 of them");
        options->set[options->set_count++] = value;
        return 0;
    }
    return 2;
}

/* `--name value` and `--name=value`. */
static int parse_option(int count, char *const *argument, int *i, Options *options)
{
    const char *text = argument[*i], *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : strlen(text);
    for (size_t r = 0; r < COUNT(rows); r++) {
        if (strlen(rows[r].spelling) != length || memcmp(rows[r].spelling, text, length) != 0)
            continue;
        if (rows[r].kind == KIND_flag && equals)
            return bad_value(rows[r].spelling, equals + 1, "no value");
        if (rows[r].kind == KIND_flag) return set_option(&rows[r], NULL, options);
        if (equals) return set_option(&rows[r], equals + 1, options);
        if (*i + 1 < count) return set_option(&rows[r], argument[++*i], options);
        fprintf(stderr, "mlc: `%s` needs a value: %s\n", rows[r].spelling, rows[r].value);
        return 2;
    }
    return unknown_option(text);
}

int options_parse(int count, char *const *argument, Options *options)
{
    *options = (Options){.seed = -1};
    for (int i = 1; i < count; i++) {
        const char *text = argument[i];
        int code = 0;
        if (!strcmp(text, "-h") || !strcmp(text, "--help"))
            options->help = true;
        else if (!strcmp(text, "--version") && !options->command)
            options->command = "version";
        else if (!strcmp(text, "-o") && i + 1 < count)
            options->out = argument[++i];
        else if (text[0] == '-' && text[1])
            code = parse_option(count, argument, &i, options);
        else if (!options->command)
            options->command = text;
        else if (!options->file)
            options->file = text;
        else if (!options->what && !strcmp(options->command, "tune"))
            options->what = text;
        else {
            fprintf(stderr, "mlc: unexpected argument `%s`\n", text);
            code = 2;
        }
        if (code) return code;
    }
    return 0;
}

bool options_explain(const char *word)
{
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (strcmp(commands[i].name, word) != 0) continue;
        options_help(word);
        return true;
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct OptionRow *row = &rows[i];
        if (strcmp(row->spelling + strspn(row->spelling, "-"), word) != 0) continue;
        printf("%s%s%s\n\n%s\n", row->spelling, *row->value ? " " : "", row->value, row->help);
        return true;
    }
    return false;
}

void options_help(const char *command)
{
    bool all = !command;
    if (all)
        printf("mlc trains neural networks described by model files.\n\nusage: mlc COMMAND [FILE] "
               "[options]\n\n");
    for (size_t i = 0; i < COUNT(commands); i++) {
        if (!all && strcmp(commands[i].name, command) != 0) continue;
        if (all)
            printf("  %-8s %s\n", commands[i].name, commands[i].help);
        else
            printf("usage: mlc %s %s\n\n%s\n", commands[i].name, commands[i].arguments,
                   commands[i].help);
    }
    printf("\noptions:\n");
    for (size_t i = 0; i < COUNT(rows); i++)
        printf("  %-11s %-14s %s\n", rows[i].spelling, rows[i].value, rows[i].help);
    printf("\nexit codes: 0 done; 1 the work failed; 2 wrong usage; 3 wrong input; 130 interrupted "
           "(saved)\n");
    if (all)
        printf(
            "`mlc help TOPIC` explains the language and every builtin: try `mlc help language`.\n");
}
