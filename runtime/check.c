/* `mlc check`: what a model costs, before anything runs. */
#include "runtime/compile.h"

#include <string.h>

typedef struct Checking {
    mlc_model *model;
    bool json;
    Compiled *entry[ENTRY_COUNT];
    int64_t memory[ENTRY_COUNT]; /* bytes */
    Text text;
} Checking;

static int64_t parameters_of(const Program *program)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < program->state.count; i++)
        if (program->state.at[i].role == STATE_parameter)
            count += shape_elements(&program->state.at[i].shape);
    return count;
}

static const Compiled *any_entry(const Checking *c)
{
    for (int i = ENTRY_COUNT - 1; i >= 0; i--)
        if (c->entry[i]) return c->entry[i];
    return NULL;
}

/* --- JSON ---------------------------------------------------------------------------------------------------------------- */

static void json_port(Text *out, const char *name, Type type, const Shape *shape, const char *comma)
{
    text_add(out, "%s{\"name\":\"%s\",\"type\":\"%s\",\"shape\":[", comma, name,
             type_info[type].name);
    for (int i = 0; i < shape->rank; i++)
        text_add(out, "%s%lld", i ? "," : "", (long long)shape->extent[i]);
    text_add(out, "]}");
}

static void json_entries(Checking *c)
{
    const char *comma = "";
    for (int i = 0; i < ENTRY_COUNT; i++) {
        const Compiled *e = c->entry[i];
        if (!e) continue;
        text_add(&c->text, "%s\"%s\":{\"batch\":%lld", comma, entry_name[i], (long long)e->batch);
        comma = ",";
        if (e->module)
            text_add(
                &c->text,
                ",\"flops\":%lld,\"bytes\":%lld,\"peak_memory_bytes\":%lld,\"arena_bytes\":%lld,"
                "\"kernels\":%u,\"structures\":%u",
                (long long)e->module->flops, (long long)e->module->bytes, (long long)c->memory[i],
                (long long)e->module->arena_bytes, e->module->call.count, e->module->kernel.count);
        text_add(&c->text, "}");
    }
}

static void write_json(Checking *c)
{
    const Compiled *any = any_entry(c);
    Names *names = c->model->context.names;
    text_add(&c->text, "{\"parameters\":%lld,\"entries\":{",
             (long long)parameters_of(any->elaborated->program));
    json_entries(c);
    text_add(&c->text, "},\"inputs\":[");
    for (uint32_t i = 0; i < any->elaborated->input_count; i++) {
        const ModelInput *input = &any->elaborated->input[i];
        json_port(&c->text, name_text(names, input->name), input->type, &input->shape,
                  i ? "," : "");
    }
    text_add(&c->text, "],\"outputs\":[");
    const Compiled *predict = c->entry[ENTRY_predict];
    for (uint32_t i = 0; predict && i < predict->output_count; i++)
        json_port(&c->text, name_text(names, predict->output[i].name), predict->output[i].type,
                  &predict->output[i].shape, i ? "," : "");
    text_add(&c->text, "]}\n");
}

/* --- a table for people ---------------------------------------------------------------------------------------------------- */

static const char *shape_text(Checking *c, Type type, const Shape *shape)
{
    Text text = {.arena = c->model->arena};
    shape_print(&text, type, shape);
    return text_done(&text);
}

static void write_parameters(Checking *c, const Program *program)
{
    for (uint32_t i = 0; i < program->state.count; i++) {
        const State *state = &program->state.at[i];
        if (state->role != STATE_parameter && state->role != STATE_buffer) continue;
        text_add(
            &c->text, "  %-32s %-24s %12lld%s\n", name_text(c->model->context.names, state->name),
            shape_text(c, state->type, &state->shape), (long long)shape_elements(&state->shape),
            state->role == STATE_buffer ? "  (not trained)" : "");
    }
    text_add(&c->text, "  %-32s %-24s %12lld\n\n", "parameters", "",
             (long long)parameters_of(program));
}

