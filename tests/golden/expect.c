/* Runs golden cases:  expect MLC_PROGRAM FILE... [--update]
 *
 * A case is one file:
 *
 *     # what is held, and why
 *     $ mlc dump - --stage ast
 *     const a = 1                 the input, on standard input if the command names `-`
 *     === blocks.mlc              or from here on a file of that name, in the directory where the command runs
 *     fn f(x) { return x }
 *     ---
 *     file                        the output, whole: standard output, then standard error,
 *       ...                       then `exit N` if that is not 0
 *
 * The command runs without a shell, in an empty directory that is removed afterwards.  With --update the output is written into
 * the case instead of being compared. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS = 64, SECONDS = 120, DIFF_LINES = 3000 };

typedef struct Case {
    const char *path;
    char *text;     /* the whole file, which the rest points into */
    char *command;  /* behind `$ `, cut up by run() */
    char *input;    /* up to the first file or the line --- */
    size_t head;    /* bytes up to and with that line */
    char *expected; /* NULL: there is none yet */
} Case;

static _Noreturn void die(const char *what, const char *which)
{
    fprintf(stderr, "expect: %s %s%s%s\n", what, which, errno ? ": " : "",
            errno ? strerror(errno) : "");
    exit(2);
}

static char *read_file(const char *path)
{
    errno = 0;
    FILE *file = fopen(path, "rb");
    if (!file) die("cannot read", path);
    char *text = NULL;
    size_t size = 0, room = 0;
    do {
        if (room - size < 4096) text = realloc(text, room = room * 2 + 8192);
        if (!text) die("no memory for", path);
        size += fread(text + size, 1, 4095, file);
    } while (!feof(file) && !ferror(file));
    if (ferror(file)) die("cannot read", path);
    fclose(file);
    text[size] = 0;
    return text;
}

static void write_file(const char *path, const char *text, size_t size)
{
    errno = 0;
    FILE *file = fopen(path, "wb");
    if (!file) die("cannot write", path);
    bool written = fwrite(text, 1, size, file) == size;
    if (fclose(file) != 0 || !written) die("cannot write", path);
}

static char *path_in(const char *directory, const char *name)
{
    char *path;
    errno = 0;
    if (asprintf(&path, "%s/%s", directory, name) < 0) die("no memory for", name);
    return path;
}

