/* The speed of other libraries at products and convolutions, for contractions.py.
 *
 * A request a line on standard input, an answer of JSON a line on standard output:
 *
 *     peers                                                   {"peers": ["onednn", ...]}: what this program was built with
 *     PEER product SECONDS batch m n k a_transposed b_transposed     {"seconds": median of a run}, null where it does not serve
 *     PEER convolution SECONDS direction batch in out side taps stride padding     direction: forward, input or weight
 *
 * Threads are OMP_NUM_THREADS. oneDNN chooses the layout of every operand itself, and what bringing them there would cost is not
 * counted: its figures are those of the primitive alone. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef PEERS_ONEDNN
#include <dnnl.h>
#endif
#ifdef PEERS_OPENBLAS
#include <cblas.h>
#endif
#ifdef PEERS_LIBXSMM
#include <libxsmm.h>
#endif

#define MAX_RUNS 10000

typedef struct Product {
    int batch, m, n, k, a_transposed, b_transposed;
    float *a, *b, *y;
} Product;

typedef struct Convolution {
    char direction[16];
    int64_t batch, in, out, side, taps, stride, padding;
} Convolution;

typedef void Work(void *user);

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The median of the runs that fit into the time, after a third of it to warm up. */
static double median_seconds(Work *work, void *user, double seconds)
{
    static double taken[MAX_RUNS];
    int runs = 0;
    double begin = now();
    do
        work(user);
    while (now() < begin + seconds / 3);
    begin = now();
    do {
        double start = now();
        work(user);
        taken[runs++] = now() - start;
    } while (runs < MAX_RUNS && (runs < 3 || now() < begin + seconds));
    qsort(taken, (size_t)runs, sizeof *taken, ascending);
    return taken[runs / 2];
}

static void *memory(size_t bytes)
{
    float *at = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!at) exit(1);
    for (size_t i = 0; i + 4 <= bytes; i += 4)
        at[i / 4] = (float)(i % 997) * 0.001f;
    return at;
}

#if defined PEERS_OPENBLAS || defined PEERS_LIBXSMM
static double product_seconds(Product *p, Work *work, double seconds)
{
    size_t batch = (size_t)p->batch, m = (size_t)p->m, n = (size_t)p->n, k = (size_t)p->k;
    p->a = memory(4 * batch * m * k);
    p->b = memory(4 * batch * k * n);
    p->y = memory(4 * batch * m * n);
    double taken = median_seconds(work, p, seconds);
    free(p->a);
    free(p->b);
    free(p->y);
    return taken;
}
#endif

#ifdef PEERS_OPENBLAS
static void openblas_work(void *user)
{
    const Product *p = user;
    size_t a = (size_t)p->m * (size_t)p->k, b = (size_t)p->k * (size_t)p->n,
           y = (size_t)p->m * (size_t)p->n;
    for (size_t i = 0; i < (size_t)p->batch; i++)
        cblas_sgemm(CblasRowMajor, p->a_transposed ? CblasTrans : CblasNoTrans,
                    p->b_transposed ? CblasTrans : CblasNoTrans, p->m, p->n, p->k, 1, p->a + i * a,
                    p->a_transposed ? p->m : p->k, p->b + i * b, p->b_transposed ? p->k : p->n, 0,
                    p->y + i * y, p->n);
}
#endif

#ifdef PEERS_LIBXSMM
/* Its matrices are column-major: y' = b' a'. */
static void libxsmm_work(void *user)
{
    const Product *p = user;
    const float one = 1, zero = 0;
    size_t a = (size_t)p->m * (size_t)p->k, b = (size_t)p->k * (size_t)p->n,
           y = (size_t)p->m * (size_t)p->n;
    for (size_t i = 0; i < (size_t)p->batch; i++) {
        const float *left = p->b + i * b, *right = p->a + i * a;
        libxsmm_xgemm_omp(LIBXSMM_GEMM_PRECISION_F32, LIBXSMM_GEMM_PRECISION_F32, "N", "N", &p->n,
                          &p->m, &p->k, &one, left, &p->n, right, &p->k, &zero, p->y + i * y,
                          &p->n);
    }
}
#endif

