#include "frontend/cli/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A signal handler sees no arguments: this one pointer is the program's, not the library's. */
static mlc_session *_Atomic interrupted_session;

/* The first signal asks to save and stop; the second stops at once. */
static void on_signal(int number)
{
    mlc_session *session = atomic_exchange(&interrupted_session, NULL);
    if (!session) _exit(128 + number);
    mlc_interrupt(session);
}

static void catch_signals(mlc_session *session)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    atomic_store(&interrupted_session, session);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_DFL); /* `mlc ... | head` ends quietly */
}

/* A closed stream's number would go to the next file that is opened, the log of a run for one, and what is printed into it.
 * Reading alone makes writing fail as it does on a closed stream. */
static void hold_streams(void)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDONLY);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0) close(descriptor);
}

bool colour_wanted(void)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    return isatty(STDERR_FILENO) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

int finish(mlc_session *session, mlc_status status)
{
    progress_end();
    fputs(mlc_diagnostics(session, colour_wanted()), stderr);
    switch (status) {
    case MLC_OK: return 0;
    case MLC_USAGE: return 2;
    case MLC_INVALID: return 3;
    case MLC_INTERRUPTED: return 130;
    case MLC_FAILED:
    case MLC_NO_MEMORY:
    case MLC_BUG: break;
    }
    return 1;
}

int missing(const char *command, const char *option)
{
    fprintf(stderr, "mlc %s: %s is missing; see `mlc %s --help`\n", command, option, command);
    return 2;
}

char *read_all(const char *path)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    size_t room = 1 << 16, size = 0, got;
    char *text = file ? malloc(room) : NULL;
    while (text && (got = fread(text + size, 1, room - size - 1, file)) > 0) {
        size += got;
        if (room - size > 1) continue;
        char *larger = room < (64u << 20) ? realloc(text, room *= 2) : NULL;
        if (!larger) free(text);
        text = larger;
    }
    if (file && file != stdin) fclose(file);
    if (text) text[size] = 0;
    return text;
}

static mlc_model_options model_options(const Options *o, const char *text)
{
    return (mlc_model_options){.size = sizeof(mlc_model_options),
                               .text = text,
                               .device = o->device,
                               .threads = (int)(o->threads > 1024 ? 1024 : o->threads),
                               .seed = o->seed,
                               .precision = o->precision,
                               .memory = o->memory,
                               .set = o->set_count ? o->set : NULL,
                               .variant = o->variant,
                               .data_folder = o->data,
                               .cache_folder = o->no_cache ? "" : NULL,
                               .target = o->target,
                               .verify = o->verify,
                               .unchecked = !strcmp(o->command, "dump")};
}

mlc_model *open_model(mlc_session *session, const Options *options, int *exit_code)
{
    mlc_model *model = NULL;
    bool standard = options->file && !strcmp(options->file, "-");
    char *text = standard ? read_all("-") : NULL;
    if (!options->file || (standard && !text)) {
        *exit_code = missing(options->command, "FILE");
        return NULL;
    }
    mlc_model_options open = model_options(options, text);
    mlc_status status =
        mlc_model_open(session, standard ? "stdin.mlc" : options->file, &open, &model);
    free(text);
    if (options->verbose) progress_listen(session, options);
    if (status != MLC_OK)
        *exit_code = finish(session, status);
    else
        fputs(mlc_diagnostics(session, colour_wanted()),
              stderr); /* warnings: the next call clears them */
    return model;
}

static const struct {
    const char *name;
    CommandFunction *function;
} commands[] = {
#define COMMAND(name, arguments, help) {#name, command_##name},
#include "frontend/cli/commands.def"
#undef COMMAND
};

static CommandFunction *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(commands[i].name, name)) return commands[i].function;
    return NULL;
}

static int run(int count, char **argument)
{
    Options options;
    int code = options_parse(count, argument, &options);
    if (code) return code;
    if (!options.command || (options.help && !find_command(options.command))) {
        options_help(NULL);
        return options.help ? 0 : 2;
    }
    CommandFunction *command = find_command(options.command);
    if (!command) return options_unknown_command(options.command);
    if (options.help) {
        options_help(options.command);
        return 0;
    }
    mlc_session *session;
    if (mlc_session_open(NULL, &session) != MLC_OK) {
        fputs("mlc: out of memory\n", stderr);
        return 1;
    }
    catch_signals(session);
    code = command(session, &options);
    atomic_store(&interrupted_session, NULL);
    mlc_session_close(session);
    return code;
}

int main(int count, char **argument)
{
    hold_streams();
    int code = run(count, argument);
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    fputs("mlc: the results could not be written to standard output\n", stderr);
    return code ? code : 1;
}
