/* Contractions: matrix products, convolutions and their transposes as index letters; pooling. */
#include "frontend/builtins.h"

#include <math.h>

#define MAX_SPATIAL MAX_WINDOWS

/* ---- matmul ---- */

typedef struct Product {
    Indices indices;
    int letters;
} Product;

/* The axes before the last two: equal sizes are a batch, a size of 1 against another stretches by being dropped. */
static bool batches(Elaborator *e, const Call *call, Value *a, Value *b, Product *p, Shape *kept)
{
    Shape s = *tensor_shape(e, *a), t = *tensor_shape(e, *b);
    int i = s.rank - 2, k = t.rank - 2, count = i > k ? i : k;
    Shape as = {0}, bs = {0};
    for (int n = 0; n < count; n++) {
        int ia = n - (count - i), ib = n - (count - k);
        int64_t ea = ia >= 0 ? s.extent[ia] : 1, eb = ib >= 0 ? t.extent[ib] : 1;
        if (ea != eb && ea != 1 && eb != 1) {
            const char *first = elaborate_type(e, *a), *second = elaborate_type(e, *b);
            elaborate_error(e, call->at,
                            "matrix product of %s and %s: batch sizes %lld and %lld differ", first,
                            second, (long long)ea, (long long)eb);
            return false;
        }
        kept->extent[kept->rank++] = ea > eb ? ea : eb;
        char letter = (char)('a' + p->letters++);
        bool in_a = ea != 1 || eb == 1, in_b = eb != 1;
        if (in_a && ia >= 0) p->indices.a[as.rank] = letter, as.extent[as.rank++] = ea;
        if (in_b) p->indices.b[bs.rank] = letter, bs.extent[bs.rank++] = eb;
        if ((in_a && ia >= 0) || in_b) p->indices.y[strlen(p->indices.y)] = letter;
    }
    as.extent[as.rank++] = s.extent[s.rank - 2];
    as.extent[as.rank++] = s.extent[s.rank - 1];
    bs.extent[bs.rank++] = t.extent[t.rank - 2];
    bs.extent[bs.rank++] = t.extent[t.rank - 1];
    *a = tensor_reshape(e, *a, as);
    *b = tensor_reshape(e, *b, bs);
    return true;
}

static bool want_matrices(Elaborator *e, const Call *call, Value a, Value b)
{
    const Shape *s = tensor_shape(e, a), *t = tensor_shape(e, b);
    if (s->rank == 0 || t->rank == 0) {
        elaborate_error(e, call->at,
                        "matrix product of %s and %s: a scalar has no axis to sum over; use *",
                        elaborate_type(e, a), elaborate_type(e, b));
        return false;
    }
    int64_t inner = s->extent[s->rank - 1], other = t->extent[t->rank > 1 ? t->rank - 2 : 0];
    if (inner != other) {
        const char *first = elaborate_type(e, a), *second = elaborate_type(e, b);
        elaborate_error(e, call->at,
                        "matrix product of %s and %s: inner sizes %lld and %lld differ", first,
                        second, (long long)inner, (long long)other);
        if (t->rank > 1 && inner == t->extent[t->rank - 1])
            elaborate_hint(e, "the second fits transposed: matmul(a, transpose(b))");
        return false;
    }
    if (tensor_type(e, a) == tensor_type(e, b)) return true;
    const char *first = elaborate_type(e, a), *second = elaborate_type(e, b);
    elaborate_error(e, call->at, "matrix product of %s and %s: the types differ", first, second);
    elaborate_hint(e, "convert one of them: cast(x, f32)");
    return false;
}

static void append(char *letters, char letter)
{
    letters[strlen(letters)] = letter;
}

Datum builtin_matmul(Elaborator *e, Call *call)
{
    Value a, b;
    if (!want_tensor(e, call, 0, &a) || !want_tensor(e, call, 1, &b) ||
        !want_matrices(e, call, a, b))
        return POISON;
    Shape s = *tensor_shape(e, a), t = *tensor_shape(e, b), result = {0};
    bool row = s.rank == 1, column = t.rank == 1;
    if (row) a = tensor_reshape(e, a, shape_insert(s, 0, 1));
    if (column) b = tensor_reshape(e, b, shape_insert(t, 1, 1));
    int64_t m = row ? 1 : s.extent[s.rank - 2], n = column ? 1 : t.extent[t.rank - 1];
    Product p = {0};
    if (!batches(e, call, &a, &b, &p, &result)) return POISON;
    append(p.indices.a, 'm');
    append(p.indices.a, 'k');
    append(p.indices.b, 'k');
    append(p.indices.b, 'n');
    append(p.indices.y, 'm');
    append(p.indices.y, 'n');
    Value y = tensor_dot(e, a, b, &p.indices);
    if (!row) result.extent[result.rank++] = m;
    if (!column) result.extent[result.rank++] = n;
    return tensor_datum(tensor_reshape(e, y, result));
}