static char *next_line(char *line)
{
    char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

static bool is_line(const char *line, const char *text)
{
    size_t length = strlen(text);
    return strncmp(line, text, length) == 0 && (line[length] == '\n' || !line[length]);
}

static Case open_case(const char *path)
{
    Case c = {.path = path, .text = read_file(path)};
    char *line = c.text;
    while (*line == '#' || *line == '\n')
        line = next_line(line);
    errno = 0;
    if (strncmp(line, "$ mlc", 5) != 0) die("no line `$ mlc ...` in", path);
    c.command = line + 2;
    c.input = line = next_line(line);
    while (*line && !is_line(line, "---"))
        line = next_line(line);
    if (*line) c.expected = next_line(line);
    c.head = (size_t)((c.expected ? c.expected : line) - c.text);
    return c;
}

/* Writes the files of the case into the directory; returns the length of what comes before them: the standard input. */
static size_t write_files(const Case *c, const char *directory)
{
    const char *end = c->text + c->head - (c->expected ? strlen("---\n") : 0);
    char *line = c->input;
    while (line < end && strncmp(line, "=== ", 4) != 0)
        line = next_line(line);
    size_t input = (size_t)(line - c->input);
    while (line < end) {
        char *name = line + 4, *body = next_line(line);
        bool ended = body[-1] == '\n';
        if (ended) body[-1] = 0;
        errno = 0;
        if (!*name || strchr(name, '/')) die("a file needs a plain name in", c->path);
        for (line = body; line < end && strncmp(line, "=== ", 4) != 0;)
            line = next_line(line);
        char *path = path_in(directory, name);
        write_file(path, body, (size_t)(line - body));
        free(path);
        if (ended) body[-1] = '\n';
    }
    return input;
}

/* Cuts the command at blanks; "..." holds blanks together. */
static void split(char *command, char *argument[ARGUMENTS], const char *path)
{
    int count = 0;
    char *at = command;
    at[strcspn(at, "\n")] = 0;
    while (*(at += strspn(at, " "))) {
        bool quoted = *at == '"';
        errno = 0;
        if (count == ARGUMENTS - 1) die("too many arguments in", path);
        argument[count++] = at += quoted;
        at += strcspn(at, quoted ? "\"" : " ");
        if (*at) *at++ = 0;
    }
    argument[count] = NULL;
}

static void redirect(const char *path, int flags, int to)
{
    int file = open(path, flags, 0600);
    if (file < 0 || dup2(file, to) < 0) _exit(126);
}

/* Runs in the child: never returns. */
static _Noreturn void become(const char *program, char **argument, const char *directory)
{
    redirect("input", O_RDONLY, 0);
    redirect("output", O_WRONLY | O_CREAT | O_TRUNC, 1);
    redirect("error", O_WRONLY | O_CREAT | O_TRUNC, 2);
    setenv("NO_COLOR", "1", 1);
    setenv("LC_ALL", "C", 1);
    setenv("XDG_CACHE_HOME", directory, 1);
    if (chdir("work") != 0) _exit(126);
    alarm(SECONDS);
    execv(program, argument);
    _exit(127);
}

/* What the command printed, with its exit status if that is not 0. */
static char *collect(const char *directory, int status)
{
    char *output_path = path_in(directory, "output"), *error_path = path_in(directory, "error");
    char *output = read_file(output_path), *error = read_file(error_path), *all, end[64] = "";
    if (WIFSIGNALED(status))
        snprintf(end, sizeof end, "signal %d\n", WTERMSIG(status));
    else if (WEXITSTATUS(status))
        snprintf(end, sizeof end, "exit %d\n", WEXITSTATUS(status));
    size_t length = strlen(output);
    const char *line_end = length && output[length - 1] != '\n' ? "\n" : "";
    if (asprintf(&all, "%s%s%s%s", output, line_end, error, end) < 0)
        die("no memory for", output_path);
    free(output_path);
    free(error_path);
    free(output);
    free(error);
    return all;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about, (void)kind, (void)walk;
    return remove(path);
}

/* A fresh directory with another, `work`, in it. */
static char *make_directory(void)
{
    const char *temporary = getenv("TMPDIR");
    char *directory = path_in(temporary ? temporary : "/tmp", "expect-XXXXXX");
    if (!mkdtemp(directory)) die("cannot make", directory);
    char *work = path_in(directory, "work");
    if (mkdir(work, 0700) != 0) die("cannot make", work);
    free(work);
    return directory;
}

static char *run(Case *c, const char *program)
{
    char *directory = make_directory(), *argument[ARGUMENTS];
    char *work = path_in(directory, "work"), *input = path_in(directory, "input");
    write_file(input, c->input, write_files(c, work));
    char *command = strndup(c->command, strcspn(c->command, "\n"));
    split(command, argument, c->path);

    pid_t child = fork();
    if (child < 0) die("cannot start", program);
    if (child == 0) {
        if (chdir(directory) != 0) _exit(126);
        become(program, argument, directory);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) die("lost", program);
    char *output = collect(directory, status);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(command);
    free(input);
    free(work);
    free(directory);
    return output;
}

static size_t cut_lines(char *text, char **line)
{
    size_t count = 0;
    while (*text && count < DIFF_LINES) {
        char *next = next_line(text);
        if (next[-1] == '\n') next[-1] = 0;
        line[count++] = text;
        text = next;
    }
    return count;
}

static unsigned short common[DIFF_LINES + 1][DIFF_LINES + 1]; /* of a[i:] and b[j:] */

/* Every line, with - for what is expected only and + for what came only: by the longest common subsequence. */
static void show_difference(char *expected, char *output)
{
    static char *a[DIFF_LINES], *b[DIFF_LINES];
    size_t rows = cut_lines(expected, a), columns = cut_lines(output, b);
    for (size_t i = 0; i <= rows; i++)
        common[i][columns] = 0;
    for (size_t j = 0; j <= columns; j++)
        common[rows][j] = 0;
    for (size_t i = rows; i-- > 0;)
        for (size_t j = columns; j-- > 0;) {
            unsigned short down = common[i + 1][j], right = common[i][j + 1];
            bool same = strcmp(a[i], b[j]) == 0;
            common[i][j] = same           ? (unsigned short)(common[i + 1][j + 1] + 1)
                           : down > right ? down
                                          : right;
        }
    for (size_t i = 0, j = 0; i < rows || j < columns;) {
        if (i < rows && j < columns && strcmp(a[i], b[j]) == 0)
            printf("  %s\n", a[i]), i++, j++;
        else if (i < rows && (j == columns || common[i + 1][j] >= common[i][j + 1]))
            printf("- %s\n", a[i++]);
        else
            printf("+ %s\n", b[j++]);
    }
}

static void update(const Case *c, const char *output)
{
    char *text;
    const char *line = c->expected ? "" : "---\n";
    int size = asprintf(&text, "%.*s%s%s", (int)c->head, c->text, line, output);
    if (size < 0) die("no memory for", c->path);
    write_file(c->path, text, (size_t)size);
    free(text);
}

/* True if the case holds, or was made to. */
static bool check(const char *path, const char *program, bool updates)
{
    Case c = open_case(path);
    char *output = run(&c, program);
    bool same = c.expected && strcmp(c.expected, output) == 0;
    if (!same && updates) {
        update(&c, output);
        printf("updated %s\n", path);
    } else if (!same) {
        printf("%s: not as expected (- expected, + came)\n", path);
        char nothing[1] = "";
        show_difference(c.expected ? c.expected : nothing, output);
    }
    free(output);
    free(c.text);
    return same || updates;
}

int main(int argc, char **argv)
{
    bool updates = argc > 1 && strcmp(argv[argc - 1], "--update") == 0;
    int end = argc - updates;
    if (end < 3) {
        fputs("usage: expect MLC_PROGRAM FILE... [--update]\n", stderr);
        return 2;
    }
    errno = 0;
    char *program = realpath(argv[1], NULL);
    if (!program) die("cannot find", argv[1]);
    bool good = true;
    for (int i = 2; i < end; i++)
        good &= check(argv[i], program, updates);
    free(program);
    return good ? 0 : 1;
}
