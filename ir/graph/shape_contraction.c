/* Rules of dot and conv, whose axes are letters, and of gather and scatter. */
#include "ir/graph/shape_rule.h"

/* Index sums stay inside int64: a scale times an extent is at most this. */
#define MAX_REACH ((int64_t)1 << 60)

static int position(const char *letters, char letter)
{
    const char *at = letter ? strchr(letters, letter) : NULL;
    return at ? (int)(at - letters) : -1;
}

/* Three lists of MAX_RANK letters at most leave one. */
char indices_free_letter(const Indices *indices)
{
    char letter = 'a';
    while (strchr(indices->a, letter) || strchr(indices->b, letter) || strchr(indices->y, letter))
        letter++;
    return letter;
}

void indices_insert(char letters[MAX_RANK + 1], int at, char letter)
{
    memmove(letters + at + 1, letters + at, (size_t)(MAX_RANK - at));
    letters[at] = letter;
}

int64_t indices_extent(const Indices *indices, char letter, const Shape *a, const Shape *b,
                       const Shape *y)
{
    int at = position(indices->a, letter);
    if (at >= 0) return a->extent[at];
    at = position(indices->b, letter);
    if (at >= 0) return b->extent[at];
    at = position(indices->y, letter);
    return at >= 0 && y ? y->extent[at] : -1;
}

static const char *check_letters(const Question *question, const char letters[MAX_RANK + 1],
                                 const char *whose, int rank)
{
    int count = 0;
    while (count < MAX_RANK && letters[count])
        count++;
    for (int i = count; i <= MAX_RANK; i++)
        if (letters[i]) return shape_wrong(question, "the letters of the %s do not end", whose);
    if (rank >= 0 && count != rank)
        return shape_wrong(question, "the %s has %d axes, not the %d of `%s`", whose, rank, count,
                           letters);

    uint32_t seen = 0;
    for (int i = 0; i < count; i++) {
        if (letters[i] < 'a' || letters[i] > 'z')
            return shape_wrong(question, "the axes of the %s are not named by letters a to z",
                               whose);
        uint32_t bit = 1u << (letters[i] - 'a');
        if (seen & bit)
            return shape_wrong(question, "`%c` names two axes of the %s", letters[i], whose);
        seen |= bit;
    }
    return NULL;
}

static bool in_window(const Indices *indices, char letter)
{
    for (int i = 0; i < indices->windows; i++)
        if (letter == indices->window[i].input || letter == indices->window[i].output ||
            letter == indices->window[i].tap)
            return true;
    return false;
}

/* Letters that no window ties: in two lists at least, and of one size. */
static const char *check_plain_letters(const Question *question, const Indices *indices)
{
    const Shape *a = &question->argument[0].shape, *b = &question->argument[1].shape;
    for (const char *letter = indices->a; *letter; letter++) {
        int in_b = position(indices->b, *letter), in_y = position(indices->y, *letter);
        if (in_window(indices, *letter)) continue;
        if (in_b < 0 && in_y < 0)
            return shape_wrong(question, "`%c` is in the first operand only", *letter);
        if (in_b < 0) continue;
        int64_t left = a->extent[letter - indices->a], right = b->extent[in_b];
        if (left != right)
            return shape_wrong(question, "%s sizes %lld and %lld differ",
                               in_y < 0 ? "inner" : "batch", (long long)left, (long long)right);
    }
    for (const char *letter = indices->b; *letter; letter++)
        if (!in_window(indices, *letter) && position(indices->a, *letter) < 0 &&
            position(indices->y, *letter) < 0)
            return shape_wrong(question, "`%c` is in the second operand only", *letter);
    for (const char *letter = indices->y; *letter; letter++)
        if (!in_window(indices, *letter) && position(indices->a, *letter) < 0 &&
            position(indices->b, *letter) < 0)
            return shape_wrong(question, "`%c` is in the result only", *letter);
    return NULL;
}

/* Which lists hold the letter: bit 0 for a, 1 for b, 2 for y. */
static unsigned lists_of(const Indices *indices, char letter)
{
    return (position(indices->a, letter) >= 0 ? 1u : 0u) |
           (position(indices->b, letter) >= 0 ? 2u : 0u) |
           (position(indices->y, letter) >= 0 ? 4u : 0u);
}

static bool reach_is_small(int64_t scale, int64_t extent)
{
    int64_t product;
    return scale >= -MAX_REACH && scale <= MAX_REACH &&
           !__builtin_mul_overflow(scale, extent ? extent : 1, &product) && product >= -MAX_REACH &&
           product <= MAX_REACH;
}

/* A window has one letter in each list, and shares none with another window. */
static const char *check_window(const Question *question, const Indices *indices, int at,
                                const Shape *y)
{
    const char letter[3] = {indices->window[at].input, indices->window[at].output,
                            indices->window[at].tap};
    const int64_t scale[3] = {indices->window[at].input_scale, indices->window[at].output_scale,
                              indices->window[at].tap_scale};
    unsigned all = 0;
    for (int i = 0; i < 3; i++) {
        unsigned lists = lists_of(indices, letter[i]);
        if (lists != 1 && lists != 2 && lists != 4)
            return shape_wrong(question, "a letter of window %d is not in exactly one list", at);
        if (all & lists) return shape_wrong(question, "window %d has two letters in one list", at);
        all |= lists;
        for (int other = 0; other < at; other++)
            if (letter[i] == indices->window[other].input ||
                letter[i] == indices->window[other].output ||
                letter[i] == indices->window[other].tap)
                return shape_wrong(question, "`%c` is in two windows", letter[i]);
        int64_t extent = indices_extent(indices, letter[i], &question->argument[0].shape,
                                        &question->argument[1].shape, y);
        if (!reach_is_small(scale[i], extent))
            return shape_wrong(question, "the scale of `%c` is beyond any size", letter[i]);
    }
    if (scale[0] < 1 || scale[1] < 1 || scale[2] == 0)
        return shape_wrong(question, "the scales of window %d are not positive", at);
    if (!reach_is_small(indices->window[at].offset, 1))
        return shape_wrong(question, "the offset of window %d is beyond any size", at);
    return NULL;
}