/* "mk,nk->mn" */
static bool parse_letters(const char *text, Indices *out)
{
    char *list[3] = {out->a, out->b, out->y};
    int which = 0, length = 0;
    for (; *text; text++) {
        if (*text == ' ') continue;
        if (*text >= 'a' && *text <= 'z') {
            if (length == MAX_RANK) return false;
            list[which][length++] = *text;
            continue;
        }
        bool comma = *text == ',' && which == 0,
             arrow = *text == '-' && text[1] == '>' && which == 1;
        if (!comma && !arrow) return false;
        if (arrow) text++;
        which++;
        length = 0;
    }
    return which == 2;
}

Datum builtin_dot(Elaborator *e, Call *call)
{
    Value a, b;
    const char *text;
    Indices indices = {0};
    if (!want_tensor(e, call, 0, &a) || !want_tensor(e, call, 1, &b) ||
        !want_text(e, call, 2, &text))
        return POISON;
    if (!parse_letters(text, &indices)) {
        elaborate_error(e, call->argument_at[2],
                        "\"%s\" does not name axes by letters, as \"mk,nk->mn\" does", text);
        return POISON;
    }
    return tensor_datum(tensor_dot(e, a, b, &indices));
}

/* ---- convolution ---- */

typedef struct Convolution {
    Value x, w;
    int axes; /* spatial */
    int64_t stride[MAX_RANK], low[MAX_RANK], high[MAX_RANK], dilation[MAX_RANK], groups;
} Convolution;

static bool is_same(const Datum *d)
{
    return d->kind == DATUM_text && strcmp(d->text, "same") == 0;
}

static bool want_operands(Elaborator *e, const Call *call, Convolution *c)
{
    if (!want_tensor(e, call, 0, &c->x) || !want_tensor(e, call, 1, &c->w)) return false;
    const Shape *x = tensor_shape(e, c->x), *w = tensor_shape(e, c->w);
    c->axes = x->rank - 2;
    if (c->axes >= 1 && c->axes <= MAX_SPATIAL && w->rank == x->rank) return true;
    const char *first = elaborate_type(e, c->x), *second = elaborate_type(e, c->w);
    elaborate_error(e, call->at,
                    "`%s` of %s and %s: wanted are [N, C, ...] and [channels, C, taps...] with 1 "
                    "to %d axes behind the first two",
                    call->name, first, second, MAX_SPATIAL);
    return false;
}

/* Stride, padding and dilation; "same" gives ceil(extent / stride) outputs, the odd element of padding at the end. */
static bool want_geometry(Elaborator *e, const Call *call, Convolution *c, int dilation)
{
    const Shape *x = tensor_shape(e, c->x), *w = tensor_shape(e, c->w);
    if (!want_each(e, call, 2, c->axes, 1, c->stride) ||
        !want_each(e, call, dilation, c->axes, 1, c->dilation))
        return false;
    if (!want_integer(e, call, dilation + 1, 1, INT32_MAX, &c->groups)) return false;
    if (!is_same(&call->argument[3])) {
        if (!want_each(e, call, 3, c->axes, 0, c->low)) return false;
        memcpy(c->high, c->low, sizeof c->high);
        return true;
    }
    for (int i = 0; i < c->axes; i++) {
        int64_t extent = x->extent[i + 2], reach = (w->extent[i + 2] - 1) * c->dilation[i] + 1;
        int64_t outputs = (extent + c->stride[i] - 1) / c->stride[i];
        int64_t total = (outputs - 1) * c->stride[i] + reach - extent;
        c->low[i] = total > 0 ? total / 2 : 0;
        c->high[i] = total > 0 ? total - c->low[i] : 0;
    }
    return true;
}

static Shape grouped(Shape shape, int axis, int64_t groups)
{
    if (groups == 1) return shape;
    shape.extent[axis] /= groups;
    return shape_insert(shape, axis, groups);
}

static bool groups_fit(Elaborator *e, const Call *call, const Convolution *c, int64_t inputs,
                       int64_t outputs, int64_t asked)
{
    if (inputs % c->groups == 0 && outputs % c->groups == 0 && asked == inputs / c->groups) {
        if (c->groups == 1 || c->axes + 3 <= MAX_RANK) return true;
    }
    const char *first = elaborate_type(e, c->x), *second = elaborate_type(e, c->w);
    elaborate_error(e, call->at, "`%s` of %s and %s in %lld group%s: the channels do not fit",
                    call->name, first, second, (long long)c->groups, c->groups == 1 ? "" : "s");
    return false;
}

static const char input_letter[] = "hij", output_letter[] = "yxz", tap_letter[] = "klm";

