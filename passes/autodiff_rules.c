/* grad_NAME for the elementwise ops.  Each line is the derivative; results are used again where that spares keeping an
 * operand for the way back. */
#include "passes/autodiff.h"

#include "ir/graph/build.h"

static Value argument(const Autodiff *d, Value y, int i)
{
    return graph_argument(d->graph, y, i);
}

void grad_neg(Autodiff *d, Value y, Value dy)
{
    flow(d, argument(d, y, 0), ir_neg(d->graph, dy));
}

/* At 0 the derivative is taken as 0. */
void grad_abs(Autodiff *d, Value y, Value dy)
{
    Value x = argument(d, y, 0);
    Value sign = ir_sign(d->graph, x);
    flow(d, x, ir_mul(d->graph, dy, sign));
}

void grad_exp(Autodiff *d, Value y, Value dy)
{
    flow(d, argument(d, y, 0), ir_mul(d->graph, dy, y));
}

/* exp(x) = expm1(x) + 1 */
void grad_expm1(Autodiff *d, Value y, Value dy)
{
    Value one = ir_like(d->graph, y, 1);
    Value exp = ir_add(d->graph, y, one);
    flow(d, argument(d, y, 0), ir_mul(d->graph, dy, exp));
}

void grad_log(Autodiff *d, Value y, Value dy)
{
    Value x = argument(d, y, 0);
    flow(d, x, ir_div(d->graph, dy, x));
}

void grad_log1p(Autodiff *d, Value y, Value dy)
{
    Value x = argument(d, y, 0);
    Value one = ir_like(d->graph, x, 1);
    Value shifted = ir_add(d->graph, x, one);
    flow(d, x, ir_div(d->graph, dy, shifted));
}

void grad_sqrt(Autodiff *d, Value y, Value dy)
{
    Value half = ir_like(d->graph, y, 0.5);
    Value halved = ir_mul(d->graph, dy, half);
    flow(d, argument(d, y, 0), ir_div(d->graph, halved, y));
}

/* 1 - tanh^2 */
void grad_tanh(Autodiff *d, Value y, Value dy)
{
    Value one = ir_like(d->graph, y, 1);
    Value square = ir_mul(d->graph, y, y);
    Value slope = ir_sub(d->graph, one, square);
    flow(d, argument(d, y, 0), ir_mul(d->graph, dy, slope));
}

/* 2 / sqrt(pi) exp(-x^2) */
void grad_erf(Autodiff *d, Value y, Value dy)
{
    Value x = argument(d, y, 0);
    Value square = ir_mul(d->graph, x, x);
    Value power = ir_neg(d->graph, square);
    Value bell = ir_exp(d->graph, power);
    Value height = ir_like(d->graph, x, 1.1283791670955126);
    Value slope = ir_mul(d->graph, bell, height);
    flow(d, x, ir_mul(d->graph, dy, slope));
}

void grad_sin(Autodiff *d, Value y, Value dy)
{
    Value x = argument(d, y, 0);
    Value cos = ir_cos(d->graph, x);
    flow(d, x, ir_mul(d->graph, dy, cos));
}

void grad_cos(Autodiff *d, Value y, Value dy)
{
    Value x = argument(d, y, 0);
    Value sin = ir_sin(d->graph, x);
    Value slope = ir_neg(d->graph, sin);
    flow(d, x, ir_mul(d->graph, dy, slope));
}

void grad_add(Autodiff *d, Value y, Value dy)
{
    flow(d, argument(d, y, 0), dy);
    flow(d, argument(d, y, 1), dy);
}

void grad_sub(Autodiff *d, Value y, Value dy)
{
    flow(d, argument(d, y, 0), dy);
    flow(d, argument(d, y, 1), ir_neg(d->graph, dy));
}

void grad_mul(Autodiff *d, Value y, Value dy)
{
    Value a = argument(d, y, 0), b = argument(d, y, 1);
    Value da = ir_mul(d->graph, dy, b);
    if (value_same(a, b)) {
        flow(d, a, ir_add(d->graph, da, da));
        return;
    }
    flow(d, a, da);
    flow(d, b, ir_mul(d->graph, dy, a));
}