/* What products of that type are added up in. */
static Type sum_type(Type type)
{
    if (type_is_float(type)) return type_info[type].bytes <= 4 ? TYPE_f32 : type;
    return type_info[type].bytes == 1 ? TYPE_i32 : type;
}

static bool is_byte(Type type)
{
    return type_is_integer(type) && type_info[type].bytes == 1;
}

/* Bytes of both kinds are multiplied: what is never negative, as after relu, has twice as many steps as u8. */
static bool types_fit(Type a, Type b)
{
    return a == b || (is_byte(a) && is_byte(b));
}

static const char *check_operands(const Question *question)
{
    const TypedShape *a = &question->argument[0], *b = &question->argument[1];
    const Indices *indices = &question->attribute->indices;
    if (!types_fit(a->type, b->type))
        return shape_wrong(question, "types %s and %s differ", type_info[a->type].name,
                           type_info[b->type].name);
    const char *wrong = shape_check_numeric(question, a);
    if (!wrong) wrong = check_letters(question, indices->a, "first operand", a->shape.rank);
    if (!wrong) wrong = check_letters(question, indices->b, "second operand", b->shape.rank);
    return wrong;
}

const char *shape_rule_dot(const Question *question)
{
    const Indices *indices = &question->attribute->indices;
    const char *wrong = check_operands(question);
    if (!wrong) wrong = check_letters(question, indices->y, "result", -1);
    if (!wrong && indices->windows) wrong = "a matrix product has no windows";
    if (!wrong) wrong = check_plain_letters(question, indices);
    if (wrong) return wrong;

    Shape shape = {.rank = (uint8_t)strlen(indices->y)};
    for (int i = 0; i < shape.rank; i++)
        shape.extent[i] = indices_extent(indices, indices->y[i], &question->argument[0].shape,
                                         &question->argument[1].shape, NULL);
    *question->result = (TypedShape){sum_type(question->argument[0].type), shape};
    return NULL;
}

const char *shape_rule_conv(const Question *question)
{
    const Indices *indices = &question->attribute->indices;
    const char *wrong = check_operands(question);
    if (!wrong) wrong = shape_take_given(question, sum_type(question->argument[0].type));
    const Shape *y = &question->result->shape;
    if (!wrong) wrong = check_letters(question, indices->y, "result", y->rank);
    if (!wrong && indices->windows > MAX_WINDOWS)
        wrong = shape_wrong(question, "%d windows are more than %d", indices->windows, MAX_WINDOWS);
    for (int i = 0; !wrong && i < indices->windows; i++)
        wrong = check_window(question, indices, i, y);
    if (!wrong) wrong = check_plain_letters(question, indices);
    for (int i = 0; !wrong && i < y->rank; i++) {
        int64_t extent = indices_extent(indices, indices->y[i], &question->argument[0].shape,
                                        &question->argument[1].shape, y);
        if (extent != y->extent[i])
            wrong =
                shape_wrong(question, "`%c` has size %lld in the operands and %lld in the result",
                            indices->y[i], (long long)extent, (long long)y->extent[i]);
    }
    return wrong;
}

/* x with its axis replaced by the axes of index. */
static const char *gathered(const Question *question, const Shape *x, const Shape *index,
                            Shape *result)
{
    int axis = question->attribute->axis;
    if (axis < 0 || axis >= x->rank)
        return shape_wrong(question, "there is no axis %d among %d", axis, x->rank);
    if (x->rank - 1 + index->rank > MAX_RANK)
        return shape_wrong(question, "%d axes are more than %d", x->rank - 1 + index->rank,
                           MAX_RANK);

    *result = (Shape){0};
    for (int i = 0; i < axis; i++)
        result->extent[result->rank++] = x->extent[i];
    for (int i = 0; i < index->rank; i++)
        result->extent[result->rank++] = index->extent[i];
    for (int i = axis + 1; i < x->rank; i++)
        result->extent[result->rank++] = x->extent[i];
    return NULL;
}

static const char *check_index(const Question *question, const TypedShape *index)
{
    if (type_is_integer(index->type)) return NULL;
    return shape_wrong(question, "the index is %s, not an integer", type_info[index->type].name);
}

const char *shape_rule_gather(const Question *question)
{
    const TypedShape *x = &question->argument[0], *index = &question->argument[1];
    const char *wrong = check_index(question, index);
    question->result->type = x->type;
    return wrong ? wrong : gathered(question, &x->shape, &index->shape, &question->result->shape);
}

const char *shape_rule_scatter(const Question *question)
{
    const TypedShape *updates = &question->argument[0], *index = &question->argument[1];
    const char *wrong = check_index(question, index);
    if (!wrong) wrong = shape_check_numeric(question, updates);
    if (!wrong) wrong = shape_take_given(question, updates->type);
    Shape expected;
    if (!wrong) wrong = gathered(question, &question->result->shape, &index->shape, &expected);
    if (wrong || shape_same(&expected, &updates->shape)) return wrong;
    return shape_wrong(question, "updates for %s have shape %s, not %s",
                       shape_text(question, &question->result->shape),
                       shape_text(question, &expected), shape_text(question, &updates->shape));
}