static Indices letters_of(const Convolution *c, const char *a, const char *b, const char *y,
                          const char *spatial_a, const char *spatial_y)
{
    Indices indices = {.windows = (uint8_t)c->axes};
    const char *group = c->groups > 1 ? "g" : "";
    char *list[3] = {indices.a, indices.b, indices.y};
    const char *channel[3] = {a, b, y};
    const char *spatial[3] = {spatial_a, tap_letter, spatial_y};
    for (int i = 0; i < 3; i++) {
        if (i != 1) append(list[i], 'n');
        for (const char *g = group; *g; g++)
            append(list[i], *g);
        for (const char *l = channel[i]; *l; l++)
            append(list[i], *l);
        for (int k = 0; k < c->axes; k++)
            append(list[i], spatial[i][k]);
    }
    for (int k = 0; k < c->axes; k++) {
        indices.window[k].input = input_letter[k];
        indices.window[k].output = output_letter[k];
        indices.window[k].tap = tap_letter[k];
        indices.window[k].input_scale = 1;
        indices.window[k].output_scale = c->stride[k];
        indices.window[k].tap_scale = c->dilation[k];
        indices.window[k].offset = -c->low[k];
    }
    return indices;
}

static bool too_small(Elaborator *e, const Call *call, const Convolution *c, int64_t extent)
{
    if (extent >= 1) return false;
    const char *first = elaborate_type(e, c->x), *second = elaborate_type(e, c->w);
    elaborate_error(e, call->at, "`%s` of %s and %s: the window is larger than the padded input",
                    call->name, first, second);
    elaborate_hint(e, "a smaller kernel, or padding, or one pooling less");
    return true;
}

Datum builtin_convolution(Elaborator *e, Call *call)
{
    Convolution c = {0};
    if (!want_operands(e, call, &c) || !want_geometry(e, call, &c, 4)) return POISON;
    Shape x = *tensor_shape(e, c.x), w = *tensor_shape(e, c.w), y = x;
    if (!groups_fit(e, call, &c, x.extent[1], w.extent[0], w.extent[1])) return POISON;
    y.extent[1] = w.extent[0];
    for (int i = 0; i < c.axes; i++) {
        int64_t room =
            x.extent[i + 2] + c.low[i] + c.high[i] - ((w.extent[i + 2] - 1) * c.dilation[i] + 1);
        y.extent[i + 2] = room < 0 ? 0 : room / c.stride[i] + 1;
        if (too_small(e, call, &c, y.extent[i + 2])) return POISON;
    }
    Indices indices = letters_of(&c, "c", "oc", "o", input_letter, output_letter);
    Value a = tensor_reshape(e, c.x, grouped(x, 1, c.groups)),
          b = tensor_reshape(e, c.w, grouped(w, 0, c.groups));
    Value result = tensor_conv(e, a, b, &indices, grouped(y, 1, c.groups));
    return tensor_datum(tensor_reshape(e, result, y));
}

/* The same windows with input and output exchanged: y[h] = sum of x[o] w[k] over h = stride o + dilation k - low. */
Datum builtin_convolution_transpose(Elaborator *e, Call *call)
{
    Convolution c = {0};
    int64_t extra[MAX_RANK];
    if (!want_operands(e, call, &c) || !want_geometry(e, call, &c, 5)) return POISON;
    if (!want_each(e, call, 4, c.axes, 0, extra)) return POISON;
    Shape x = *tensor_shape(e, c.x), w = *tensor_shape(e, c.w), y = x;
    int64_t outputs = w.extent[1] * c.groups;
    int64_t own = w.extent[0] == x.extent[1] ? x.extent[1] / c.groups : -1;
    if (!groups_fit(e, call, &c, x.extent[1], outputs, own)) return POISON;
    y.extent[1] = outputs;
    for (int i = 0; i < c.axes; i++) {
        int64_t reach = (w.extent[i + 2] - 1) * c.dilation[i];
        y.extent[i + 2] =
            (x.extent[i + 2] - 1) * c.stride[i] + reach + 1 - c.low[i] - c.high[i] + extra[i];
        if (too_small(e, call, &c, y.extent[i + 2])) return POISON;
    }
    Indices indices = letters_of(&c, "c", "co", "o", output_letter, input_letter);
    Value a = tensor_reshape(e, c.x, grouped(x, 1, c.groups)),
          b = tensor_reshape(e, c.w, grouped(w, 0, c.groups));
    Value result = tensor_conv(e, a, b, &indices, grouped(y, 1, c.groups));
    return tensor_datum(tensor_reshape(e, result, y));
}

/* ---- pooling ---- */

typedef struct Pooling {
    Value x;
    int axes;
    int64_t size[MAX_RANK], stride[MAX_RANK], padding[MAX_RANK];
    Op op;
} Pooling;

