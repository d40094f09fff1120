#ifndef MLC_FRONTEND_CLI_CLI_H
#define MLC_FRONTEND_CLI_CLI_H
/* The command line, on top of runtime/mlc.h and nothing else. Results to stdout, the rest to stderr. */
#include "runtime/mlc.h"

#define MAX_SETS 64

typedef struct Options {
    const char *command, *file; /* file: the first positional argument */
    const char *what;           /* the second, of commands that take one */
    const char *device, *precision, *variant, *data, *target, *out, *in, *weights, *init, *split,
        *entry, *stage, *format, *trace;
    const char *set[MAX_SETS + 1];
    int set_count;
    int64_t threads, seed, memory, repeat; /* seed -1: the file's */
    bool no_cache, verify, json, quiet, verbose, resume, kernels, peak, write, help;
} Options;

typedef int CommandFunction(mlc_session *session, const Options *options);

/* Fills options from the arguments; answers 0, or 2 after saying what is wrong on stderr. */
int options_parse(int count, char *const *argument, Options *options);
void options_help(const char *command); /* of all, or of one command */
bool options_explain(
    const char *word); /* of a command or an option, its dashes left out; false: it is neither */
int options_unknown_command(const char *text); /* says so, with the nearest; answers 2 */

/* Exit code of a status, after printing the session's diagnostics to stderr. */
int finish(mlc_session *session, mlc_status status);
/* Opens options->file ("-": standard input) as a model; NULL and *exit_code otherwise. */
mlc_model *open_model(mlc_session *session, const Options *options, int *exit_code);
/* Says which option a command needs; answers 2. */
int missing(const char *command, const char *option);
/* Standard input or a file, NUL-terminated, from malloc; NULL if it cannot be read. */
char *read_all(const char *path);
bool colour_wanted(void); /* on stderr */

/* Progress of long work on stderr: a bar on a terminal, plain lines otherwise; JSON events on stdout if asked. */
void progress_listen(mlc_session *session, const Options *options);
/* Ends the bar's line, if one is open. */
void progress_end(void);

#define COMMAND(name, arguments, help) CommandFunction command_##name;
#include "frontend/cli/commands.def"
#undef COMMAND

#endif
