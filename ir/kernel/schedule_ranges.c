/* Sums that need not run over all of k: of tiles where a factor is promised to be 0 for all points of k but some, and of those whose sums
 * nothing wants.  Both are read off conditions on indices, as of causal attention: position <= position. */
#include "ir/kernel/planning.h"

/* Whether the condition says that the affine is not negative. */
static bool condition_of(const Kernel *kernel, Scalar condition, Affine *at_least_zero)
{
    const ScalarNode *node = &kernel->scalar.at[condition.id];
    if (node->op != SCALAR_less && node->op != SCALAR_less_equal) return false;
    Affine side[2];
    for (int i = 0; i < 2; i++) {
        const ScalarNode *x = &kernel->scalar.at[node->argument[i].id];
        if (x->op == SCALAR_index)
            side[i] = x->access->at[0].affine;
        else if (x->op == SCALAR_constant && x->type == TYPE_i32)
            side[i] = affine_constant((int64_t)x->number);
        else
            return false;
    }
    *at_least_zero = affine_add(side[1], affine_scale(side[0], -1));
    if (node->op == SCALAR_less) at_least_zero->constant--;
    return true;
}

/* 1: the condition implies first <= second, -1: first >= second; 0: neither, or it has other axes in it. */
static int order_of(const Kernel *kernel, Scalar condition, Axis first, Axis second)
{
    Affine at_least_zero;
    if (!condition.id || !condition_of(kernel, condition, &at_least_zero)) return 0;
    int64_t of_first = at_least_zero.by[first.id - 1], of_second = at_least_zero.by[second.id - 1];
    uint32_t both = 1u << (first.id - 1) | 1u << (second.id - 1);
    if (affine_axes(&at_least_zero) != both || at_least_zero.constant > 0) return 0;
    if (of_first == -1 && of_second == 1) return 1;
    return of_first == 1 && of_second == -1 ? -1 : 0;
}

/* Whether loops over k may be cut short: the only axis, in whole steps. */
static bool can_be_short(const Planning *p)
{
    int64_t k = plan_extent(p, p->inner_k);
    return !p->products && p->k == k && k % RANGE_STEP == 0 && k > RANGE_STEP;
}

int plan_range(const Planning *p, const Contraction *of, Axis row)
{
    if (!can_be_short(p) || plan_extent(p, row) > p->k) return 0;
    return order_of(p->kernel, of->a_where, p->inner_k, row);
}

/* Whether all that is stored depends on the sum through values that are chosen where the condition holds. */
static bool is_wanted_only(const Planning *p, Scalar sum, Scalar condition)
{
    bool *wanted = arena_array(p->arena, bool, p->kernel->scalar.count);
    for (uint32_t i = 0; i < p->kernel->store.count; i++)
        wanted[p->kernel->store.at[i].value.id] = true;
    for (uint32_t i = p->kernel->scalar.count; i-- > 1;) {
        const ScalarNode *node = &p->kernel->scalar.at[i];
        bool chooses = node->op == SCALAR_select && node->argument[0].id == condition.id;
        for (int k = 0; wanted[i] && k < SCALAR_ARGUMENTS; k++)
            if (!chooses || k != 1) wanted[node->argument[k].id] = true;
        for (int d = 0; wanted[i] && node->access && d < node->access->rank; d++)
            wanted[node->access->at[d].dynamic.id] = true;
    }
    return !wanted[sum.id];
}

int plan_wanted(const Planning *p, const Schedule *s)
{
    if (!can_be_short(p) || s->width == 1 || s->tile_count != 1) return 0;
    for (uint32_t i = 1; i < p->kernel->scalar.count; i++) {
        const ScalarNode *node = &p->kernel->scalar.at[i];
        if (!p->finishes[i] || node->op != SCALAR_select) continue;
        int order = order_of(p->kernel, node->argument[0], s->vector, s->tile[0].axis);
        if (order && is_wanted_only(p, s->of.sum, node->argument[0])) return order;
    }
    return 0;
}