#ifdef PEERS_ONEDNN
#define MUST(call)                                                                                 \
    do {                                                                                           \
        dnnl_status_t status_ = (call);                                                            \
        if (status_ != dnnl_success) {                                                             \
            fprintf(stderr, "%s:%d: oneDNN answers %d\n", __FILE__, __LINE__, (int)status_);       \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

typedef struct Onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t argument[3];
    void *bytes[3];
} Onednn;

static void onednn_work(void *user)
{
    Onednn *o = user;
    MUST(dnnl_primitive_execute(o->primitive, o->stream, 3, o->argument));
    MUST(dnnl_stream_wait(o->stream));
}

static void onednn_memory(Onednn *o, int i, const_dnnl_primitive_desc_t described,
                          dnnl_query_t what, int role)
{
    const dnnl_memory_desc_t *layout = dnnl_primitive_desc_query_md(described, what, 0);
    o->bytes[i] = memory(dnnl_memory_desc_get_size(layout));
    o->argument[i].arg = role;
    MUST(dnnl_memory_create(&o->argument[i].memory, layout, o->engine, o->bytes[i]));
}

typedef struct Role {
    dnnl_query_t what;
    int argument;
} Role;

/* Times the best implementation of what is described, on memory as it asks for it. */
static double onednn_seconds(const_dnnl_op_desc_t operation, const Role role[3], double seconds)
{
    Onednn o;
    dnnl_primitive_desc_t described;
    MUST(dnnl_engine_create(&o.engine, dnnl_cpu, 0));
    MUST(dnnl_stream_create(&o.stream, o.engine, dnnl_stream_default_flags));
    MUST(dnnl_primitive_desc_create(&described, operation, NULL, o.engine, NULL));
    MUST(dnnl_primitive_create(&o.primitive, described));
    for (int i = 0; i < 3; i++)
        onednn_memory(&o, i, described, role[i].what, role[i].argument);
    double taken = median_seconds(onednn_work, &o, seconds);
    for (int i = 0; i < 3; i++) {
        MUST(dnnl_memory_destroy(o.argument[i].memory));
        free(o.bytes[i]);
    }
    MUST(dnnl_primitive_destroy(o.primitive));
    MUST(dnnl_primitive_desc_destroy(described));
    MUST(dnnl_stream_destroy(o.stream));
    MUST(dnnl_engine_destroy(o.engine));
    return taken;
}

static dnnl_memory_desc_t any_layout(int rank, const dnnl_dim_t *extent)
{
    dnnl_memory_desc_t layout;
    dnnl_dims_t dims = {0};
    memcpy(dims, extent, (size_t)rank * sizeof *extent);
    MUST(dnnl_memory_desc_init_by_tag(&layout, rank, dims, dnnl_f32, dnnl_format_tag_any));
    return layout;
}

/* Layouts are free, so whether an operand is transposed makes no difference. */
static double onednn_product(const Product *p, double seconds)
{
    int rank = p->batch > 1 ? 3 : 2, skip = 3 - rank;
    dnnl_memory_desc_t a = any_layout(rank, (dnnl_dim_t[3]){p->batch, p->m, p->k} + skip);
    dnnl_memory_desc_t b = any_layout(rank, (dnnl_dim_t[3]){p->batch, p->k, p->n} + skip);
    dnnl_memory_desc_t y = any_layout(rank, (dnnl_dim_t[3]){p->batch, p->m, p->n} + skip);
    dnnl_matmul_desc_t operation;
    MUST(dnnl_matmul_desc_init(&operation, &a, &b, NULL, &y));
    const Role role[] = {{dnnl_query_src_md, DNNL_ARG_SRC},
                         {dnnl_query_weights_md, DNNL_ARG_WEIGHTS},
                         {dnnl_query_dst_md, DNNL_ARG_DST}};
    return onednn_seconds(&operation, role, seconds);
}

static double onednn_convolution_by(dnnl_alg_kind_t algorithm, const Convolution *c, double seconds)
{
    int64_t side = (c->side + 2 * c->padding - c->taps) / c->stride + 1;
    dnnl_memory_desc_t x = any_layout(4, (dnnl_dim_t[]){c->batch, c->in, c->side, c->side});
    dnnl_memory_desc_t w = any_layout(4, (dnnl_dim_t[]){c->out, c->in, c->taps, c->taps});
    dnnl_memory_desc_t y = any_layout(4, (dnnl_dim_t[]){c->batch, c->out, side, side});
    dnnl_dims_t stride = {c->stride, c->stride}, padding = {c->padding, c->padding};
    dnnl_convolution_desc_t operation;
    if (!strcmp(c->direction, "input")) {
        MUST(dnnl_convolution_backward_data_desc_init(&operation, algorithm, &x, &w, &y, stride,
                                                      padding, padding));
        const Role role[] = {{dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST},
                             {dnnl_query_weights_md, DNNL_ARG_WEIGHTS},
                             {dnnl_query_diff_src_md, DNNL_ARG_DIFF_SRC}};
        return onednn_seconds(&operation, role, seconds);
    }
    if (!strcmp(c->direction, "weight")) {
        MUST(dnnl_convolution_backward_weights_desc_init(&operation, algorithm, &x, &w, NULL, &y,
                                                         stride, padding, padding));
        const Role role[] = {{dnnl_query_src_md, DNNL_ARG_SRC},
                             {dnnl_query_diff_dst_md, DNNL_ARG_DIFF_DST},
                             {dnnl_query_diff_weights_md, DNNL_ARG_DIFF_WEIGHTS}};
        return onednn_seconds(&operation, role, seconds);
    }
    MUST(dnnl_convolution_forward_desc_init(&operation, dnnl_forward_training, algorithm, &x, &w,
                                            NULL, &y, stride, padding, padding));
    const Role role[] = {{dnnl_query_src_md, DNNL_ARG_SRC},
                         {dnnl_query_weights_md, DNNL_ARG_WEIGHTS},
                         {dnnl_query_dst_md, DNNL_ARG_DST}};
    return onednn_seconds(&operation, role, seconds);
}
/* The library's own choice, which may be Winograd's algorithm, is not always the better one. */
static double onednn_convolution(const Convolution *c, double seconds)
{
    double chosen = onednn_convolution_by(dnnl_convolution_auto, c, seconds / 2);
    double direct = onednn_convolution_by(dnnl_convolution_direct, c, seconds / 2);
    return chosen < direct ? chosen : direct;
}
#endif

/* Seconds of a product; NAN where the peer is not here or does not serve. */
static double product(const char *peer, Product *p, double seconds)
{
#ifdef PEERS_ONEDNN
    if (!strcmp(peer, "onednn")) return onednn_product(p, seconds);
#endif
#ifdef PEERS_OPENBLAS
    if (!strcmp(peer, "openblas")) return product_seconds(p, openblas_work, seconds);
#endif
#ifdef PEERS_LIBXSMM
    if (!strcmp(peer, "libxsmm") && !p->a_transposed && !p->b_transposed)
        return product_seconds(p, libxsmm_work, seconds);
#endif
    (void)p;
    (void)seconds;
    return NAN;
}

static double convolution(const char *peer, const Convolution *c, double seconds)
{
#ifdef PEERS_ONEDNN
    if (!strcmp(peer, "onednn")) return onednn_convolution(c, seconds);
#endif
    (void)peer;
    (void)c;
    (void)seconds;
    return NAN;
}

static void list(void)
{
    const char *before = "";
    printf("{\"peers\": [");
#ifdef PEERS_ONEDNN
    printf("%s\"onednn\"", before);
    before = ", ";
#endif
#ifdef PEERS_OPENBLAS
    printf("%s\"openblas\"", before);
    before = ", ";
#endif
#ifdef PEERS_LIBXSMM
    printf("%s\"libxsmm\"", before);
    before = ", ";
#endif
    (void)before;
    printf("]}\n");
}

static bool answer(const char *line)
{
    char peer[16];
    double seconds;
    Product p = {0};
    Convolution c = {0};
    if (!strcmp(line, "peers\n")) {
        list();
        return true;
    }
    if (sscanf(line, "%15s product %lf %d %d %d %d %d %d", peer, &seconds, &p.batch, &p.m, &p.n,
               &p.k, &p.a_transposed, &p.b_transposed) == 8)
        seconds = product(peer, &p, seconds);
    else if (sscanf(line, "%15s convolution %lf %15s %ld %ld %ld %ld %ld %ld %ld", peer, &seconds,
                    c.direction, &c.batch, &c.in, &c.out, &c.side, &c.taps, &c.stride,
                    &c.padding) == 10)
        seconds = convolution(peer, &c, seconds);
    else
        return false;
    if (isnan(seconds))
        printf("{\"seconds\": null}\n");
    else
        printf("{\"seconds\": %.9g}\n", seconds);
    return true;
}

int main(void)
{
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        if (!answer(line)) {
            fprintf(stderr, "not a request: %s", line);
            return 2;
        }
        fflush(stdout);
    }
    return 0;
}