static void write_entries(Checking *c)
{
    text_add(&c->text, "%-10s %8s %8s %12s %12s %14s\n", "entry", "batch", "kernels", "MFLOP",
             "moved", "peak memory");
    for (int i = 0; i < ENTRY_COUNT; i++) {
        const Compiled *e = c->entry[i];
        if (!e || !e->module) continue;
        Text moved = {.arena = c->model->arena}, peak = {.arena = c->model->arena};
        text_bytes(&moved, (uint64_t)e->module->bytes);
        text_bytes(&peak, (uint64_t)c->memory[i]);
        text_add(&c->text, "%-10s %8lld %8u %12.2f %12s %14s\n", entry_name[i], (long long)e->batch,
                 e->module->call.count, (double)e->module->flops * 1e-6, text_done(&moved),
                 text_done(&peak));
    }
}

static void write_peak(Checking *c)
{
    const Compiled *step = c->entry[ENTRY_step];
    if (!step || !step->module) return;
    const Source *source = sources_get(c->model->context.sources, step->module->peak_at.source);
    text_add(&c->text, "\nstep needs %lld bytes", (long long)c->memory[ENTRY_step]);
    if (source)
        text_add(&c->text, "; its arena (%lld bytes) is fullest at %s:%u",
                 (long long)step->module->arena_bytes, source->path,
                 source_place(source, step->module->peak_at.begin).line);
    text_add(&c->text, "\n");
}

static void write_table(Checking *c)
{
    const Compiled *any = any_entry(c);
    Names *names = c->model->context.names;
    text_add(&c->text, "model %s\n\n", experiment_model(c->model->experiment));
    for (uint32_t i = 0; i < any->elaborated->input_count; i++) {
        const ModelInput *input = &any->elaborated->input[i];
        text_add(&c->text, "  input  %-25s %s\n", name_text(names, input->name),
                 shape_text(c, input->type, &input->shape));
    }
    const Compiled *predict = c->entry[ENTRY_predict];
    for (uint32_t i = 0; predict && i < predict->output_count; i++)
        text_add(&c->text, "  output %-25s %s\n", name_text(names, predict->output[i].name),
                 shape_text(c, predict->output[i].type, &predict->output[i].shape));
    if (any->elaborated->dimension_history)
        text_add(&c->text, "\n%s\n", any->elaborated->dimension_history);
    text_add(&c->text, "\n");
    write_parameters(c, any->elaborated->program);
    write_entries(c);
    write_peak(c);
}

static Status check(void *argument)
{
    Checking *c = argument;
    const TrainSettings *train = experiment_train(c->model->experiment);
    bool declared = train && train->present, trains = declared && !model_is_int8(c->model);
    if (declared && train->batch == 0) TRY(model_data(c->model));
    /* What trains comes first, as in training: states lie as is good for it. */
    if (trains) TRY(compile_entry(c->model, ENTRY_step, 0, COMPILE_module, &c->entry[ENTRY_step]));
    for (int i = 0; i < ENTRY_COUNT; i++) {
        if (!declared && i != ENTRY_predict && i != ENTRY_init) continue;
        if (!compile_offers(c->model, (EntryKind)i)) continue;
        TRY(compile_entry(c->model, (EntryKind)i, 0, COMPILE_module, &c->entry[i]));
        TRY(compiled_memory(c->model, c->entry[i], &c->memory[i]));
    }
    c->text.arena = c->model->arena;
    if (c->json)
        write_json(c);
    else
        write_table(c);
    return STATUS_ok;
}

mlc_status mlc_check(mlc_model *model, bool json, const char **text)
{
    if (!model || !text) return model_misused(model);
    Checking checking = {.model = model, .json = json};
    mlc_status status = model_guard(model, check, &checking);
    *text = status == MLC_OK ? text_done(&checking.text) : "";
    return status;
}