/* Every window has an element of x in it: the maximum of padding alone would be -inf. */
static bool windows_fit(Elaborator *e, const Call *call, const Pooling *p)
{
    const Shape *x = tensor_shape(e, p->x);
    for (int i = 0; i < p->axes; i++) {
        if (p->padding[i] >= p->size[i]) {
            elaborate_error(e, call->at,
                            "a padding of %lld is as large as the pooling window of %lld",
                            (long long)p->padding[i], (long long)p->size[i]);
            elaborate_hint(e, "windows of padding alone have no value: pad less, or use pad()");
            return false;
        }
        if (x->extent[i + 2] + 2 * p->padding[i] >= p->size[i]) continue;
        elaborate_error(e, call->at, "a pooling window of %lld is larger than axis %d of %s",
                        (long long)p->size[i], i + 2, elaborate_type(e, p->x));
        return false;
    }
    return true;
}

static bool want_pooling(Elaborator *e, const Call *call, Pooling *p)
{
    const char *kind;
    if (!want_tensor(e, call, 0, &p->x) || !want_text(e, call, 1, &kind)) return false;
    p->axes = tensor_shape(e, p->x)->rank - 2;
    if (p->axes < 1 || p->axes > MAX_SPATIAL) {
        elaborate_error(e, call->at,
                        "pooling wants [N, C, ...] with 1 to %d axes behind, and this is %s",
                        MAX_SPATIAL, elaborate_type(e, p->x));
        return false;
    }
    p->op = strcmp(kind, "max") == 0 ? OP_reduce_max : OP_sum;
    if (!want_each(e, call, 2, p->axes, 1, p->size) ||
        !want_each(e, call, 3, p->axes, 1, p->stride))
        return false;
    if (!want_each(e, call, 4, p->axes, 0, p->padding)) return false;
    return windows_fit(e, call, p);
}

static double lowest(Type type)
{
    if (type_is_float(type)) return -INFINITY;
    return type_info[type].class == CLASS_SIGNED ? -ldexp(1, type_info[type].bytes * 8 - 1) : 0;
}

static Value padded(Elaborator *e, const Pooling *p)
{
    bool any = false;
    Pad pad = {.value = p->op == OP_sum ? 0 : lowest(tensor_type(e, p->x))};
    for (int i = 0; i < p->axes; i++) {
        pad.low[i + 2] = pad.high[i + 2] = p->padding[i];
        any = any || p->padding[i];
    }
    return any ? tensor_pad(e, p->x, &pad) : p->x;
}

/* Windows side by side are a reshape: what does not fill a last window is cut off. */
static Value pool_tiles(Elaborator *e, const Pooling *p, Value x)
{
    Shape shape = *tensor_shape(e, x),
          tiles = {.rank = 2, .extent = {shape.extent[0], shape.extent[1]}};
    Slice slice = {.extent = {shape.extent[0], shape.extent[1]}, .stride = {1, 1}};
    Axes axes = {0};
    bool cut = false;
    for (int i = 0; i < p->axes; i++) {
        int64_t count = shape.extent[i + 2] / p->size[i];
        slice.stride[i + 2] = 1;
        slice.extent[i + 2] = count * p->size[i];
        cut = cut || slice.extent[i + 2] != shape.extent[i + 2];
        axes.at[axes.count++] = (uint8_t)(tiles.rank + 1);
        tiles.extent[tiles.rank++] = count;
        tiles.extent[tiles.rank++] = p->size[i];
    }
    if (cut) x = tensor_slice(e, x, &slice);
    return tensor_reduce(e, p->op, tensor_reshape(e, x, tiles), axes);
}

static Value pool_windows(Elaborator *e, const Pooling *p, Value x)
{
    int rank = tensor_shape(e, x)->rank;
    Windows w = {.count = (uint8_t)p->axes};
    Axes axes = {0};
    for (int i = 0; i < p->axes; i++) {
        w.at[i].axis = (uint8_t)(i + 2);
        w.at[i].size = p->size[i];
        w.at[i].stride = p->stride[i];
        w.at[i].dilation = 1;
        axes.at[axes.count++] = (uint8_t)(rank + i);
    }
    return tensor_reduce(e, p->op, tensor_window(e, x, &w), axes);
}

Datum builtin_pool(Elaborator *e, Call *call)
{
    Pooling p = {0};
    if (!want_pooling(e, call, &p)) return POISON;
    Value x = padded(e, &p);
    if (!x.id) return POISON;
    bool tiles = memcmp(p.size, p.stride, sizeof *p.size * (size_t)p.axes) == 0;
    return tensor_datum(tiles ? pool_tiles(e, &p, x) : pool_windows(e, &p, x));
}