/* d(a / b) = da / b - (a / b) db / b */
void grad_div(Autodiff *d, Value y, Value dy)
{
    Value a = argument(d, y, 0), b = argument(d, y, 1);
    Value da = ir_div(d->graph, dy, b);
    Value product = ir_mul(d->graph, da, y);
    flow(d, a, da);
    flow(d, b, ir_neg(d->graph, product));
}

/* a - b floor(a / b), where the floor has no slope */
void grad_rem(Autodiff *d, Value y, Value dy)
{
    Value a = argument(d, y, 0), b = argument(d, y, 1);
    Value quotient = ir_div(d->graph, a, b);
    Value whole = ir_floor(d->graph, quotient);
    Value product = ir_mul(d->graph, dy, whole);
    flow(d, a, dy);
    flow(d, b, ir_neg(d->graph, product));
}

/* b a^(b-1) da + a^b log(a) db; like PyTorch, 0 by a where b is 0 and 0 by b where a is 0. */
void grad_pow(Autodiff *d, Value y, Value dy)
{
    Graph *graph = d->graph;
    Value a = argument(d, y, 0), b = argument(d, y, 1);
    Value zero = ir_like(graph, y, 0), one = ir_like(graph, y, 1);

    Value less = ir_sub(graph, b, one);
    Value power = ir_pow(graph, a, less);
    Value slope = ir_mul(graph, b, power);
    Value da = ir_mul(graph, dy, slope);
    Value flat = ir_equal(graph, b, zero);
    flow(d, a, ir_select(graph, flat, zero, da));

    Value log = ir_log(graph, a);
    Value steep = ir_mul(graph, y, log);
    Value db = ir_mul(graph, dy, steep);
    Value nothing = ir_equal(graph, a, zero);
    flow(d, b, ir_select(graph, nothing, zero, db));
}

/* The operand that was chosen takes all.  Where both are equal each takes half, as in PyTorch's maximum; but a constant takes
 * it all, as in PyTorch's relu, which costs a comparison and a choice less in every network.  Whether it won is seen from the
 * result, which the next layer reads anyway. */
static void flow_to_chosen(Autodiff *d, Value y, Value dy, Value x, Value other, bool is_max)
{
    Graph *graph = d->graph;
    double number;
    Value zero = ir_like(graph, dy, 0);
    if (graph_is_number(graph, other, &number)) {
        Value kept = is_max ? ir_less_equal(graph, y, other) : ir_less_equal(graph, other, y);
        flow(d, x, ir_select(graph, kept, zero, dy));
        return;
    }
    Value half = ir_like(graph, dy, 0.5);
    Value halved = ir_mul(graph, dy, half);
    Value tie = ir_equal(graph, x, other);
    Value share = ir_select(graph, tie, halved, dy);
    Value beaten = is_max ? ir_less(graph, x, other) : ir_less(graph, other, x);
    flow(d, x, ir_select(graph, beaten, zero, share));
}

void grad_max(Autodiff *d, Value y, Value dy)
{
    Value a = argument(d, y, 0), b = argument(d, y, 1);
    flow_to_chosen(d, y, dy, a, b, true);
    flow_to_chosen(d, y, dy, b, a, true);
}

void grad_min(Autodiff *d, Value y, Value dy)
{
    Value a = argument(d, y, 0), b = argument(d, y, 1);
    flow_to_chosen(d, y, dy, a, b, false);
    flow_to_chosen(d, y, dy, b, a, false);
}

void grad_select(Autodiff *d, Value y, Value dy)
{
    Value condition = argument(d, y, 0);
    Value zero = ir_like(d->graph, dy, 0);
    flow(d, argument(d, y, 1), ir_select(d->graph, condition, dy, zero));
    flow(d, argument(d, y, 2), ir_select(d->graph, condition, zero, dy));
}

/* Between floats; from integers nothing flows. */
void grad_cast(Autodiff *d, Value y, Value dy)
{
    Value x = argument(d, y, 0);
    flow(d, x, ir_cast(d->graph, dy, graph_type(d->graph, x)));
}
